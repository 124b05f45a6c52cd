"""One HTTP exchange under a total deadline, with a bounded answer. Never redirects, never retries.

`requests` limits the time of each read, so a server that drips one byte a second
is never cut off. Here the whole answer, status line and headers included, has one
end; and a body is read up to a limit, however long it claims to be.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError
from urllib3.util import Timeout

CONNECT_TIMEOUT_SECONDS = 5.0
CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True)
class Reply:
    """A complete answer: status, headers (case-insensitive) and the decoded body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ExchangeError(Exception):
    """No complete answer. The message is safe to show and holds no foreign text."""


class NotSent(ExchangeError):
    """No connection was made, so the other side cannot have acted."""


class TimedOut(ExchangeError):
    """The deadline passed; the other side may have acted."""


class Broken(ExchangeError):
    """The answer broke off or was not HTTP; the other side may have acted."""


class TooLarge(ExchangeError):
    """The answer is longer than the caller is willing to read."""


class _DeadlineReader(io.RawIOBase):
    """A socket's read side that ends at a point in time, not a time after each read."""

    def __init__(self, sock: socket.socket, ends_at: float) -> None:
        self._sock = sock
        self._ends_at = ends_at
        # makefile keeps the socket alive when http.client drops it early ("Connection: close").
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._ends_at - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("deadline passed")
        self._sock.settimeout(remaining)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, ends_at: float, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_DeadlineReader(sock, ends_at))


class _DeadlineAnswers:
    """Makes urllib3's read timeout (what is left of the total) hold for the whole answer."""

    timeout: float | None
    response_class: Any

    def getresponse(self) -> urllib3.HTTPResponse:
        if self.timeout is not None:
            ends_at = time.monotonic() + self.timeout
            self.response_class = partial(_DeadlineResponse, ends_at=ends_at)
        return super().getresponse()  # type: ignore[misc, no-any-return]  # mixin: the connection's


class _Connection(_DeadlineAnswers, HTTPConnection):  # type: ignore[misc]  # response_class: a partial
    pass


class _TLSConnection(_DeadlineAnswers, HTTPSConnection):  # type: ignore[misc]  # as above
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class DeadlineAdapter(HTTPAdapter):
    """A `requests` transport whose timeout is a total. Pools `size` connections a host."""

    def __init__(self, size: int) -> None:
        super().__init__(pool_connections=4, pool_maxsize=size, max_retries=0, pool_block=False)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Called by `requests`; puts our connections into its pools."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}


def new_session(*, pool_size: int) -> requests.Session:
    """A session for `exchange`; it ignores the environment, as a netrc would replace the key."""
    session = requests.Session()
    session.trust_env = False
    # Callers share it: a cookie set for one would go out with the key of another.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = DeadlineAdapter(pool_size)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def exchange(
    session: requests.Session,
    request: requests.Request,
    *,
    deadline_seconds: float,
    max_bytes: int,
) -> Reply:
    """Sends `request` and reads the whole answer within `deadline_seconds`.

    Redirects come back as they are. Raises an `ExchangeError` by what may have happened.
    """
    if deadline_seconds <= 0:
        raise TimedOut("the deadline passed before the request was sent")
    timeout = Timeout(
        total=deadline_seconds, connect=min(CONNECT_TIMEOUT_SECONDS, deadline_seconds)
    )
    try:
        response = session.send(
            session.prepare_request(request),
            stream=True,
            timeout=timeout,  # type: ignore[arg-type]  # the stubs leave urllib3's own kind out
            allow_redirects=False,
        )
        with response:
            body = read_bounded(_chunks(response), max_bytes)
        return Reply(response.status_code, response.headers, body)
    except (requests.ConnectTimeout, requests.exceptions.ProxyError) as exc:
        raise NotSent("no connection could be made") from exc
    except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) as exc:
        raise TimedOut("no complete answer before the deadline") from exc
    except requests.ConnectionError as exc:
        raise _connection_failure(exc) from exc
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as exc:
        raise Broken("the answer broke off or could not be read") from exc


def read_bounded(chunks: Iterable[bytes], max_bytes: int) -> bytes:
    """Joins `chunks`; raises `TooLarge` as soon as they exceed `max_bytes`."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > max_bytes:
            raise TooLarge(f"the answer is larger than {max_bytes} bytes")
    return bytes(body)


def _chunks(response: requests.Response) -> Iterable[bytes]:
    while chunk := response.raw.read(CHUNK_BYTES, decode_content=True):
        yield chunk


def _connection_failure(exc: requests.ConnectionError) -> ExchangeError:
    cause = exc.args[0] if exc.args else None
    reason = getattr(cause, "reason", cause)
    if isinstance(reason, NewConnectionError):
        return NotSent("the connection was refused")
    # A certificate is judged before anything is sent.
    if isinstance(next(iter(getattr(reason, "args", ())), None), ssl.SSLCertVerificationError):
        return NotSent("the other side could not prove who it is")
    return Broken("the connection broke off before an answer came")

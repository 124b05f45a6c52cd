"""One HTTP exchange under a total deadline, with a bounded answer. Never redirects, never retries.

`requests` limits the time of each read, so a server that drips one byte a second
is never cut off. Here the whole answer, status line and headers included, has one
end; and a body is read up to a limit, however long it claims to be.
"""

from __future__ import annotations

import io
import math
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
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

MayDial = Callable[[str], bool]
"""Whether an IP address, as text, may be called."""

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


class Forbidden(NotSent):
    """The name leads to an address that may not be called."""


class ForbiddenAddress(NewConnectionError):
    """Raised by a connection that will not dial what its host's name leads to."""


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
    """A `requests` transport whose timeout is a total. Pools `size` connections a host.

    Every address is dialled unless `may_dial` forbids one of those that the host's name leads to.
    """

    def __init__(self, size: int, may_dial: MayDial | None = None) -> None:
        self._pools: dict[str, Any] = {"http": _Pool, "https": _TLSPool}
        if may_dial is not None:
            self._pools = {"http": _guarded(_Pool, may_dial), "https": _guarded(_TLSPool, may_dial)}
        super().__init__(pool_connections=4, pool_maxsize=size, max_retries=0, pool_block=False)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Called by `requests`; puts our connections into its pools."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools


def _guarded(pool: Any, may_dial: MayDial) -> Any:
    """`pool` with connections that resolve once, ask, and dial just an address they asked about."""

    class Connection(pool.ConnectionCls):  # type: ignore[misc]  # the pool's own
        _dns_host: str

        def _new_conn(self) -> socket.socket:
            name = self._dns_host
            try:
                found = socket.getaddrinfo(name, self.port, type=socket.SOCK_STREAM)
            except OSError as exc:
                raise NewConnectionError(self, "the name leads nowhere") from exc
            addresses = [str(entry[4][0]) for entry in found]
            if not all(map(may_dial, addresses)):
                raise ForbiddenAddress(self, "the name leads to an address that may not be called")
            try:
                # What TLS and the Host header say stays the name.
                self._dns_host = addresses[0]
                return super()._new_conn()  # type: ignore[no-any-return]  # the pool's own
            finally:
                self._dns_host = name

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


def new_session(*, pool_size: int, may_dial: MayDial | None = None) -> requests.Session:
    """A session for `exchange`; it ignores the environment, as a netrc would replace the key."""
    session = requests.Session()
    session.trust_env = False
    # Callers share it: a cookie set for one would go out with the key of another.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = DeadlineAdapter(pool_size, may_dial)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> int | None:
    """`Retry-After` in whole seconds, at least 1, from either of its forms; null where it has none."""
    text = headers.get("Retry-After", "").strip()
    try:
        if text[-3:].isalpha():
            seconds = max((parsedate_to_datetime(text) - now).total_seconds(), 0.0)
        else:
            seconds = float(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return max(math.ceil(seconds), 1) if 0 <= seconds < math.inf else None


def exchange(
    session: requests.Session,
    request: requests.Request,
    *,
    deadline_seconds: float,
    max_bytes: int,
    cut: bool = False,
) -> Reply:
    """Sends `request` and reads the whole answer within `deadline_seconds`.

    Redirects come back as they are. A longer answer is `TooLarge`, or is `cut` where nobody needs
    it whole. Raises an `ExchangeError` by what may have happened.
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
            body = read_bounded(_chunks(response), max_bytes, cut=cut)
        return Reply(response.status_code, response.headers, body)
    except (requests.ConnectTimeout, requests.exceptions.ProxyError) as exc:
        raise NotSent("no connection could be made") from exc
    except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) as exc:
        raise TimedOut("no complete answer before the deadline") from exc
    except requests.ConnectionError as exc:
        raise _connection_failure(exc) from exc
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as exc:
        raise Broken("the answer broke off or could not be read") from exc


def read_bounded(chunks: Iterable[bytes], max_bytes: int, *, cut: bool = False) -> bytes:
    """Joins `chunks`; as soon as they exceed `max_bytes`, raises `TooLarge`, or stops to `cut` them."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > max_bytes:
            if cut:
                break
            raise TooLarge(f"the answer is larger than {max_bytes} bytes")
    return bytes(body[:max_bytes])


def _chunks(response: requests.Response) -> Iterable[bytes]:
    while chunk := response.raw.read(CHUNK_BYTES, decode_content=True):
        yield chunk


def _connection_failure(exc: requests.ConnectionError) -> ExchangeError:
    cause = exc.args[0] if exc.args else None
    reason = getattr(cause, "reason", cause)
    if isinstance(reason, ForbiddenAddress):
        return Forbidden("the address may not be called")
    if isinstance(reason, NewConnectionError):
        return NotSent("the connection was refused")
    # A certificate is judged before anything is sent.
    if isinstance(next(iter(getattr(reason, "args", ())), None), ssl.SSLCertVerificationError):
        return NotSent("the other side could not prove who it is")
    return Broken("the connection broke off before an answer came")

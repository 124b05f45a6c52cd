"""One HTTP exchange under a total deadline, with a bounded answer. Never redirects, never retries.

`requests` limits the time of each read, so a server that drips one byte a second
is never cut off. Here the whole answer, status line and headers included, has one
end; and a body is read up to a limit, however long it claims to be.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy

import requests
import urllib3
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util import Timeout

from wire.transport import DeadlineAdapter, ForbiddenAddress, MayDial

CONNECT_TIMEOUT_SECONDS = 5.0
CHUNK_BYTES = 64 * 1024
# A week: nobody waits longer, and time can be reckoned with it.
MAX_RETRY_AFTER_SECONDS = 7 * 24 * 3600


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


class TimedOut(ExchangeError):
    """The deadline passed; the other side may have acted."""


class Broken(ExchangeError):
    """The answer broke off or was not HTTP; the other side may have acted."""


class TooLarge(ExchangeError):
    """The answer is longer than the caller is willing to read."""


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
    """`Retry-After` in whole seconds, 1 to a week, from either of its forms; null where it has none."""
    text = headers.get("Retry-After", "").strip()
    try:
        if text[-3:].isalpha():
            seconds = max((parsedate_to_datetime(text) - now).total_seconds(), 0.0)
        else:
            seconds = float(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if not 0 <= seconds < math.inf:
        return None
    return max(math.ceil(min(seconds, MAX_RETRY_AFTER_SECONDS)), 1)


def exchange(
    session: requests.Session,
    request: requests.Request,
    *,
    deadline_seconds: float,
    max_bytes: int,
    cut: bool = False,
) -> Reply:
    """Sends `request` and reads the whole answer within `deadline_seconds`.

    Redirects come back as they are. A longer answer is `TooLarge`. Where nobody needs it whole it
    is `cut`: its status counts, however its body ends. Raises an `ExchangeError` by what may have
    happened.
    """
    if deadline_seconds <= 0:
        raise TimedOut("the deadline passed before the request was sent")
    timeout = Timeout(
        total=deadline_seconds, connect=min(CONNECT_TIMEOUT_SECONDS, deadline_seconds)
    )
    try:
        prepared = _prepared(session, request)
        # Its transport itself: a session would look for cookies, redirects and hooks around it.
        response = session.get_adapter(str(prepared.url)).send(
            prepared,
            stream=True,
            timeout=timeout,  # type: ignore[arg-type]  # the stubs leave urllib3's own kind out
            verify=True if session.verify is None else session.verify,
        )
        with response:
            if cut:
                return Reply(response.status_code, response.headers, _start(response, max_bytes))
            body = read_bounded(_chunks(response), max_bytes)
        return Reply(response.status_code, response.headers, body)
    except ForbiddenAddress as exc:
        raise Forbidden("the address may not be called") from exc
    except (NewConnectionError, ConnectTimeoutError) as exc:
        raise NotSent("no connection could be made") from exc
    except (urllib3.exceptions.TimeoutError, TimeoutError) as exc:
        raise TimedOut("no complete answer before the deadline") from exc
    except urllib3.exceptions.SSLError as exc:
        raise _tls_failure(exc) from exc
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as exc:
        raise Broken("the answer broke off or could not be read") from exc


def _prepared(session: requests.Session, request: requests.Request) -> requests.PreparedRequest:
    """`request` as it goes out, with what the session says of itself, and nothing from a jar or a netrc."""
    prepared = requests.PreparedRequest()
    prepared.prepare_method(request.method)
    prepared.url = _normal(request.url)
    prepared.prepare_headers({**session.headers, **request.headers})
    prepared.prepare_body(request.data, None, request.json)
    return prepared


@lru_cache(maxsize=256)
def _normal(url: str) -> str:
    """`url` as it is asked for; to take one apart costs more than to put the rest of a request together."""
    prepared = requests.PreparedRequest()
    prepared.prepare_url(url, None)
    return str(prepared.url)


def read_bounded(chunks: Iterable[bytes], max_bytes: int) -> bytes:
    """Joins `chunks`; raises `TooLarge` as soon as they exceed `max_bytes`."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > max_bytes:
            raise TooLarge(f"the answer is larger than {max_bytes} bytes")
    return bytes(body)


def _start(response: requests.Response, max_bytes: int) -> bytes:
    """What came of the body, as it came; empty where it broke off."""
    try:
        return response.raw.read(max_bytes, decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        return b""


def _chunks(response: requests.Response) -> Iterable[bytes]:
    while chunk := response.raw.read(CHUNK_BYTES, decode_content=True):
        yield chunk


def _tls_failure(exc: urllib3.exceptions.SSLError) -> ExchangeError:
    # A certificate is judged before anything is sent.
    if isinstance(next(iter(exc.args), None), ssl.SSLCertVerificationError):
        return NotSent("the other side could not prove who it is")
    return Broken("the connection broke off before an answer came")

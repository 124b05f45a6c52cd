"""The id that a request, or a look of a worker, gives to all that follows from it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from connector.domain.masking import masked

HEADER: Final = "X-Request-ID"
_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
_CURRENT: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)


def request_id() -> str | None:
    """The id of what this thread, or this greenlet, does just now; null where it does nothing."""
    return _CURRENT.get()


@contextmanager
def under(given: str | None = None) -> Iterator[None]:
    """Does the block under the id `given`, or else a new one.

    Threads that the block starts know nothing of it: what they do carries its id with it.
    """
    token = _CURRENT.set(given or uuid.uuid4().hex)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def outgoing() -> dict[str, str]:
    """The header that tells others the id; none where there is none."""
    current = request_id()
    return {HEADER: current} if current else {}


def harmless(given: str) -> str | None:
    """`given`, where it may stand in a log and a header as it is; null also where it may be a key."""
    # A webhook's token may be put there by mistake.
    return given if _ID.fullmatch(given) and masked(given) == given else None

"""Sending a request twice and having it done once: what is remembered by its Idempotency-Key."""

from __future__ import annotations

import hashlib
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

REMEMBERED: Final = timedelta(hours=24)
_MAY_COST: Final[ContextVar[bool]] = ContextVar("may_cost", default=False)


def begins() -> None:
    """This thread begins a request, as it may have done others before."""
    _MAY_COST.set(False)


def may_cost() -> None:
    """From now on what this thread does may cost something, however it ends."""
    _MAY_COST.set(True)


def may_have_cost() -> bool:
    """Whether to do the request again may cost the same twice, where its answer doesn't say so."""
    return _MAY_COST.get()


@dataclass(frozen=True)
class Attempt:
    """One request with a key. `id` stands for whose it is and the key, `fingerprint` for what is asked."""

    id: str
    fingerprint: str
    connection_id: str

    @classmethod
    def of(cls, whose: str, key: str, request: bytes, *, connection_id: str) -> Attempt:
        """The attempt of `whose` to do `request`, which is all that tells it from others."""
        named = hashlib.sha256(f"{whose} {key}".encode()).hexdigest()
        return cls(named, hashlib.sha256(request).hexdigest(), connection_id)


@dataclass(frozen=True)
class Claim:
    """An attempt that is ours to do."""

    attempt: Attempt
    token: str


@dataclass(frozen=True)
class Remembered:
    """What was answered before, `sealed`; without a status it is still being done, until `busy_until`."""

    fingerprint: str
    status: int | None
    sealed: str | None = field(repr=False)
    busy_until: datetime


@dataclass(frozen=True)
class Replayed:
    """The answer to the first of several requests with one key."""

    status: int
    body: str = field(repr=False)

"""Sending a request twice and having it done once: what is remembered by its Idempotency-Key."""

from __future__ import annotations

import hashlib
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

REMEMBERED: Final = timedelta(hours=24)


@dataclass(eq=False)
class Effect:
    """Whether a request may have `begun` to cost or change something, however it ends.

    By its `claim` nobody else does the same.
    """

    claim: Claim | None = None
    begun: bool = False

    def begins(self) -> None:
        """From now on, to do the request again may cost or change the same twice."""
        self.begun = True

    def came_to_nothing(self) -> None:
        """Whoever asked has nothing of what was done so far: it is better done again."""
        self.begun = False


_EFFECT: Final[ContextVar[Effect | None]] = ContextVar("effect", default=None)


def begins(claim: Claim | None = None) -> None:
    """This thread begins a request, as it may have done others before."""
    _EFFECT.set(Effect(claim))


def effect() -> Effect:
    """That of what this thread does. To be asked there: another may carry it out."""
    return _EFFECT.get() or Effect()


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
    """What was answered before, `sealed`; without a status it is being done, or its answer was lost."""

    fingerprint: str
    status: int | None
    sealed: str | None = field(repr=False)
    began_at: datetime


@dataclass(frozen=True)
class Replayed:
    """The answer to the first of several requests with one key."""

    status: int
    body: str = field(repr=False)

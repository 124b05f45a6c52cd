"""Sending a request twice and having it done once: what is remembered by its Idempotency-Key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

REMEMBERED: Final = timedelta(hours=24)


@dataclass(frozen=True)
class Attempt:
    """One request with a key. `id` stands for connection and key, `fingerprint` for what is asked."""

    id: str
    fingerprint: str

    @classmethod
    def of(cls, connection_id: str, key: str, request: bytes) -> Attempt:
        """The attempt of a connection to do `request`, which is all that tells it from others."""
        named = hashlib.sha256(f"{connection_id} {key}".encode()).hexdigest()
        return cls(named, hashlib.sha256(request).hexdigest())


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

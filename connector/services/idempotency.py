"""Requests with an Idempotency-Key: done once, answered as often as they are sent.

Remembered is what has been done, or may have been paid for or changed something. What failed without
that is forgotten at once, so that the same key tries again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from connector.domain.errors import IdempotencyKeyBusy, IdempotencyKeyReused, Unreadable
from connector.domain.idempotency import Attempt, Claim, Replayed
from connector.domain.ports import Clock, IdempotencyStore, Vault

# Longer than any platform waits, so that a claim ends by itself only when its holder died.
LEASE: Final = timedelta(minutes=2)
_LOST: Final = (
    "The first request with this key was carried out, but its answer was lost. See what there is before"
    " you send it again with another key."
)
_UNREADABLE: Final = "The answer to the first request with this key can't be read any more."


@dataclass(frozen=True, kw_only=True)
class Idempotency:
    """Claims and remembers attempts. Answers are kept sealed, since some hold secrets."""

    store: IdempotencyStore
    vault: Vault
    clock: Clock

    def begin(self, attempt: Attempt) -> Claim | Replayed:
        """A claim to do it, or what was answered when it was done.

        Raises `IdempotencyKeyReused` where the key was for another request, or its answer was lost or can't
        be read any more, and `IdempotencyKeyBusy` while it is being done.
        """
        now = self.clock.now()
        if token := self.store.claim(attempt, now, lease=LEASE):
            return Claim(attempt, token)
        known = self.store.known(attempt.id)
        if known is None:
            # It has just failed without cost, or become too old.
            raise IdempotencyKeyBusy(retry_after_seconds=1)
        if known.fingerprint != attempt.fingerprint:
            raise IdempotencyKeyReused
        if known.status is None or known.sealed is None:
            # It could be claimed by now if it had not taken effect.
            if known.began_at + LEASE <= now:
                raise IdempotencyKeyReused(_LOST)
            raise IdempotencyKeyBusy(retry_after_seconds=1)
        try:
            return Replayed(known.status, self.vault.open(known.sealed))
        except Unreadable as exc:
            raise IdempotencyKeyReused(_UNREADABLE) from exc

    def remember(self, claim: Claim, status: int, body: str) -> None:
        """Keeps the answer for a day."""
        self.store.finish(claim, status, self.vault.seal(body))

    def forget(self, claim: Claim) -> None:
        """Lets the same key try again."""
        self.store.release(claim)

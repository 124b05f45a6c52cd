"""Delivering events: one try, and what follows from it. Nothing here looks at a profile, or pays."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from connector.domain.deliveries import ClaimedDelivery, Outcome, Verdict, judge, signing
from connector.domain.errors import InvalidInput, Unreadable
from connector.domain.masking import HIDDEN, masked, masked_address
from connector.domain.ports import Clock, DeliveryStore, Sender, Vault
from connector.domain.targets import checked_target
from connector.domain.trace import under

log = logging.getLogger(__name__)

# Longer than the longest try, so that a claim ends by itself only when its holder died.
LEASE: Final = timedelta(seconds=60)
_UNEXPECTED: Final = Outcome(None, "The try failed unexpectedly.")


@dataclass(frozen=True, kw_only=True)
class Courier:
    """Tries claimed deliveries. `random` gives numbers from 0 up to 1; `allow_local` is for trials."""

    store: DeliveryStore
    sender: Sender
    vault: Vault
    clock: Clock
    random: Callable[[], float]
    allow_local: bool

    def deliver(self, delivery: ClaimedDelivery) -> None:
        """One try. Completed only after it, so that a crash in between tries again, with the same id."""
        with under(delivery.request_id):
            self._deliver(delivery)

    def _deliver(self, delivery: ClaimedDelivery) -> None:
        began = self.clock.monotonic()
        outcome = self._outcome(delivery)
        milliseconds = round(1000 * (self.clock.monotonic() - began))
        now = self.clock.now()
        outcome, verdict = self._judged(delivery, outcome, now)
        # Said before it is kept: what was sent was sent, also where its claim was lost.
        log.info(
            "delivery tried",
            extra={
                "delivery_id": delivery.sequence,
                "outcome": verdict.state,
                "status": outcome.status,
                "problem": outcome.error,
                "milliseconds": milliseconds,
                "attempt": delivery.attempt + 1,
                "target": masked_address(delivery.target_url),
            },
        )
        self.store.complete(delivery, outcome, verdict, now, milliseconds=milliseconds)

    def _outcome(self, delivery: ClaimedDelivery) -> Outcome:
        now = self.clock.now()
        try:
            secrets = json.loads(self.vault.open(delivery.sealed_secrets))
            outcome = self.sender.send(
                # Judged again: it may stem from a trial that is over.
                target_url=checked_target(delivery.target_url, allow_local=self.allow_local),
                body=delivery.body,
                webhook_id=delivery.webhook_id,
                secrets=signing(secrets, delivery.rotated_at, now),
                now=now,
            )
            return _discreet(outcome, secrets)
        except InvalidInput as exc:
            return Outcome(None, exc.message)
        except Unreadable:
            return Outcome(None, "The stored signing secret can't be read any more.")
        except Exception:
            log.exception("delivery failed", extra={"delivery_id": delivery.sequence})
            return _UNEXPECTED

    def _judged(
        self, delivery: ClaimedDelivery, outcome: Outcome, now: datetime
    ) -> tuple[Outcome, Verdict]:
        """What follows from the outcome; whatever a receiver says, its try is counted."""
        try:
            return outcome, judge(delivery, outcome, now, random=self.random)
        except Exception:
            log.exception("judging a try failed", extra={"delivery_id": delivery.sequence})
            return _UNEXPECTED, judge(delivery, _UNEXPECTED, now, random=self.random)


def _discreet(outcome: Outcome, secrets: Sequence[str]) -> Outcome:
    """The outcome as it may be kept: a receiver may repeat what it was sent with."""
    answer = outcome.answer
    if answer is None:
        return outcome
    for secret in secrets:
        answer = answer.replace(secret.removeprefix("whsec_"), HIDDEN)
    return replace(outcome, answer=masked(answer))

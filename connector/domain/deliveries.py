"""Delivering an event: what an answer means, and when to try again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

PENDING: Final = "pending"
DELIVERED: Final = "delivered"
DEAD: Final = "dead"

# After the previous try; ten tries in all, over about 75 hours.
SCHEDULE: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
JITTER: Final = 0.2
# So long a receiver may take to learn its new secret.
BOTH_SIGN: Final = timedelta(hours=24)
GIVE_UP_AFTER: Final = timedelta(days=5)
# An endpoint that is busy is left alone as a whole: as long as it asks for, within an hour.
THROTTLED_AT_MOST: Final = timedelta(hours=1)
_THROTTLED: Final = (429, 502, 504)
# In characters: enough for a sentence on what was wrong.
MAX_ANSWER: Final = 1000


@dataclass(frozen=True)
class Outcome:
    """What a try brought: an HTTP status, or a sentence on why there was none.

    `answer` is the beginning of the body; it is foreign, and may repeat whatever it was sent.
    """

    status: int | None
    error: str | None = None
    retry_after_seconds: int | None = None
    answer: str | None = field(default=None, repr=False)

    @property
    def delivered(self) -> bool:
        """Only 2xx is success; a redirect is a failure, and never followed."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """The receiver wants no more: what Zapier and Make answer after an unsubscribe."""
        return self.status == 410

    @property
    def throttled(self) -> bool:
        """The receiver is busy, with whatever is sent to it."""
        return self.status in _THROTTLED


@dataclass(frozen=True)
class ClaimedDelivery:
    """A delivery that is ours until its lease ends. `attempt` counts the tries before this one."""

    sequence: int
    token: str
    subscription_id: str
    webhook_id: str
    target_url: str
    sealed_secrets: str = field(repr=False)
    body: bytes = field(repr=False)
    attempt: int
    first_failure_at: datetime | None
    rotated_at: datetime | None = None
    request_id: str | None = None


@dataclass(frozen=True)
class DeliveryState:
    """How a delivery stands, for whoever asks."""

    id: int
    subscription_id: str
    trigger: str
    event_id: str
    state: str
    attempts: int
    due_at: datetime
    last_status: int | None
    last_error: str | None
    request_id: str | None


@dataclass(frozen=True)
class Verdict:
    """What becomes of a delivery, and of its subscription where `disable` says why."""

    state: str
    due_at: datetime
    disable: str | None = None
    throttled_until: datetime | None = None


@dataclass(frozen=True)
class Try:
    """One try of a delivery, as it is kept."""

    tried_at: datetime
    milliseconds: int
    status: int | None
    error: str | None
    answer: str | None = field(repr=False)


@dataclass(frozen=True)
class KeptDelivery:
    """A delivery with what is sent, where to, and its newest tries, the newest first."""

    state: DeliveryState
    target_url: str = field(repr=False)
    webhook_id: str
    body: Mapping[str, Any] = field(repr=False)
    tries: Sequence[Try]


def beginning_of(body: bytes) -> str | None:
    """The first characters of an answer's body; what is no text is replaced. Null where it is empty."""
    # The longest character of UTF-8 has four bytes; one that is cut in half is beyond the others.
    text = body[: 4 * MAX_ANSWER].decode("utf-8", "replace").replace("\0", "\ufffd")
    return text[:MAX_ANSWER] or None


def judge(
    delivery: ClaimedDelivery, outcome: Outcome, now: datetime, *, random: Callable[[], float]
) -> Verdict:
    """What follows from `outcome`; `random` gives numbers from 0 up to 1."""
    if outcome.delivered:
        return Verdict(DELIVERED, now)
    if outcome.gone:
        return Verdict(DEAD, now, disable="The receiver answered 410: it wants no more.")
    failing_since = delivery.first_failure_at or now
    if now - failing_since >= GIVE_UP_AFTER:
        return Verdict(DEAD, now, disable="Nothing but failures for 5 days.")
    pause = next_pause(delivery.attempt, outcome.retry_after_seconds, random=random)
    if pause is None:
        return Verdict(DEAD, now)
    asked = timedelta(seconds=outcome.retry_after_seconds or 0)
    until = now + min(max(asked, SCHEDULE[0]), THROTTLED_AT_MOST)
    return Verdict(PENDING, now + pause, throttled_until=until if outcome.throttled else None)


def signing(secrets: Sequence[str], rotated_at: datetime | None, now: datetime) -> Sequence[str]:
    """Which of `secrets`, the newest first, sign at `now`: for a day after a rotation, the last two."""
    both = rotated_at is not None and now - rotated_at < BOTH_SIGN
    return secrets[: 2 if both else 1]


def next_pause(
    attempt: int, retry_after_seconds: int | None, *, random: Callable[[], float]
) -> timedelta | None:
    """How long to wait after try number `attempt` (from 0) failed; null when it was the last.

    What the receiver asks for counts, from the step of the schedule up to twice of it.
    """
    if attempt >= len(SCHEDULE):
        return None
    step = SCHEDULE[attempt]
    if retry_after_seconds is not None:
        return min(max(timedelta(seconds=retry_after_seconds), step), 2 * step)
    return step * (1 + JITTER * (2 * random() - 1))

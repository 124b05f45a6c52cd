"""Counting credits: by connection, by day in UTC, and by what asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from connector.domain.answers import CREDITS_PER_LOOKUP
from connector.domain.errors import MAYBE_CHARGED, ConnectorError


@dataclass(frozen=True)
class Asked:
    """What spends: a connection, on a day, for an action's or search's key, or for watching."""

    connection_id: str
    day: str
    what: str


@dataclass(frozen=True)
class Spent:
    """Credits: charged, not charged as the profile was known, and perhaps charged."""

    credits: int = 0
    saved: int = 0
    unsure: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.credits + other.credits, self.saved + other.saved, self.unsure + other.unsure
        )

    def __mul__(self, times: int) -> Spent:
        return Spent(self.credits * times, self.saved * times, self.unsure * times)


PAID: Final = Spent(credits=CREDITS_PER_LOOKUP)
SAVED: Final = Spent(saved=CREDITS_PER_LOOKUP)


def day_of(now: datetime) -> str:
    """The day of `now`, which is in UTC."""
    return now.strftime("%Y-%m-%d")


def day_after(day: str) -> str:
    """The next one, as `day_of` writes them."""
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def spent_on(error: ConnectorError) -> Spent:
    """What a failed look-up may have cost."""
    return Spent(unsure=CREDITS_PER_LOOKUP) if isinstance(error, MAYBE_CHARGED) else Spent()

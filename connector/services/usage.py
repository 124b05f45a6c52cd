"""The meter: what look-ups cost, what they saved, and when a key has spent enough for a day."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from threading import Lock
from typing import Any, Final

from connector.domain.answers import CREDITS_PER_LOOKUP, RateLimit, Result
from connector.domain.callers import Caller
from connector.domain.errors import MAYBE_CHARGED, BudgetExceeded, ConnectorError, InvalidInput
from connector.domain.idempotency import effect
from connector.domain.platforms import PLATFORMS
from connector.domain.ports import Clock, Profiles, UsageStore
from connector.domain.usage import PAID, SAVED, Asked, Spent, day_of, spent_on
from schemas.usage import Usage

log = logging.getLogger(__name__)
_USAGE: Final = Usage()
# What was saved is written now and then: a killed process loses so much of a statistic, and no credit.
_FLUSH_SECONDS: Final = 5.0
# Longer than any chart; what is kept for less is zero before.
MAX_DAYS: Final = 366


@dataclass(kw_only=True)
class Meter:
    """Counts for all connections. `daily_budget` is in credits for each, null for no limit."""

    store: UsageStore
    clock: Clock
    daily_budget: int | None
    _saved: dict[Asked, Spent] = field(default_factory=dict)
    _flushed_at: float = float("-inf")
    _lock: Lock = field(default_factory=Lock)

    def asked(self, caller: Caller, what: str) -> Asked:
        """What `caller` spends now, for `what`."""
        return Asked(caller.connection, day_of(self.clock.now()), what)

    def _begin(self, asked: Asked) -> None:
        """Sets the price of a look-up aside. Raises `BudgetExceeded` before it is overspent."""
        if self.daily_budget is None:
            return
        if not self.store.set_aside(asked, CREDITS_PER_LOOKUP, budget=self.daily_budget):
            raise BudgetExceeded.of("This API key", self.daily_budget)

    @contextmanager
    def paying(self, asked: Asked) -> Iterator[None]:
        """Around a call of the upstream: within the day's budget, and its failures counted."""
        self._begin(asked)
        effect().begins()
        try:
            yield
        except ConnectorError as error:
            with all_the_same("what a failed look-up cost"):
                self._failed(asked, error)
            raise

    def paid(self, asked: Asked) -> None:
        """Counts a look-up that was charged, whose answer is not kept."""
        with all_the_same("what a look-up cost"):
            self.store.count({asked: PAID})

    def _failed(self, asked: Asked, error: ConnectorError) -> None:
        """Counts what a failure may have cost; what it has not is there again."""
        if self.daily_budget is not None and not isinstance(error, MAYBE_CHARGED):
            self.store.give_back(asked, CREDITS_PER_LOOKUP)
        if (spent := spent_on(error)) != Spent():
            self.store.count({asked: spent})

    def saved(self, asked: Asked) -> None:
        """Counts a look-up that cost nothing, as the profile was known."""
        with self._lock:
            self._saved[asked] = self._saved.get(asked, Spent()) + SAVED
            now = self.clock.monotonic()
            if now - self._flushed_at < _FLUSH_SECONDS:
                return
            self._flushed_at = now
        self.flush()

    def flush(self) -> None:
        """Writes what was saved so far."""
        with self._lock:
            saved, self._saved = self._saved, {}
        if saved:
            self.store.count(saved)


@contextmanager
def all_the_same(what: str) -> Iterator[None]:
    """Around keeping `what` follows from a call of the upstream: whoever asked is answered anyhow."""
    try:
        yield
    except Exception:
        log.exception("%s could not be kept", what)


@dataclass(frozen=True, kw_only=True)
class UsageReport:
    """Answers what a key has spent. `watching_budget` is in credits a day."""

    meter: Meter
    profiles: Profiles
    watching_budget: int

    def of(self, caller: Caller, *, what: str | None = None) -> Result:
        """Today and this month, in all and by what asked, or only by `what`.

        Raises `InvalidApiKey` for a bad key.
        """
        limit = self._check_key(caller)
        self.meter.flush()
        today = day_of(self.meter.clock.now())
        counted = self.meter.store.counted(caller.connection, month=today[:7])
        if what:
            counted = {what: counted.get(what, {})}
        items = [
            {"what": asked, **_credits(days, today)}
            for asked, days in sorted(counted.items(), key=_dearest_first)
        ]
        every = [spent for days in counted.values() for spent in days.items()]
        value = {
            "id": caller.connection_id,
            **_credits(_by_day(every), today),
            "daily_budget": self.meter.daily_budget,
            "watching_budget": self.watching_budget,
            "items": items,
        }
        return Result(_USAGE.dump(value), limit)

    def by_day(self, caller: Caller, *, days: int = 30) -> dict[str, Any]:
        """The last `days` days in UTC, oldest first, what they were in all `by_platform`, and the budget.

        Over all platforms on which the key is used. Raises `InvalidApiKey` for a bad key.
        """
        if not 1 <= days <= MAX_DAYS:
            raise InvalidInput(f"days: Must be from 1 to {MAX_DAYS}.")
        if not caller.signed_in:
            self._check_key(caller)
        self.meter.flush()
        now = self.meter.clock.now()
        shown = [day_of(now - timedelta(days=ago)) for ago in reversed(range(days))]
        platforms = {replace(caller, platform=p).connection: p.key for p in PLATFORMS}
        counted = self.meter.store.counted_since(platforms, shown[0])
        totals = dict.fromkeys(platforms.values(), Spent())
        by: dict[str, dict[str, Spent]] = {day: {} for day in shown}
        for asked, spent in counted.items():
            totals[platforms[asked.connection_id]] += spent
            on_day = by.setdefault(asked.day, {})
            on_day[asked.what] = on_day.get(asked.what, Spent()) + spent
        return {
            "days": [_day(day, by[day]) for day in shown],
            "daily_budget": self.meter.daily_budget,
            "by_platform": {key: asdict(spent) for key, spent in totals.items()},
        }

    def _check_key(self, caller: Caller) -> RateLimit:
        return self.profiles.check_key(
            api_key=caller.api_key,
            request_source=caller.platform.request_source,
            deadline=caller.deadline,
        )


def _day(day: str, by: Mapping[str, Spent]) -> dict[str, Any]:
    credits = {what: spent.credits for what, spent in by.items() if spent.credits}
    return {"day": day, **asdict(sum(by.values(), Spent())), "by": credits}


def _by_day(every: list[tuple[str, Spent]]) -> dict[str, Spent]:
    days: dict[str, Spent] = {}
    for day, spent in every:
        days[day] = days.get(day, Spent()) + spent
    return days


def _credits(days: Mapping[str, Spent], today: str) -> dict[str, Any]:
    month, now = sum(days.values(), Spent()), days.get(today, Spent())
    return {
        "credits_today": now.credits,
        "credits_this_month": month.credits,
        "saved_today": now.saved,
        "saved_this_month": month.saved,
        "unsure_this_month": month.unsure,
    }


def _dearest_first(item: tuple[str, Mapping[str, Spent]]) -> tuple[int, str]:
    what, days = item
    return -sum(spent.credits for spent in days.values()), what

"""Looking at watched profiles: one paid look, all that follows from it kept at once, then the next.

A look that fails changes nothing of what is known, and is tried again; what it may have cost
counts against the day's budget.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connector.domain.answers import CREDITS_PER_LOOKUP
from connector.domain.callers import Caller
from connector.domain.errors import (
    MAYBE_CHARGED,
    BudgetExceeded,
    ConnectorError,
    InsufficientCredits,
    InvalidApiKey,
    ProfileNotFound,
)
from connector.domain.events import Event, events_between
from connector.domain.portraits import Portrait, missed, seen
from connector.domain.ports import Clock, Vault, Wakeups, WatchStore
from connector.domain.subscriptions import ClaimedWatch, Look, Terms
from connector.domain.trace import request_id, under
from connector.domain.usage import day_of
from connector.services.lookups import Lookups
from connector.services.owners import as_error, owner_of
from schemas.usage import WATCHING

log = logging.getLogger(__name__)
# Longer than the longest look, so that a claim ends by itself only when its holder died.
LEASE: Final = timedelta(seconds=90)
JITTER: Final = 0.1
_FRESH_SECONDS: Final = 60
_RETRY: Final = timedelta(minutes=1)
_NO_CREDITS: Final = timedelta(hours=1)
# Asking with a key that is refused costs nothing, and it may be good again: twice as long each time.
_REFUSED: Final = timedelta(hours=1)
_LONGEST_REFUSED: Final = timedelta(days=1)


@dataclass(frozen=True)
class _Told:
    """What became of a look. `credits` are null where nobody knows what it cost."""

    outcome: str | None = None
    error: ConnectorError | None = None
    credits: int | None = 0


@dataclass(frozen=True, kw_only=True)
class Watcher:
    """Looks at claimed watches. `random` gives numbers from 0 up to 1; `daily_budget` is in credits."""

    store: WatchStore
    lookups: Lookups
    vault: Vault
    wakeups: Wakeups
    clock: Clock
    random: Callable[[], float]
    daily_budget: int

    def look(self, watch: ClaimedWatch, caller: Caller | None = None) -> ConnectorError | None:
        """Looks at the profile and keeps what follows; answers what went wrong, if anything did.

        With the key and the time of a `caller` who waits, else with the key that is kept. Never
        raises: a watch that could not be looked at is put off, with the reason.
        """
        # A poll looks under its own id, a worker under a new one for each look.
        with under(request_id()):
            began = self.clock.monotonic()
            told = self._look(watch, caller)
            log.info(
                "look",
                extra={
                    "watch_id": watch.id,
                    "handle": watch.handle,
                    "outcome": told.error.code if told.error else told.outcome,
                    "milliseconds": round(1000 * (self.clock.monotonic() - began)),
                    "credits": told.credits,
                },
            )
            return told.error

    def _look(self, watch: ClaimedWatch, caller: Caller | None) -> _Told:
        day = day_of(self.clock.now())
        if not self._set_aside(watch, day):
            error: ConnectorError = BudgetExceeded.of("Watching", self.daily_budget)
            self._put_off(watch, error)
            return _Told(error=error)
        try:
            portrait, paid = self._portrait(watch, caller)
        except Exception as exc:  # noqa: BLE001  # whatever it is, the watch must not be lost
            error = as_error(exc)
            unsure = isinstance(error, MAYBE_CHARGED)
            if not unsure:
                self.store.give_back(watch.connection_id, day, CREDITS_PER_LOOKUP)
            # One that we can't open is nobody's bad key.
            if isinstance(exc, InvalidApiKey):
                self._refuse(watch, exc)
            else:
                self._put_off(watch, error)
            return _Told(error=error, credits=None if unsure else 0)
        if not paid:
            self.store.give_back(watch.connection_id, day, CREDITS_PER_LOOKUP)
        self._keep(watch, portrait)
        return _Told(portrait.status, credits=CREDITS_PER_LOOKUP if paid else 0)

    def _set_aside(self, watch: ClaimedWatch, day: str) -> bool:
        return self.store.set_aside(
            watch.connection_id, day, CREDITS_PER_LOOKUP, budget=self.daily_budget
        )

    def _portrait(self, watch: ClaimedWatch, caller: Caller | None) -> tuple[Portrait, bool]:
        """The profile as it is now, and whether that was paid for."""
        caller = caller or owner_of(watch, vault=self.vault, clock=self.clock)
        # What an action has just looked up with this key costs nothing again, and the other way round.
        max_age_seconds = min(_FRESH_SECONDS, watch.interval_seconds // 2)
        try:
            found = self.lookups.fetch(
                watch.handle, caller, max_age_seconds=max_age_seconds, what=WATCHING
            )
        except ProfileNotFound:
            return missed(watch.portrait), False
        return seen(watch.portrait, found.row, self.clock.now()), not found.cached

    def _keep(self, watch: ClaimedWatch, portrait: Portrait) -> None:
        now = self.clock.now()
        interval = timedelta(seconds=watch.interval_seconds)
        spread = 1 + JITTER * (2 * self.random() - 1)

        def events_of(terms: Terms) -> Sequence[Event]:
            return events_between(terms.trigger, terms.inputs, watch.portrait, portrait, now)

        look = Look(portrait, events_of, now, now + interval * spread)
        self.wakeups.send("delivery", self.store.complete(watch, look) or [])

    def _refuse(self, watch: ClaimedWatch, error: InvalidApiKey) -> None:
        before = watch.attempt if watch.refused else 0
        pause = min(_REFUSED * 2 ** min(before, 10), _LONGEST_REFUSED)
        until = self.clock.now() + pause
        self.store.refuse(watch, until=until, attempt=before + 1, problem=error.message)

    def _pause(self, watch: ClaimedWatch, error: ConnectorError) -> timedelta:
        if isinstance(error, InsufficientCredits):
            return _NO_CREDITS
        if isinstance(error, BudgetExceeded):
            # The limit may be raised meanwhile.
            return min(_NO_CREDITS, _until_midnight(self.clock.now()))
        if error.retry_after_seconds is not None:
            return timedelta(seconds=error.retry_after_seconds)
        interval = timedelta(seconds=watch.interval_seconds)
        doubled: timedelta = _RETRY * 2 ** min(watch.attempt, 10)
        return min(doubled, max(interval, _RETRY))

    def _put_off(self, watch: ClaimedWatch, error: ConnectorError) -> None:
        until = self.clock.now() + self._pause(watch, error)
        self.store.put_off(watch, until=until, attempt=watch.attempt + 1, problem=error.message)


def _until_midnight(now: datetime) -> timedelta:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=1) - now

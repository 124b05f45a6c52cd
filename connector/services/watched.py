"""Watching for somebody who looks on: profiles begun, paused and ended by hand, and how they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from connector.domain.callers import Caller
from connector.domain.errors import InvalidInput, NotWatched
from connector.domain.events import IN_CONSOLE, id_prefix
from connector.domain.handles import normalise_handle
from connector.domain.ports import (
    Clock,
    SeriesStore,
    SubscriptionStore,
    Wakeups,
    WatchedStore,
    WatchStore,
)
from connector.domain.sentences import said_once
from connector.domain.usage import day_of
from connector.domain.watched import WatchedProfile, columns, most_credits_a_day
from connector.services.subscribing import Subscribing, terms_of
from schemas.inputs import MAX_INTERVAL_SECONDS

MAX_LISTED: Final = 200
MAX_POINTS: Final = 300
MAX_EVENTS: Final = 100
MAX_DAYS: Final = 3650

Shown = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class WatchedProfiles:
    """What a connection watches. `daily_budget` is in credits."""

    store: WatchedStore
    kept: SeriesStore
    watches: WatchStore
    subscriptions: SubscriptionStore
    subscribing: Subscribing
    wakeups: Wakeups
    clock: Clock
    daily_budget: int

    def listed(self, caller: Caller) -> list[Shown]:
        """The first 200 watched profiles, by handle."""
        found = self.store.listed(caller.connection, limit=MAX_LISTED)
        if not found:
            self.subscribing.rule_out_bad_key(caller)
        return [profile.shown() for profile in found]

    def one(self, handle: str, caller: Caller) -> Shown:
        """A watched profile. Raises `NotWatched`, also for what only others watch."""
        return self._found(handle, caller).shown()

    def watch(self, handle: str, caller: Caller, *, poll_interval_seconds: int | None) -> Shown:
        """The profile, which the console watches from now on; twice is no error, and costs nothing.

        Raises `InvalidHandle`, and `InvalidApiKey` before anything is kept for a bad key.
        """
        if not 1 <= (poll_interval_seconds or 1) <= MAX_INTERVAL_SECONDS:
            raise InvalidInput(f"poll_interval_seconds: Must be from 1 to {MAX_INTERVAL_SECONDS}.")
        inputs = {"handles": [handle], "poll_interval_seconds": poll_interval_seconds}
        terms = terms_of(IN_CONSOLE, inputs)
        interval = self.subscribing.interval_seconds(poll_interval_seconds)
        self.subscribing.connect(caller)
        now = self.clock.now()
        watching = self.store.watch(caller.connection, terms, interval_seconds=interval, now=now)
        self.wakeups.send("watch", self.watches.due_of(watching, now))
        return self.one(terms.handles[0], caller)

    def pause(self, handle: str, caller: Caller) -> Shown:
        """The profile, at which nobody looks until it is resumed. Raises `NotWatched`."""
        self.store.pause(caller.connection, normalise_handle(handle), self.clock.now())
        return self.one(handle, caller)

    def resume(self, handle: str, caller: Caller) -> Shown:
        """The profile, which is due where it was paused. Raises `NotWatched`."""
        name = normalise_handle(handle)
        due = self.store.resume(caller.connection, name, self.clock.now())
        if due is not None:
            self.wakeups.send("watch", [due])
        return self.one(name, caller)

    def stop(self, handle: str, caller: Caller) -> Shown:
        """`handle`, whether the console watched it (`stopped`), and what still does (`watched_by`).

        What was made elsewhere is ended there. Raises `NotWatched` where nothing watches it.
        """
        found = self._found(handle, caller)
        ended = [listener for listener in found.watched_by if listener.in_console]
        now = self.clock.now()
        for listener in ended:
            self.subscriptions.unsubscribe(caller.connection, listener.subscription_id, now)
        others = [listener.shown() for listener in found.watched_by if not listener.in_console]
        return {"handle": found.handle, "stopped": bool(ended), "watched_by": others}

    def series(self, handle: str, caller: Caller, *, days: int) -> Shown:
        """`looks`, a list for each count and for `seen_at`, and `events`, over the last `days` days.

        Looks are oldest first, at most 300; events newest first, at most 100. Times are Unix seconds.
        """
        since = self._since(days)
        found = self._found(handle, caller)
        looks = self.kept.looks(found.id, since=since, limit=MAX_POINTS)
        return {"looks": columns(looks), "events": self._events(found, since)}

    def _events(self, found: WatchedProfile, since: datetime) -> list[Shown]:
        if found.portrait is None:
            return []
        # A subscription may tell of other profiles, too.
        user_id = found.portrait.user_id
        told = self.kept.noticed(found.id, id_prefix(user_id), since=since, limit=MAX_EVENTS)
        about = [event for event in told if user_id or event.body["handle"] == found.handle]
        return list(said_once(about)[:MAX_EVENTS])

    def budget(self, caller: Caller) -> Shown:
        """Credits: `spent_today` by watching, its `daily_budget`, and what looks cost at most a day."""
        intervals = self.store.intervals(caller.connection)
        return {
            "spent_today": self.watches.spent(caller.connection, day_of(self.clock.now())),
            "daily_budget": self.daily_budget,
            "credits_a_day": sum(map(most_credits_a_day, intervals)),
        }

    def _since(self, days: int) -> datetime:
        if not 1 <= days <= MAX_DAYS:
            raise InvalidInput(f"days: Must be from 1 to {MAX_DAYS}.")
        return self.clock.now() - timedelta(days=days)

    def _found(self, handle: str, caller: Caller) -> WatchedProfile:
        name = normalise_handle(handle)
        found = self.store.find(caller.connection, name)
        if found is None:
            self.subscribing.rule_out_bad_key(caller)
            raise NotWatched(f"@{name} is not watched with this API key.")
        return found

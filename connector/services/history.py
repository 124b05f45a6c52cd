"""A profile's history, for whoever watches it; and the end of what has been kept for long enough."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from connector.domain.callers import Caller
from connector.domain.errors import NotWatched
from connector.domain.handles import normalise_handle
from connector.domain.idempotency import REMEMBERED
from connector.domain.jobs import KEPT
from connector.domain.ports import (
    Clock,
    HistoryStore,
    IdempotencyStore,
    JobStore,
    LookupStore,
    UsageStore,
)
from connector.domain.usage import day_of
from connector.services.subscribing import Subscribing
from schemas.history import HistoryRow
from schemas.inputs import MAX_AGE_SECONDS

_ROWS: Final = HistoryRow(many=True)
# A piece at a time, so that nobody waits for it.
BATCH: Final = 1000


@dataclass(frozen=True, kw_only=True)
class History:
    """Answers what was seen."""

    store: HistoryStore
    subscribing: Subscribing

    def of(
        self,
        handle: str,
        caller: Caller,
        *,
        since: datetime | None,
        until: datetime | None,
        limit: int,
        cursor: int | None,
    ) -> tuple[list[dict[str, Any]], int | None]:
        """The newest looks at a watched profile and, where there are more, the cursor to older ones.

        Raises `NotWatched`, also for what only others watch.
        """
        name = normalise_handle(handle)
        found = self.store.looks(
            caller.connection, name, since=since, until=until, before=cursor, limit=limit + 1
        )
        if found is None:
            self.subscribing.rule_out_bad_key(caller)
            raise NotWatched(_how_to_watch(name, caller.platform.key))
        rows: list[dict[str, Any]] = _ROWS.dump(found[:limit])
        return rows, found[limit - 1].id if len(found) > limit else None


@dataclass(frozen=True, kw_only=True)
class Forgetting:
    """Deletes what was kept for `days`, and answers that nobody can ask for any more."""

    store: HistoryStore
    lookups: LookupStore
    requests: IdempotencyStore
    usage: UsageStore
    jobs: JobStore
    clock: Clock
    days: int

    def run(self) -> int:
        """One piece of what is too old; how many looks and events it was."""
        now = self.clock.now()
        kept_since = now - timedelta(days=self.days)
        self.usage.forget(day_of(kept_since))
        self.lookups.forget(now - timedelta(seconds=MAX_AGE_SECONDS), limit=BATCH)
        self.requests.forget(now - REMEMBERED, limit=BATCH)
        self.jobs.forget(now - KEPT)
        return self.store.forget_before(kept_since, limit=BATCH)


def _how_to_watch(name: str, platform: str) -> str:
    return (
        f"@{name} is not watched with this API key. Watch it with"
        f" GET /{platform}/triggers/new_video?handles={name}, or with POST /{platform}/hooks."
    )

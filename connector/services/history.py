"""A profile's history, for whoever watches it; and the end of what has been kept for long enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from connector.domain.callers import Caller
from connector.domain.errors import NotWatched
from connector.domain.handles import normalise_handle
from connector.domain.idempotency import REMEMBERED
from connector.domain.jobs import KEPT
from connector.domain.ports import (
    AuditStore,
    Clock,
    ConnectionStore,
    DeliveryStore,
    HistoryStore,
    IdempotencyStore,
    JobStore,
    LookupStore,
    UsageStore,
    VisitStore,
)
from connector.domain.usage import day_of
from connector.services.deleting import Deleting
from connector.services.subscribing import Subscribing
from schemas.history import HistoryRow
from schemas.inputs import MAX_AGE_SECONDS

_ROWS: Final = HistoryRow(many=True)
# A piece at a time, so that nobody waits for it.
BATCH: Final = 1000
# Of a deletion that others have begun; as long as a second or so, every ten.
PIECES: Final = 20
# What watching spent counts until midnight, UTC: as long at least the key stays.
IDLE: Final = timedelta(days=2)
# A log that ends after a day answers nobody's question.
LEAST_AUDIT_DAYS: Final = 90


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
    """Deletes what was kept for `days`, and what nobody can ask for any more.

    What is on its way to a receiver that was disabled before it came ends as a dead letter.

    `elsewhere` deletes what is older than a moment in tables that are not the connector's.
    """

    store: HistoryStore
    lookups: LookupStore
    requests: IdempotencyStore
    usage: UsageStore
    jobs: JobStore
    visits: VisitStore
    connections: ConnectionStore
    deliveries: DeliveryStore
    audit_log: AuditStore
    deleting: Deleting
    elsewhere: Callable[[datetime], object]
    clock: Clock
    days: int

    def run(self) -> int:
        """One piece of what is too old, and of what is to go; how many looks and events it was."""
        now = self.clock.now()
        self.deleting.go_on(pieces=PIECES)
        self.deliveries.give_up(now, limit=BATCH)
        self.visits.forget(now, limit=BATCH)
        self.connections.forget_idle(now - IDLE, now, limit=BATCH)
        audited_since = now - timedelta(days=max(self.days, LEAST_AUDIT_DAYS))
        self.audit_log.forget(audited_since, limit=BATCH)
        self.elsewhere(now - timedelta(days=self.days))
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

"""A connector's watching put together for tests: a real database, a clock that is told the time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

import connector.watching as assembly
from connector.adapters.metrics import Metrics
from connector.adapters.wakeups import NoWakeups
from connector.config import Settings
from connector.databases import migrate
from connector.domain.answers import Answer, Page, RateLimit
from connector.domain.callers import Caller
from connector.domain.deadlines import Deadline
from connector.domain.deliveries import ClaimedDelivery, Outcome
from connector.domain.errors import ConnectorError, ProfileNotFound
from connector.domain.platforms import PLATFORMS
from connector.domain.ports import Due
from connector.domain.trace import request_id
from connector.outside import Outside
from wire.database import open_engine

Payload = dict[str, Any]
WHOLE_PAGE = Page(100)
LEASE = timedelta(seconds=60)


class ToldClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    def move(self, **by: float) -> None:
        self.time += timedelta(**by)


@dataclass
class ToldProfiles:
    """An upstream that answers what it is told, and remembers what it was asked, and under which id."""

    answers: dict[str, Payload | ConnectorError] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    bad_keys: dict[str, ConnectorError] = field(default_factory=dict)
    under: dict[str, str | None] = field(default_factory=dict)

    def call(self, body: Mapping[str, Any], *, api_key: str, deadline: Deadline) -> Answer:
        self.asked.append((body["handle"], body["requestSource"]))
        self.under[body["handle"]] = request_id()
        if api_key in self.bad_keys:
            raise self.bad_keys[api_key]
        answer = self.answers.get(body["handle"], ProfileNotFound())
        if isinstance(answer, ConnectorError):
            raise answer
        return Answer(answer, {}, RateLimit())

    def check_key(self, *, api_key: str, request_source: str, deadline: Deadline) -> RateLimit:
        if api_key in self.bad_keys:
            raise self.bad_keys[api_key]
        return RateLimit()


@dataclass(frozen=True)
class Sent:
    """One try, as the receiver would see it."""

    target_url: str
    body: Payload
    webhook_id: str
    under: str | None


@dataclass
class ToldReceivers:
    """Receivers that answer what they are told, by target; 200 unless told otherwise."""

    clock: ToldClock
    answers: dict[str, Outcome] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    takes_seconds: float = 0

    def send(
        self,
        *,
        target_url: str,
        body: bytes,
        webhook_id: str,
        secrets: Sequence[str],
        now: datetime,
    ) -> Outcome:
        assert secrets
        self.sent.append(Sent(target_url, json.loads(body), webhook_id, request_id()))
        self.clock.sleep(self.takes_seconds)
        return self.answers.get(target_url, Outcome(200))


class ToldWakeups(NoWakeups):
    """Remembers what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[Due, int]] = []

    def send(self, kind: Due, numbers: Sequence[int]) -> None:
        self.sent += [(kind, number) for number in numbers]


class OpenVault:
    """Seals nothing, so that tests can see what is kept."""

    def seal(self, secret: str) -> str:
        return f"sealed {secret}"

    def open(self, sealed: str) -> str:
        return sealed.removeprefix("sealed ")


def profile(name: str = "ada", *, videos: int = 2, **changes: Any) -> Payload:
    """The answer for a profile with `videos` videos, the newest last in time."""
    stats = {"followerCount": 1000, "videoCount": videos, **changes.pop("stats", {})}
    return {
        "user": {
            "id": f"id-{name}",
            "uniqueId": name,
            "nickname": name,
            "language": "en",
            **changes,
        },
        "stats": stats,
        "itemList": [
            {"id": f"{name}-v{n}", "createTime": 1_700_000_000 + n} for n in range(videos, 0, -1)
        ],
    }


class Watching(assembly.Watching):
    """The product's own parts on one migrated database, in a world that is told what to do."""

    def __init__(self, engine: Engine, **settings: Any) -> None:
        self.engine = engine
        clock = ToldClock()
        self.receivers = ToldReceivers(clock)
        outside = Outside(
            profiles=ToldProfiles(),
            sender=self.receivers,
            pictures=None,
            vault=OpenVault(),
            wakeups=ToldWakeups(),
            measure=Metrics(),
            forget_elsewhere=lambda _: None,
            clock=clock,
            random=lambda: 0.5,
        )
        super().__init__(Settings(**settings), engine, outside)

    def look(self) -> int:
        """Looks at every profile that is due for a receiver, as a worker does; how many there were."""
        due = self.stores.watches.claim_due(self.clock.now(), lease=LEASE, limit=1000)
        for watch in due:
            self.watcher.look(watch)
        return len(due)

    def work(self) -> int:
        """Looks up every row of batches that is due, as a worker does; how many there were."""
        done = 0
        while due := self.stores.jobs.claim_due(self.clock.now(), lease=LEASE, limit=1000):
            for task in due:
                self.batcher.look(task)
            done += len(due)
        return done

    def claim(self, limit: int = 1000) -> list[ClaimedDelivery]:
        """Deliveries that are due, claimed."""
        return self.stores.deliveries.claim_due(self.clock.now(), lease=LEASE, limit=limit)

    def deliver(self) -> list[Sent]:
        """Tries what is due until nothing is, as a worker does; the tries."""
        before = len(self.receivers.sent)
        while claimed := self.claim():
            for delivery in claimed:
                self.courier.deliver(delivery)
        return self.receivers.sent[before:]

    def caller(self, api_key: str = "sk_a", platform: str = "zapier") -> Caller:
        found = next(p for p in PLATFORMS if p.key == platform)
        return Caller(found, Deadline(found.deadline_seconds, self.clock.monotonic), api_key)

    def poll(
        self,
        trigger: str,
        *handles: str,
        page: Page = WHOLE_PAGE,
        api_key: str = "sk_a",
        **inputs: Any,
    ) -> list[Mapping[str, Any]]:
        """The rows that a poll answers."""
        rows, _ = self.polling.poll(
            trigger, {"handles": list(handles), **inputs}, self.caller(api_key), page
        )
        return rows


@contextmanager
def database(url: str, *, new: bool = False) -> Iterator[Engine]:
    """An engine for a database, migrated where it is `new`; ended with the block."""
    engine = open_engine(url)
    try:
        if new:
            migrate(engine)
        yield engine
    finally:
        engine.dispose()


MISSING_HANDLE = b'{"error": "\'handle\' parameter is required and must be a non-empty string."}'

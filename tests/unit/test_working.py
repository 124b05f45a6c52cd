"""The worker's loop, by a clock that is told the time: how it waits, and what it says when it can't."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, cast

import pytest

from connector.adapters.wakeups import NoWakeups
from connector.domain.ports import DeliveryStore, JobStore, WatchStore, WorkerStore
from connector.services.batching import Batcher
from connector.services.delivering import Courier
from connector.services.history import Forgetting
from connector.services.watching import Watcher
from connector.services.working import IDLE_SECONDS, LONGEST_PAUSE_SECONDS, Worker
from tests.watched import ToldClock


@dataclass
class Database:
    """Has no work; is gone while it is told so. Stops the worker after so many claims."""

    clock: ToldClock
    gone: set[int]
    stop_after: int
    claimed_at: list[float] = field(default_factory=list)
    worker: Worker | None = None

    def claim_due(self, _now: datetime, *, lease: timedelta, limit: int) -> list[Any]:
        self.claimed_at.append(self.clock.monotonic())
        assert self.worker is not None
        if len(self.claimed_at) == self.stop_after:
            self.worker.stop()
        if len(self.claimed_at) in self.gone:
            raise OSError("the database is gone")
        return []

    def beat(self, _name: str, _now: datetime) -> None:
        """Alive."""

    def leave(self, _name: str) -> None:
        """Gone."""

    def run(self) -> int:
        """Nothing is too old."""
        return 0


class NothingDue:
    def claim_due(self, _now: datetime, *, lease: timedelta, limit: int) -> list[Any]:
        return []


class NothingToDo:
    def look(self, _claimed: object) -> None:
        """Nothing is claimed."""

    deliver = look


def pauses(gone: set[int], claims: int, sweep_seconds: float = 0) -> list[float]:
    """Seconds between the claims of a worker whose database is gone at some of them."""
    clock = ToldClock()
    database = Database(clock, gone, claims)
    database.worker = Worker(
        name="w",
        watches=cast("WatchStore", NothingDue()),
        deliveries=cast("DeliveryStore", database),
        jobs=cast("JobStore", NothingDue()),
        workers=cast("WorkerStore", database),
        watcher=cast("Watcher", NothingToDo()),
        batcher=cast("Batcher", NothingToDo()),
        courier=cast("Courier", NothingToDo()),
        forgetting=cast("Forgetting", database),
        wakeups=NoWakeups(),
        clock=clock,
        random=lambda: 0.75,
        threads=1,
        sweep_seconds=sweep_seconds,
    )
    database.worker.run()
    at = database.claimed_at
    return [after - before for before, after in pairwise(at)]


def test_idle_worker_looks_twice_a_second() -> None:
    assert pauses(set(), 4) == [IDLE_SECONDS] * 3


def test_worker_that_is_woken_sweeps_at_its_own_times() -> None:
    """Every 5 s, give or take a half by chance: a fleet must not do it in step."""
    assert pauses(set(), 4, sweep_seconds=4) == [5] * 3


def test_lost_database_is_asked_ever_less_often_told_once_and_found_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A log that fills the disk, or a reconnect storm, would be the second outage."""
    caplog.set_level(logging.WARNING)
    assert pauses(set(range(2, 9)), 10) == [0.5, 0.5, 1, 2, 4, *[LONGEST_PAUSE_SECONDS] * 3, 0.5]
    said = [record.message for record in caplog.records]
    assert said == ["claiming failed; it is tried again until it works", "claiming works again"]

"""The worker: claims what is due, and does it in a pool of threads until it is told to stop.

It sweeps the tables for what is due. Where others send wake-ups, it sweeps less often, as these tell it
of most things first; what they don't tell is found all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final

from connector.domain.ports import (
    Clock,
    DeliveryStore,
    Due,
    JobStore,
    Looker,
    Wakeups,
    WatchStore,
    WorkerStore,
)
from connector.services import batching, delivering, watching
from connector.services.batching import Batcher
from connector.services.delivering import Courier
from connector.services.history import Forgetting

log = logging.getLogger(__name__)
IDLE_SECONDS: Final = 0.5
# A claim costs the same for one piece of work as for many: those that end shortly are replaced at once.
GATHER_SECONDS: Final = 0.02
BEAT_SECONDS: Final = 10.0
# Where wake-ups are sent: retries and looks are due when nobody sends one.
SWEEP_SECONDS: Final = 5.0
# While the database is gone: often enough to be there soon when it is back.
LONGEST_PAUSE_SECONDS: Final = 5.0


@dataclass
class Outage:
    """Failures in a row: the first is logged, and their end; in between, pauses grow."""

    pause_seconds: float = 0

    def failed(self) -> None:
        """Called where an exception is handled."""
        if not self.pause_seconds:
            log.exception("claiming failed; it is tried again until it works")
        self.pause_seconds = min(2 * self.pause_seconds or IDLE_SECONDS, LONGEST_PAUSE_SECONDS)

    def over(self) -> None:
        """Called where it worked."""
        if self.pause_seconds:
            log.warning("claiming works again")
        self.pause_seconds = 0


@dataclass(frozen=True)
class _Kind:
    """One kind of work, which never takes more than its `share` of the threads in a sweep."""

    store: DeliveryStore | WatchStore | JobStore
    do: Callable[[Any], object]
    lease: timedelta
    share: float
    busy: set[Future[None]] = field(default_factory=set)


@dataclass(kw_only=True)
class Worker:
    """One process. `threads` looks and tries at a time; what is claimed at a stop is finished.

    A claim ends by itself after its lease, when its holder was killed.

    It sweeps every `sweep_seconds`, give or take a half, so that workers don't do it together.
    `random` gives numbers from 0 up to 1.
    """

    name: str
    watches: WatchStore
    deliveries: DeliveryStore
    jobs: JobStore
    workers: WorkerStore
    watcher: Looker
    batcher: Batcher
    courier: Courier
    forgetting: Forgetting
    wakeups: Wakeups
    clock: Clock
    random: Callable[[], float]
    threads: int
    sweep_seconds: float
    delivery_lease: timedelta = delivering.LEASE
    watch_lease: timedelta = watching.LEASE
    row_lease: timedelta = batching.LEASE
    _stopping: bool = False
    _sweep_at: float = float("-inf")
    _beat_at: float = float("-inf")
    _outage: Outage = field(default_factory=Outage)
    _in_flight: set[Future[None]] = field(default_factory=set)
    _kinds: dict[Due, _Kind] = field(init=False)

    def __post_init__(self) -> None:
        # Deliveries first: they are paid for. Receivers that are slow leave threads for looks, and
        # batches for both.
        self._kinds = {
            "delivery": _Kind(self.deliveries, self.courier.deliver, self.delivery_lease, 3 / 4),
            "watch": _Kind(self.watches, self.watcher.look, self.watch_lease, 1),
            "row": _Kind(self.jobs, self.batcher.look, self.row_lease, 1 / 2),
        }

    def stop(self) -> None:
        """Ends `run` soon; may be called by a signal, so it takes no lock."""
        self._stopping = True

    def run(self) -> None:
        """Works until it is stopped, then ends when what is in flight is done."""
        log.info("the worker is at work", extra={"worker": self.name, "threads": self.threads})
        with (
            ThreadPoolExecutor(self.threads) as pool,
            self.wakeups.heard(partial(self._wake, pool), threads=self.threads),
        ):
            while not self._stopping:
                if self.clock.monotonic() < self._sweep_at:
                    self.clock.sleep(IDLE_SECONDS)
                else:
                    self._sweep(pool)
        self._safely(partial(self.workers.leave, self.name))
        log.info("the worker has stopped", extra={"worker": self.name})

    def _sweep(self, pool: ThreadPoolExecutor) -> None:
        """Begins what is due, or else waits."""
        self._sweep_at = self.clock.monotonic() + self.sweep_seconds * (0.5 + self.random())
        begun = 0
        try:
            self._beat()
            begun = self._begin(pool, self.threads - len(self._in_flight))
            self._outage.over()
        except Exception:  # noqa: BLE001  # whatever it is, it is logged, and work goes on
            self._outage.failed()
        if begun or self._outage.pause_seconds:
            self._sweep_at = float("-inf")
        self._pause(begun)

    def _pause(self, begun: int) -> None:
        """Until threads are free, the database may be back, or there may be something new."""
        busy = list(self._in_flight)
        if self._outage.pause_seconds:
            self.clock.sleep(self._outage.pause_seconds)
        elif begun:
            self.clock.sleep(GATHER_SECONDS)
        elif busy:
            wait(busy, IDLE_SECONDS, FIRST_COMPLETED)
        else:
            self.clock.sleep(IDLE_SECONDS)

    def _beat(self) -> None:
        if self.clock.monotonic() - self._beat_at > BEAT_SECONDS:
            self.workers.beat(self.name, self.clock.now())
            self._beat_at = self.clock.monotonic()
            self.forgetting.run()

    def _begin(self, pool: ThreadPoolExecutor, free: int) -> int:
        """Claims and begins up to `free` pieces of work, in the order of their kinds."""
        begun = 0
        for kind in self._kinds.values():
            room = min(free - begun, max(round(self.threads * kind.share), 1) - len(kind.busy))
            if room > 0:
                for claimed in kind.store.claim_due(self.clock.now(), lease=kind.lease, limit=room):
                    future = self._submit(pool, partial(self._do, partial(kind.do, claimed)))
                    kind.busy.add(future)
                    future.add_done_callback(kind.busy.discard)
                    begun += 1
        return begun

    def _wake(self, pool: ThreadPoolExecutor, kind: Due, number: int) -> None:
        """Does one piece of work, where it is still due; returns when it is done."""
        # Claimed when its turn comes: a claim that waits for a thread would run out.
        self._submit(pool, partial(self._claim_and_do, kind, number)).result()

    def _claim_and_do(self, kind: Due, number: int) -> None:
        # The sweep that finds the database again finds this too.
        if self._stopping or self._outage.pause_seconds:
            return
        asked = self._kinds[kind]
        claimed = asked.store.claim_one(number, self.clock.now(), lease=asked.lease)
        if claimed is not None:
            self._do(partial(asked.do, claimed))

    def _do(self, work: Callable[[], Any]) -> None:
        work()
        # It may have held back other work, such as more for the same receiver.
        self._sweep_at = float("-inf")

    def _submit(self, pool: ThreadPoolExecutor, work: Callable[[], Any]) -> Future[None]:
        future = pool.submit(self._safely, work)
        self._in_flight.add(future)
        future.add_done_callback(self._in_flight.discard)
        return future

    def _safely(self, work: Callable[[], Any]) -> None:
        """A failure is logged; the claim ends by itself, and the work is done again."""
        try:
            work()
        except Exception:
            log.exception("a piece of work failed")

"""The worker: claims what is due, and does it in a pool of threads until it is told to stop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final

from connector.domain.ports import Clock, DeliveryStore, WatchStore, WorkerStore
from connector.services import delivering, watching
from connector.services.delivering import Courier
from connector.services.history import Forgetting
from connector.services.watching import Watcher

log = logging.getLogger(__name__)
IDLE_SECONDS: Final = 0.5
# A claim costs the same for one piece of work as for many: those that end shortly are replaced at once.
GATHER_SECONDS: Final = 0.02
BEAT_SECONDS: Final = 10.0
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


@dataclass(kw_only=True)
class Worker:
    """One process. `threads` looks and tries at a time; what is claimed at a stop is finished."""

    name: str
    watches: WatchStore
    deliveries: DeliveryStore
    workers: WorkerStore
    watcher: Watcher
    courier: Courier
    forgetting: Forgetting
    clock: Clock
    threads: int
    delivery_lease: timedelta = delivering.LEASE
    watch_lease: timedelta = watching.LEASE
    _stopping: bool = False
    _beat_at: float = float("-inf")
    _outage: Outage = field(default_factory=Outage)
    _in_flight: set[Future[None]] = field(default_factory=set)

    def stop(self) -> None:
        """Ends `run` soon; may be called by a signal, so it takes no lock."""
        self._stopping = True

    def run(self) -> None:
        """Works until it is stopped, then ends when what is in flight is done."""
        with ThreadPoolExecutor(self.threads) as pool:
            while not self._stopping:
                self._turn(pool)
        self._safely(partial(self.workers.leave, self.name))

    def _turn(self, pool: ThreadPoolExecutor) -> None:
        """Begins what is due, or else waits."""
        begun = 0
        try:
            self._beat()
            begun = self._begin(pool, self.threads - len(self._in_flight))
            self._outage.over()
        except Exception:  # noqa: BLE001  # whatever it is, it is logged, and work goes on
            self._outage.failed()
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
        """Claims and begins up to `free` pieces of work, deliveries first: they are paid for."""
        begun, now = 0, self.clock.now()
        if free > 0:
            for due in self.deliveries.claim_due(now, lease=self.delivery_lease, limit=free):
                begun += self._submit(pool, partial(self.courier.deliver, due))
        if free > begun:
            room = free - begun
            for watch in self.watches.claim_due(now, lease=self.watch_lease, limit=room):
                begun += self._submit(pool, partial(self.watcher.look, watch))
        return begun

    def _submit(self, pool: ThreadPoolExecutor, work: Callable[[], Any]) -> int:
        future = pool.submit(self._safely, work)
        self._in_flight.add(future)
        future.add_done_callback(self._in_flight.discard)
        return 1

    def _safely(self, work: Callable[[], Any]) -> None:
        """A failure is logged; the claim ends by itself, and the work is done again."""
        try:
            work()
        except Exception:
            log.exception("a piece of work failed")

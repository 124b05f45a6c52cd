"""The worker: claims what is due, and does it in a pool of threads until it is told to stop."""

from __future__ import annotations

import logging
import threading
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


@dataclass(kw_only=True)
class Worker:
    """One process. `threads` looks and tries at a time; what is claimed at a stop is finished.

    A claim ends by itself after its lease, when its holder was killed.
    """

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
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Works until `stopping` is set, then ends when what is in flight is done."""
        in_flight: set[Future[Any]] = set()
        beat_at = float("-inf")
        with ThreadPoolExecutor(self.threads) as pool:
            while not self.stopping.is_set():
                if self.clock.monotonic() - beat_at > BEAT_SECONDS:
                    beat_at = self.clock.monotonic()
                    self._safely(self._beat)
                    self._safely(self.forgetting.run)
                in_flight = {future for future in in_flight if not future.done()}
                free = self.threads - len(in_flight)
                begun = self._begin(pool, free) if free else []
                in_flight.update(begun)
                self._pause(in_flight, begun)
        self._safely(partial(self.workers.leave, self.name))

    def _pause(self, in_flight: set[Future[Any]], begun: list[Future[Any]]) -> None:
        """Until threads are free, or there may be something new."""
        if begun:
            self.stopping.wait(GATHER_SECONDS)
        elif in_flight:
            wait(in_flight, IDLE_SECONDS, FIRST_COMPLETED)
        else:
            self.stopping.wait(IDLE_SECONDS)

    def _beat(self) -> None:
        self.workers.beat(self.name, self.clock.now())

    def _begin(self, pool: ThreadPoolExecutor, free: int) -> list[Future[Any]]:
        """Claims and begins up to `free` pieces of work, deliveries first: they are paid for."""
        begun: list[Future[Any]] = []

        def claim() -> None:
            now = self.clock.now()
            for due in self.deliveries.claim_due(now, lease=self.delivery_lease, limit=free):
                begun.append(pool.submit(self._safely, partial(self.courier.deliver, due)))
            room = free - len(begun)
            if room:
                for watch in self.watches.claim_due(now, lease=self.watch_lease, limit=room):
                    begun.append(pool.submit(self._safely, partial(self.watcher.look, watch)))

        self._safely(claim)
        return begun

    def _safely(self, work: Callable[[], object]) -> None:
        """A failure is logged; the claim ends by itself, and the work is done again."""
        try:
            work()
        except Exception:
            log.exception("a piece of work failed")

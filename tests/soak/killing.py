"""Killing: a random process every few seconds, and what that may have cut off."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.soak.processes import Process, Web, Worker
from tests.soak.world import World

MASTER, CHILD, WORKER = "web server", "web process", "worker"
ARRIVING_SECONDS = 1.0
# Workers have the most to lose.
_WEIGHTS = {MASTER: 1, CHILD: 2, WORKER: 3}


@dataclass
class Killing:
    """Kills until `over`. From `spare_at` on, the last worker and one web process live on.

    `cut_calls` counts by connection what the upstream had charged and no book may have, of which
    `cut_handles` may be paid again; `cut_tries` the deliveries that may come again.
    """

    world: World
    web: Web
    workers: Sequence[Worker]
    chance: random.Random
    say: Callable[[str], None]
    every_seconds: float
    spare_at: float
    over: threading.Event
    kills: Counter[str] = field(default_factory=Counter)
    cut_calls: Counter[str] = field(default_factory=Counter)
    cut_handles: set[str] = field(default_factory=set)
    cut_tries: int = 0
    deaths: list[tuple[str, float]] = field(default_factory=list)

    def run(self, times: int) -> None:
        """Kills so often, one after the other."""
        began = time.monotonic()
        spared: int | None = None
        for number in range(times):
            due = began + self.every_seconds * (number + self.chance.uniform(0.5, 1))
            if self.over.wait(max(due - time.monotonic(), 0)):
                return
            if spared is None and time.monotonic() >= self.spare_at:
                spared = self.web.children[0]
            self._kill(spared)
            self.say(f"kill {number + 1}: {self.world.receivers.arrived.total()} have arrived")

    def _kill(self, spared: int | None) -> None:
        kinds = [kind for kind in _WEIGHTS if spared is None or kind != MASTER]
        (kind,) = self.chance.choices(kinds, [_WEIGHTS[kind] for kind in kinds])
        if kind == WORKER:
            self._kill_worker(
                self.chance.choice(self.workers if spared is None else self.workers[:-1])
            )
        else:
            self._kill_web(kind, spared)
        self.kills[kind] += 1

    def _kill_web(self, kind: str, spared: int | None) -> None:
        if kind == MASTER:
            # Its processes end what they have begun.
            self.web.restart()
            return
        at = time.monotonic()
        self.web.kill_child(self.chance.choice([p for p in self.web.children if p != spared]))
        self._cut(self.web)
        self.web.wait_until_whole(at)

    def _kill_worker(self, worker: Worker) -> None:
        self._await_a_try()
        worker.kill()
        self.cut_tries += self.world.receivers.in_flight()
        self._cut(worker)
        worker.start()

    def _await_a_try(self) -> None:
        """Until a receiver is at work, if that is soon: else few kills would interrupt anything."""
        until = time.monotonic() + self.every_seconds / 2
        while not self.world.receivers.are_at_work and time.monotonic() < until:
            time.sleep(0.01)

    def _cut(self, process: Process) -> None:
        died_at = time.monotonic()
        self.deaths.append((process.name, died_at))
        # What it sent may be read when it is dead.
        time.sleep(ARRIVING_SECONDS)
        calls = self.world.upstream.in_flight(process.name, died_at)
        self.cut_calls.update(call.connection for call in calls)
        self.cut_handles.update(call.handle for call in calls)

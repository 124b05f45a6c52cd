"""The worker as the soak runs it: the product's own, with claims that end sooner, or with a fault.

A claim of a killed worker ends after seconds rather than minutes, so that a soak takes minutes rather
than hours; so a look-up has to be done within seconds, too.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from datetime import timedelta
from typing import Final

from connector import watching
from connector.bootstrap import make_worker
from connector.config import Settings
from connector.domain.callers import Caller
from connector.domain.jobs import Task
from connector.domain.subscriptions import ClaimedWatch
from connector.services.owners import owner_of
from tests.soak.mutants import WORKER_MUTANTS, install

DEADLINE_SECONDS: Final = 4.0


def hurry() -> None:
    """Gives looks and rows less time, whichever class does them."""

    class Watcher(watching.Watcher):  # type: ignore[misc]  # whichever it is
        def look(self, watch: ClaimedWatch, caller: Caller | None = None) -> object:
            return super().look(watch, caller or _hurried(self, watch))

    class Batcher(watching.Batcher):  # type: ignore[misc]  # whichever it is
        def look(self, task: Task, caller: Caller | None = None) -> None:
            super().look(task, caller or _hurried(self, task))

    watching.Watcher, watching.Batcher = Watcher, Batcher  # type: ignore[misc]  # that is the point


def _hurried(by: watching.Watcher | watching.Batcher, work: ClaimedWatch | Task) -> Caller:
    return owner_of(work, vault=by.vault, clock=by.clock, max_deadline_seconds=DEADLINE_SECONDS)


def main(lease_seconds: str, fault: str = "") -> None:
    install(fault)
    hurry()
    worker = make_worker(Settings.from_env(os.environ))
    lease = timedelta(seconds=float(lease_seconds))
    worker = replace(worker, delivery_lease=lease, watch_lease=lease, row_lease=lease)
    if fault in WORKER_MUTANTS:
        worker = WORKER_MUTANTS[fault](worker)
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    print(f"{os.getpid()} has begun", flush=True)
    worker.run()


if __name__ == "__main__":
    main(*sys.argv[1:])

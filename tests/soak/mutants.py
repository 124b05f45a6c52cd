"""Ways to break the product, each of which the soak has to notice.

Each puts a subclass in the place of one of the product's parts, where these are put together.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import ModuleType
from typing import Any, Final

from connector import observing, stores, watching
from connector.adapters.profiles import ProfileClient
from connector.adapters.store.lookups import KnownProfiles
from connector.adapters.store.webhooks import Webhooks
from connector.domain.answers import Answer
from connector.domain.callers import Caller
from connector.domain.deadlines import Deadline
from connector.domain.deliveries import DELIVERED, ClaimedDelivery, Outcome, Verdict
from connector.domain.idempotency import Attempt, Claim, Replayed
from connector.domain.jobs import Task
from connector.domain.portraits import Portrait
from connector.domain.subscriptions import ClaimedWatch, Look
from connector.domain.usage import Asked
from connector.services.batching import Batcher
from connector.services.delivering import Courier
from connector.services.history import History
from connector.services.idempotency import Idempotency
from connector.services.watching import Watcher
from connector.services.working import Worker


class AckFirst(Courier):
    """Completes before it sends: what is in flight at a kill is lost."""

    def deliver(self, delivery: ClaimedDelivery) -> None:
        now = self.clock.now()
        self.store.complete(delivery, Outcome(200), Verdict(DELIVERED, now), now, milliseconds=0)
        self._outcome(delivery)


class DropEvents(Watcher):
    """Notices, and tells nobody: of one profile in ten."""

    def _keep(self, watch: ClaimedWatch, portrait: Portrait) -> None:
        if watch.id % 10:
            super()._keep(watch, portrait)
            return
        now = self.clock.now()
        due = now + timedelta(seconds=watch.interval_seconds)
        self.store.complete(watch, Look(portrait, lambda _terms: (), now, due))


class LoseRows(Batcher):
    """Forgets one row in ten."""

    def look(self, task: Task, caller: Caller | None = None) -> None:
        if task.id % 10:
            super().look(task, caller)


class ForgetUsage(KnownProfiles):
    """Counts one look-up in three for somebody else."""

    def keep(self, connection_id: str, handle: str, *args: Any, asked: Asked, **kept: Any) -> None:
        wrong = replace(asked, connection_id="nobody")
        told = asked if sum(handle.encode()) % 3 else wrong
        super().keep(connection_id, handle, *args, asked=told, **kept)


class Overspend(Webhooks):
    """Looks up for a webhook that has spent its credits."""

    def set_aside(self, webhook_id: str, day: str, credits: int) -> bool:
        return True


class DoAgain(Idempotency):
    """Does what was done already."""

    def begin(self, attempt: Attempt) -> Claim | Replayed:
        return Claim(attempt, "")


class PayTwice(ProfileClient):
    """Asks the upstream twice."""

    def call(self, body: Mapping[str, Any], *, api_key: str, deadline: Deadline) -> Answer:
        super().call(body, api_key=api_key, deadline=deadline)
        return super().call(body, api_key=api_key, deadline=deadline)


class LogKeys(ProfileClient):
    """Writes down who asks, past the log: that would mask it."""

    def call(self, body: Mapping[str, Any], *, api_key: str, deadline: Deadline) -> Answer:
        print(f"asked with {api_key}", file=sys.stderr)
        return super().call(body, api_key=api_key, deadline=deadline)


class LeakFiles(ProfileClient):
    """Leaves a file open at each call."""

    def call(self, body: Mapping[str, Any], *, api_key: str, deadline: Deadline) -> Answer:
        os.open(os.devnull, os.O_RDONLY)
        return super().call(body, api_key=api_key, deadline=deadline)


_kept: list[bytearray] = []


class LeakMemory(ProfileClient):
    """Keeps a megabyte at each call."""

    def call(self, body: Mapping[str, Any], *, api_key: str, deadline: Deadline) -> Answer:
        _kept.append(bytearray(os.urandom(1024)) * 1024)
        return super().call(body, api_key=api_key, deadline=deadline)


class Fail(History):
    """Knows no way to answer."""

    def of(self, *_: Any, **__: Any) -> Any:
        raise ZeroDivisionError


def _shorten(worker: Worker) -> Worker:
    # Shorter than a try, so that others begin what is not done yet.
    return replace(worker, delivery_lease=timedelta(milliseconds=1))


MUTANTS: Final[Mapping[str, tuple[ModuleType, str, type[Any]]]] = {
    "ack-first": (watching, "Courier", AckFirst),
    "drop-event": (watching, "Watcher", DropEvents),
    "lose-row": (watching, "Batcher", LoseRows),
    "forget-usage": (stores, "KnownProfiles", ForgetUsage),
    "overspend": (stores, "Webhooks", Overspend),
    "do-again": (watching, "Idempotency", DoAgain),
    "charge-twice": (observing, "ProfileClient", PayTwice),
    "leak-key-in-log": (observing, "ProfileClient", LogKeys),
    "leak-fds": (observing, "ProfileClient", LeakFiles),
    "leak-memory": (observing, "ProfileClient", LeakMemory),
    "fail": (watching, "History", Fail),
}
"""Which part of the product is another, where it is put together."""

WORKER_MUTANTS: Final[Mapping[str, Callable[[Worker], Worker]]] = {"short-lease": _shorten}
"""What is otherwise about a worker."""

FAULTS: Final = (*MUTANTS, *WORKER_MUTANTS)


def install(fault: str) -> None:
    """Breaks this process, where there is a `fault`."""
    if fault in MUTANTS:
        module, name, mutant = MUTANTS[fault]
        # The part may have been moved: nothing would be broken then, and nothing noticed.
        assert mutant.__base__ is getattr(module, name)
        setattr(module, name, mutant)

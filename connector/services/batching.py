"""Looking up the rows of batches: one paid look-up, its row and its price kept at once, then the next.

What failed without cost is tried again a few times; what may have been charged is not.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from connector.domain.callers import Caller
from connector.domain.errors import (
    BudgetExceeded,
    ConnectorError,
    InsufficientCredits,
    InvalidApiKey,
)
from connector.domain.jobs import BATCH, STOPPED, Ended, Task, holds_up_all, pause_after, said
from connector.domain.ports import Clock, JobStore, Vault, Wakeups
from connector.domain.trace import under
from connector.services.lookups import Lookups
from connector.services.owners import as_error, owner_of

log = logging.getLogger(__name__)
# Longer than the longest look-up, so that a claim ends by itself only when its holder died.
LEASE: Final = timedelta(seconds=90)
# With these, every other row would fail as well.
_STOPPING: Final = (InvalidApiKey, InsufficientCredits, BudgetExceeded)


@dataclass(frozen=True, kw_only=True)
class Batcher:
    """Looks up claimed rows."""

    store: JobStore
    lookups: Lookups
    vault: Vault
    wakeups: Wakeups
    clock: Clock

    def look(self, task: Task, caller: Caller | None = None) -> None:
        """Looks up the row, with the key and the time of a `caller` who waits, else with the key kept.

        What went wrong with it is kept with the row, or it is put off.
        """
        with under(task.request_id):
            began = self.clock.monotonic()
            outcome, credits = self._look(task, caller)
            log.info(
                "row of a batch",
                extra={
                    "job_id": task.job_id,
                    "handle": task.handle,
                    "outcome": outcome,
                    "milliseconds": round(1000 * (self.clock.monotonic() - began)),
                    "credits": credits,
                    "attempt": task.attempt + 1,
                },
            )

    def _look(self, task: Task, caller: Caller | None) -> tuple[str, int | None]:
        """What became of the row, and what it cost; null where nobody knows."""
        ending = self.store.ending_of(task.job_id)
        if ending:
            return self._complete(task, Ended.untried(ending))
        try:
            caller = caller or owner_of(task, vault=self.vault, clock=self.clock)
            found = self.lookups.fetch(
                task.handle, caller, max_age_seconds=task.max_age_seconds, what=BATCH
            )
        except Exception as exc:  # noqa: BLE001  # whatever it is, the row must not be lost
            return self._fail(task, as_error(exc))
        return self._complete(task, Ended.well(found))

    def _fail(self, task: Task, error: ConnectorError) -> tuple[str, int | None]:
        now = self.clock.now()
        pause = pause_after(error, task.attempt)
        if pause is not None:
            self.store.put_off(
                task, until=now + pause, attempt=task.attempt + 1, all_rows=holds_up_all(error)
            )
            return error.code, 0
        if isinstance(error, _STOPPING):
            # First, so that no other row is begun.
            self.store.stop(task.job_id, STOPPED, said(error), now)
        _, credits = self._complete(task, Ended.badly(error))
        return error.code, credits

    def _complete(self, task: Task, ended: Ended) -> tuple[str, int | None]:
        told = self.store.complete(task, ended, self.clock.now())
        self.wakeups.send("delivery", told or [])
        return ended.status, ended.credits

"""Batches: a small one is answered at once, a larger one goes on as a job that can be asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from connector.domain.answers import Result
from connector.domain.callers import Caller
from connector.domain.errors import InvalidInput, NotFound
from connector.domain.jobs import (
    CALLBACK,
    CANCEL,
    CANCELLED,
    DRY_RUN,
    FAILED,
    MAX_AT_ONCE,
    MAX_INLINE_BYTES,
    PENDING,
    Job,
    NewRow,
    Task,
    distinct_rows,
    shown_job,
    shown_row,
)
from connector.domain.ports import Clock, JobStore, SubscriptionStore, Wakeups, WorkerStore
from connector.domain.subscriptions import Terms
from connector.domain.targets import checked_target
from connector.domain.trace import request_id
from connector.services.batching import Batcher
from connector.services.hooks import new_secret
from connector.services.subscribing import Subscribing
from schemas.jobs import MAX_BATCH, PAGE_ROWS

MAX_LISTED: Final = 100
# In two rounds of five: a look-up takes a second or two, and the shortest deadline is 25.
MAX_ANSWERED: Final = 10
_AT_ONCE: Final = 5
# With less than this part of the time left, what has not begun goes on as a job.
_ENOUGH: Final = 0.5
# A file is made for a spreadsheet, which takes more than a platform does.
_FILE_CHARACTERS: Final = 64_000_000
_NO_WORKER: Final = (
    "No worker is alive to go on with it: whoever runs the connector has to start one."
)


@dataclass(frozen=True)
class Started:
    """A job that was just made. `secret` signs its callback; null where nobody is called back."""

    id: str
    secret: str | None
    tasks: Sequence[Task]


@dataclass(frozen=True, kw_only=True)
class Jobs:
    """Starts, shows and ends batches. `allow_local` is for trials."""

    store: JobStore
    subscriptions: SubscriptionStore
    subscribing: Subscribing
    batcher: Batcher
    workers: WorkerStore
    wakeups: Wakeups
    clock: Clock
    allow_local: bool

    def look_up(
        self,
        handles: Sequence[str],
        caller: Caller,
        *,
        max_age_seconds: int,
        callback_url: str | None = None,
        dry_run: bool = False,
    ) -> Result:
        """The job, ended where it is small enough. Raises `InvalidApiKey` before anything is kept."""
        rows = distinct_rows(handles)
        if not rows:
            raise InvalidInput("handles: There is none.")
        if len(rows) > MAX_BATCH:
            raise InvalidInput(f"handles: More than {MAX_BATCH}. Send them in several batches.")
        target = callback_url and checked_target(
            callback_url, allow_local=self.allow_local, name="callback_url"
        )
        if dry_run:
            return self._dry_run(rows, caller)
        self.subscribing.connect(caller)
        small = len(rows) <= MAX_ANSWERED
        lease = caller.deadline.lease() if small else None
        started = self.start(
            rows,
            caller.connection,
            max_age_seconds=max_age_seconds,
            callback_url=target,
            lease=lease,
        )
        self._look(started.tasks, caller)
        return self._result(started, caller)

    def start(
        self,
        rows: Iterable[NewRow],
        connection_id: str,
        *,
        max_age_seconds: int,
        callback_url: str | None = None,
        callback_id: str | None = None,
        lease: timedelta | None = None,
    ) -> Started:
        """A job for a connection whose key is kept. `callback_url` was checked.

        Where it is called back by a subscription that is there already, `callback_id` names it. With a
        `lease` its rows are the caller's to look up until then, else they are due.
        """
        now = self.clock.now()
        secret = new_secret() if callback_url else None
        if callback_url and secret:
            callback_id = self.subscriptions.subscribe(
                connection_id,
                Terms(CALLBACK, {"handles": []}),
                interval_seconds=0,
                due_at=[],
                now=now,
                target_url=callback_url,
                sealed_secrets=self.subscribing.sealed(secret),
            )
        job_id, tasks = self.store.start(
            connection_id,
            rows,
            now,
            max_age_seconds=max_age_seconds,
            callback_id=callback_id,
            lease=lease,
        )
        if lease is None:
            self.wakeups.send("row", self.store.due_of(job_id, limit=MAX_AT_ONCE))
        return Started(job_id, secret, tasks)

    def find(self, job_id: str, caller: Caller) -> dict[str, Any]:
        """How the job stands. Raises `NotFound`, also for a job of another key."""
        return self._shown(self._job(job_id, caller), caller)

    def listed(self, caller: Caller) -> list[dict[str, Any]]:
        """The caller's newest jobs, newest first, without their rows."""
        found = self.store.listed(caller.connection, limit=MAX_LISTED)
        if not found:
            self.subscribing.rule_out_bad_key(caller)
        now = self.clock.now()
        return [shown_job(job, now, problem=self._problem(job)) for job in found]

    def rows(
        self, job_id: str, caller: Caller, *, cursor: int | None, limit: int | None, file: bool
    ) -> tuple[list[dict[str, Any]], int | None]:
        """The job's rows in the order of the input and, where there are more, the cursor to them."""
        self._job(job_id, caller)
        kept, more = self.store.rows(
            job_id,
            after=cursor or 0,
            limit=limit or (MAX_BATCH if file else PAGE_ROWS),
            max_characters=_FILE_CHARACTERS if file else MAX_INLINE_BYTES,
        )
        return [shown_row(row, caller.platform.request_source) for row in kept], more

    def cancel(self, job_id: str, caller: Caller) -> dict[str, Any]:
        """Ends the job; what was looked up stays. One that has ended stays as it is."""
        self._job(job_id, caller)
        told = self.store.stop(job_id, CANCELLED, CANCEL, self.clock.now())
        self.wakeups.send("delivery", told)
        return self.find(job_id, caller)

    def _dry_run(self, rows: Sequence[NewRow], caller: Caller) -> Result:
        self.subscribing.check_key(caller)
        now = self.clock.now()
        failed = sum(row.ended is not None for row in rows)
        counts = {PENDING: len(rows) - failed, FAILED: failed}
        job = Job(
            None, caller.platform.key, DRY_RUN, counts, 0, created_at=now, request_id=request_id()
        )
        return Result(shown_job(job, now), None)

    def _look(self, tasks: Sequence[Task], caller: Caller) -> None:
        if tasks:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                # All of it, so that nothing that was raised is lost.
                list(pool.map(partial(self._try, caller), tasks))

    def _try(self, caller: Caller, task: Task) -> None:
        if caller.deadline.remaining() > caller.deadline.seconds * _ENOUGH:
            self.batcher.look(task, caller)
            return
        self.store.put_off(task, until=self.clock.now(), attempt=task.attempt)
        self.wakeups.send("row", [task.id])

    def _result(self, started: Started, caller: Caller) -> Result:
        job = self._job(started.id, caller)
        shown = self._shown(job, caller, secret=started.secret)
        return Result(shown, None, goes_on=job.ended_at is None)

    def _job(self, job_id: str, caller: Caller) -> Job:
        job = self.store.find(caller.connection, job_id)
        if job is None:
            self.subscribing.rule_out_bad_key(caller)
            raise NotFound("There is no such job.")
        return job

    def _shown(self, job: Job, caller: Caller, *, secret: str | None = None) -> dict[str, Any]:
        now, rows, more = self.clock.now(), [], None
        if job.id and job.ended_at:
            kept, more = self.store.rows(
                job.id, after=0, limit=MAX_BATCH, max_characters=MAX_INLINE_BYTES
            )
            rows = [shown_row(row, caller.platform.request_source) for row in kept]
        whole = () if more else rows
        return shown_job(job, now, rows=whole, problem=self._problem(job), secret=secret)

    def _problem(self, job: Job) -> str | None:
        goes_on = job.ended_at is None and not self.workers.are_alive(self.clock.now())
        return _NO_WORKER if goes_on else None


def get_profiles(inputs: Mapping[str, Any], caller: Caller, *, jobs: Jobs) -> Result:
    """The job that looks up all of `inputs["handles"]`."""
    return jobs.look_up(
        inputs["handles"],
        caller,
        max_age_seconds=inputs["max_age_seconds"],
        callback_url=inputs["callback_url"],
        dry_run=inputs["dry_run"],
    )


def get_job(inputs: Mapping[str, Any], caller: Caller, *, jobs: Jobs) -> Result:
    """How a job stands."""
    return Result(jobs.find(inputs["id"], caller), None)


def find_job_profiles(inputs: Mapping[str, Any], caller: Caller, *, jobs: Jobs) -> Result:
    """The rows of a job, page by page."""
    rows, cursor = jobs.rows(inputs["id"], caller, cursor=inputs["cursor"], limit=None, file=False)
    return Result(rows, None, cursor=cursor)

"""Batches: jobs and their rows, claimed when they are due and completed once."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection as Session
from sqlalchemy import Engine, delete, func, insert, or_, select, update

from connector.adapters.store.held import hold
from connector.adapters.store.idempotency import takes_effect
from connector.adapters.store.jobs_shown import counted, kept_rows
from connector.adapters.store.tables import Connection, JobRow, Subscription
from connector.adapters.store.tables import Job as Row
from connector.adapters.store.time import to_ms
from connector.adapters.store.watches import keep_event
from connector.domain.events import Event
from connector.domain.idempotency import effect
from connector.domain.jobs import (
    CALLBACK,
    FINISHED,
    MAX_AT_ONCE,
    MAX_INLINE_BYTES,
    PENDING,
    RUNNING,
    Ended,
    Failure,
    Job,
    KeptRow,
    NewRow,
    Task,
    shown_job,
    shown_row,
)
from connector.domain.platforms import PLATFORMS
from connector.domain.trace import request_id
from schemas.jobs import MAX_BATCH
from wire.database import one_at_a_time, reading, writing

# Any number will do that nothing else in this database locks.
_CLAIMING: Final = 7_240_519_285
# Each may hold a thousand rows.
_JOBS_AT_A_TIME: Final = 10
_SOURCES: Final = {platform.key: platform.request_source for platform in PLATFORMS}


class Jobs:
    """The part of the store that knows batches."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def start(
        self,
        connection_id: str,
        rows: Iterable[NewRow],
        now: datetime,
        *,
        max_age_seconds: int,
        callback_id: str | None,
        lease: timedelta | None,
    ) -> tuple[str, list[Task]]:
        """Keeps a job; its id and, with a `lease`, its rows that are to be looked up, claimed."""
        job = {
            "id": secrets.token_hex(16),
            "connection_id": connection_id,
            "callback_id": callback_id,
            "max_age_seconds": max_age_seconds,
            "state": RUNNING,
            "created_at": to_ms(now),
            "request_id": request_id(),
        }
        token = secrets.token_hex(16)
        claim = {"claim_token": token, "lease_until": to_ms(now + lease)} if lease else {}
        new = [
            {"job_id": job["id"], "position": place, **_new(row, to_ms(now)), **claim}
            for place, row in enumerate(rows, 1)
        ]
        with writing(self._engine) as session:
            hold(session, connection_id)
            takes_effect(session, effect())
            session.execute(insert(Row).values(job))
            session.execute(insert(JobRow), new)
            _end_if_done(session, str(job["id"]), now)
            return str(job["id"]), _tasks(session, token)

    def due_of(self, job_id: str, *, limit: int) -> list[int]:
        """The numbers of the job's first rows that are pending."""
        query = select(JobRow.id).where(JobRow.job_id == job_id, JobRow.status == PENDING)
        with reading(self._engine) as session:
            return list(session.execute(query.order_by(JobRow.id).limit(limit)).scalars())

    def claim_due(self, now: datetime, *, lease: timedelta, limit: int) -> list[Task]:
        """Up to `limit` rows that are due, a few of each job, by whichever worker."""
        return self._claim(_due(to_ms(now)).limit(limit), now, lease)

    def claim_one(self, number: int, now: datetime, *, lease: timedelta) -> Task | None:
        """The row, where `claim_due` might claim it: a wake-up may be early, late or repeated."""
        due = _due(to_ms(now)).subquery()
        claimed = self._claim(select(due.c.id).where(due.c.id == number), now, lease)
        return next(iter(claimed), None)

    def _claim(self, due: Any, now: datetime, lease: timedelta) -> list[Task]:
        token = secrets.token_hex(16)
        with writing(self._engine) as session:
            one_at_a_time(session, _CLAIMING)
            chosen = session.execute(due).scalars().all()
            if not chosen:
                return []
            claim = update(JobRow).where(JobRow.id.in_(chosen), *_waiting(to_ms(now)))
            values = {"claim_token": token, "lease_until": to_ms(now + lease)}
            session.execute(claim.values(values))
            return _tasks(session, token)

    def ending_of(self, job_id: str) -> Failure | None:
        """Why the job has come to an end, as its rows show it; null while it goes on."""
        query = select(Row.ending).where(Row.id == job_id)
        with reading(self._engine) as session:
            ending = session.execute(query).scalar_one_or_none()
        failure: Failure | None = json.loads(ending) if ending else None
        return failure

    def complete(self, task: Task, ended: Ended, now: datetime) -> list[int] | None:
        """Keeps how a row ended, what it cost, and the job's end where it was the last.

        Answers the deliveries that follow. Null, and nothing kept, where the claim was lost.
        """
        with writing(self._engine) as session:
            # Of the last two rows at once, the second sees the first.
            _lock(session, task.job_id)
            if session.execute(_ours(task).values(_ended(ended))).rowcount == 0:
                return None
            return _end_if_done(session, task.job_id, now)

    def put_off(self, task: Task, *, until: datetime, attempt: int, all_rows: bool = False) -> None:
        """Gives a claim back; with `all_rows` the whole job waits until then."""
        values = {
            "claim_token": None,
            "lease_until": None,
            "due_at": to_ms(until),
            "attempt": attempt,
        }
        paused = update(Row).where(
            Row.id == task.job_id,
            or_(Row.paused_until.is_(None), Row.paused_until < to_ms(until)),
        )
        with writing(self._engine) as session:
            if session.execute(_ours(task).values(values)).rowcount and all_rows:
                session.execute(paused.values(paused_until=to_ms(until)))

    def stop(self, job_id: str, state: str, reason: Failure, now: datetime) -> list[int]:
        """Ends a job early: what nobody tries just now is not tried. Answers what is to be delivered."""
        untried = _ended(Ended.untried(reason))
        stopped = update(Row).where(Row.id == job_id, Row.state == RUNNING)
        idle = or_(JobRow.lease_until.is_(None), JobRow.lease_until <= to_ms(now))
        rest = update(JobRow).where(JobRow.job_id == job_id, JobRow.status == PENDING, idle)
        with writing(self._engine) as session:
            _lock(session, job_id)
            ending = {"state": state, "ending": untried["failure"]}
            if session.execute(stopped.values(ending)).rowcount == 0:
                return []
            session.execute(rest.values(untried))
            return _end_if_done(session, job_id, now)

    def find(self, connection_id: str, job_id: str) -> Job | None:
        """The job with this id, where it is this connection's."""
        mine = (Row.id == job_id, Row.connection_id == connection_id)
        with reading(self._engine) as session:
            return next(iter(counted(session, *mine)), None)

    def listed(self, connection_id: str, *, limit: int) -> list[Job]:
        """The connection's newest jobs, newest first."""
        with reading(self._engine) as session:
            return counted(session, Row.connection_id == connection_id, limit=limit)

    def rows(
        self, job_id: str, *, after: int, limit: int, max_characters: int
    ) -> tuple[list[KeptRow], int | None]:
        """Rows behind the position `after` and, where there are more, the cursor to them.

        No more than `max_characters`, but one at least.
        """
        with reading(self._engine) as session:
            return kept_rows(
                session, job_id, after=after, limit=limit, max_characters=max_characters
            )

    def forget(self, before: datetime) -> int:
        """Deletes a few jobs that ended before, with their rows and callbacks; how many there were."""
        query = select(Row.id, Row.callback_id).where(Row.ended_at < to_ms(before))
        with reading(self._engine) as session:
            found = session.execute(query.limit(_JOBS_AT_A_TIME)).all()
        if found:
            callbacks = [job.callback_id for job in found if job.callback_id]
            with writing(self._engine) as session:
                own = (Subscription.id.in_(callbacks), Subscription.trigger == CALLBACK)
                session.execute(delete(Subscription).where(*own))
                session.execute(delete(Row).where(Row.id.in_([job.id for job in found])))
        return len(found)


def _new(row: NewRow, now: int) -> dict[str, Any]:
    ended = (
        _ended(row.ended) if row.ended else {"status": PENDING, "failure": None, "credits": None}
    )
    return {"handle": row.handle, "due_at": now, "attempt": 0, **_OPEN, **ended}


_OPEN: Final = {"claim_token": None, "lease_until": None, "row": None}


def _ended(ended: Ended) -> dict[str, Any]:
    row: Mapping[str, Any] | None = ended.row
    return {
        "status": ended.status,
        "row": None if row is None else json.dumps(row, ensure_ascii=False),
        "failure": None if ended.failure is None else json.dumps(ended.failure),
        "credits": ended.credits,
        "claim_token": None,
        "lease_until": None,
    }


def _ours(task: Task) -> Any:
    ours = (JobRow.id == task.id, JobRow.claim_token == task.token, JobRow.status == PENDING)
    return update(JobRow).where(*ours)


def _lock(session: Session, job_id: str) -> None:
    session.execute(select(Row.id).where(Row.id == job_id).with_for_update())


def _waiting(now: int) -> tuple[Any, ...]:
    free = or_(JobRow.lease_until.is_(None), JobRow.lease_until <= now)
    return JobRow.status == PENDING, JobRow.due_at <= now, free


def _due(now: int) -> Any:
    """What leaves no more than `MAX_AT_ONCE` rows of a job in flight; of many jobs, a few of each."""
    goes_on = or_(Row.state != RUNNING, Row.paused_until.is_(None), Row.paused_until <= now)
    place = func.row_number().over(
        partition_by=JobRow.job_id, order_by=(JobRow.attempt.desc(), JobRow.position)
    )
    waiting = (
        select(JobRow.id, JobRow.job_id, JobRow.due_at, place.label("place"))
        .join(Row, Row.id == JobRow.job_id)
        .where(*_waiting(now), goes_on)
        .subquery()
    )
    busy = (
        select(JobRow.job_id, func.count().label("tries"))
        .where(JobRow.status == PENDING, JobRow.lease_until > now)
        .group_by(JobRow.job_id)
        .subquery()
    )
    return (
        select(waiting.c.id)
        .outerjoin(busy, busy.c.job_id == waiting.c.job_id)
        .where(waiting.c.place + func.coalesce(busy.c.tries, 0) <= MAX_AT_ONCE)
        .order_by(waiting.c.place, waiting.c.due_at, waiting.c.id)
    )


def _tasks(session: Session, token: str) -> list[Task]:
    rows = session.execute(
        select(
            JobRow, Row.max_age_seconds, Row.request_id, Connection.platform, Connection.sealed_key
        )
        .join(Row, Row.id == JobRow.job_id)
        .join(Connection, Connection.id == Row.connection_id)
        .where(JobRow.claim_token == token, JobRow.status == PENDING)
        .order_by(JobRow.id)
    )
    return [
        Task(
            id=row.id,
            token=token,
            job_id=row.job_id,
            platform=row.platform,
            sealed_key=row.sealed_key,
            handle=row.handle,
            max_age_seconds=row.max_age_seconds,
            attempt=row.attempt,
            request_id=row.request_id,
        )
        for row in rows
    ]


def _end_if_done(session: Session, job_id: str, now: datetime) -> list[int]:
    """Ends the job where none of its rows is pending; answers the delivery that tells of it."""
    still = select(JobRow.id).where(JobRow.job_id == job_id, JobRow.status == PENDING).limit(1)
    if session.execute(still).first():
        return []
    ended = update(Row).where(Row.id == job_id, Row.ended_at.is_(None))
    if session.execute(ended.values(ended_at=to_ms(now))).rowcount == 0:
        return []
    finished = update(Row).where(Row.id == job_id, Row.state == RUNNING)
    session.execute(finished.values(state=FINISHED))
    return _call_back(session, job_id, now)


def _call_back(session: Session, job_id: str, now: datetime) -> list[int]:
    query = select(Row.callback_id).where(Row.id == job_id)
    callback_id = session.execute(query).scalar_one_or_none()
    # Whoever wants to hear of it no more has ended the subscription.
    there = select(Subscription.id).where(Subscription.id == callback_id).with_for_update()
    if callback_id is None or session.execute(there).first() is None:
        return []
    (job,) = counted(session, Row.id == job_id)
    rows, more = kept_rows(
        session, job_id, after=0, limit=MAX_BATCH, max_characters=MAX_INLINE_BYTES
    )
    shown: Sequence[Mapping[str, Any]] = [shown_row(row, _SOURCES[job.platform]) for row in rows]
    body = shown_job(job, now, rows=() if more else shown)
    event = Event(f"job:{job_id}", body)
    sequence = keep_event(session, callback_id, event, to_ms(now), request_id=job.request_id)
    return [] if sequence is None else [sequence]

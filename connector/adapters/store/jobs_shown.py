"""How jobs and their rows stand. Reads only."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection as Session
from sqlalchemy import func, select

from connector.adapters.store.tables import Connection, JobRow
from connector.adapters.store.tables import Job as Row
from connector.adapters.store.time import from_ms
from connector.domain.jobs import PENDING, Ended, Job, KeptRow


def counted(session: Session, *which: Any, limit: int | None = None) -> list[Job]:
    """The jobs that are meant, newest first, with their rows counted."""
    query = (
        select(Row, Connection.platform)
        .join(Connection, Connection.id == Row.connection_id)
        .where(*which)
        .order_by(Row.created_at.desc(), Row.id)
        .limit(limit)
    )
    jobs = session.execute(query).all()
    credits, number = func.sum(JobRow.credits), func.count()
    counts = session.execute(
        select(JobRow.job_id, JobRow.status, number.label("number"), credits.label("credits"))
        .where(JobRow.job_id.in_([job.id for job in jobs]))
        .group_by(JobRow.job_id, JobRow.status)
    ).all()
    return [_job(job, [line for line in counts if line.job_id == job.id]) for job in jobs]


def kept_rows(
    session: Session, job_id: str, *, after: int, limit: int, max_characters: int
) -> tuple[list[KeptRow], int | None]:
    """Rows behind the position `after`, and the cursor to more; one row at least, however long."""
    of_it = (JobRow.job_id == job_id, JobRow.position > after)
    size = func.coalesce(func.length(JobRow.row), 0).label("size")
    lengths = session.execute(
        select(JobRow.position, size).where(*of_it).order_by(JobRow.position).limit(limit + 1)
    ).all()
    last, room = after, max_characters
    for place, line in enumerate(lengths[:limit]):
        room -= line.size
        if room < 0 and place:
            break
        last = line.position
    found = session.execute(
        select(JobRow.__table__).where(*of_it, JobRow.position <= last).order_by(JobRow.position)
    )
    more = bool(lengths) and lengths[-1].position > last
    return [_kept(row) for row in found], last if more else None


def _job(row: Any, counts: list[Any]) -> Job:
    return Job(
        id=row.id,
        platform=row.platform,
        state=row.state,
        counts={line.status: line.number for line in counts},
        credits=int(sum(line.credits or 0 for line in counts)),
        created_at=from_ms(row.created_at),
        reason=json.loads(row.ending)["error"] if row.ending else None,
        ended_at=None if row.ended_at is None else from_ms(row.ended_at),
        request_id=row.request_id,
    )


def _kept(row: Any) -> KeptRow:
    failure = json.loads(row.failure) if row.failure else None
    profile = json.loads(row.row) if row.row else None
    ended = Ended(row.status, row.credits, profile, failure)
    return KeptRow(row.position, row.handle, None if row.status == PENDING else ended)

"""Batches as jobs: how a job and its rows stand, and how they are shown."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from connector.domain.answers import CREDITS_PER_LOOKUP
from connector.domain.errors import (
    MAYBE_CHARGED,
    ConnectorError,
    InvalidHandle,
    ProfileNotFound,
    RateLimited,
    Retriable,
)
from connector.domain.handles import MAX_LENGTH, normalise_handle
from connector.domain.lookups import Found
from schemas.fields import declared_fields
from schemas.jobs import STATUSES, BatchRow
from schemas.jobs import Job as JobSchema

RUNNING: Final = "running"
FINISHED: Final = "finished"
STOPPED: Final = "stopped"
CANCELLED: Final = "cancelled"
DRY_RUN: Final = "dry_run"

PENDING: Final = "pending"
FOUND, PRIVATE, NOT_FOUND, FAILED, NOT_TRIED = STATUSES

# What is told as spending, and the trigger under which callbacks are kept, which nobody subscribed to.
BATCH: Final = "get_profiles"
CALLBACK: Final = BATCH
# As long as Zapier waits for a callback.
KEPT: Final = timedelta(days=30)
# Below what Make (5 MB) and Zapier (6 MB) take.
MAX_INLINE_BYTES: Final = 4_000_000
# So that a job holds up its own rows and nobody else's work.
MAX_AT_ONCE: Final = 8
# After the tries before the last one, where the failed one cost nothing.
PAUSES: Final = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2))
# A guess, unless the job's own pace is slower.
_SECONDS_A_LOOK: Final = 2.0
_KEYS: Final = list(declared_fields(BatchRow))
_JOB: Final = JobSchema(exclude=["profiles"])

Row = Mapping[str, Any]
Failure = Mapping[str, str]
"""What is shown of an error in a row: its sentence, its code, its advice."""

CANCEL: Final[Failure] = {
    "error": "The job was cancelled.",
    "error_code": "cancelled",
    "advice": "Start another job with these handles; nothing was charged for them.",
}


@dataclass(frozen=True)
class Ended:
    """How a row ended. `credits` are null where nobody knows what it cost."""

    status: str
    credits: int | None = 0
    row: Row | None = field(default=None, repr=False)
    failure: Failure | None = None

    @classmethod
    def well(cls, found: Found) -> Ended:
        """With a profile."""
        status = PRIVATE if found.row["lookup_status"] == PRIVATE else FOUND
        return cls(status, 0 if found.cached else CREDITS_PER_LOOKUP, found.row)

    @classmethod
    def badly(cls, error: ConnectorError) -> Ended:
        """With an error."""
        status = NOT_FOUND if isinstance(error, ProfileNotFound) else FAILED
        return cls(status, None if isinstance(error, MAYBE_CHARGED) else 0, failure=said(error))

    @classmethod
    def untried(cls, reason: Failure) -> Ended:
        """Without a try, for the reason that ended its job."""
        return cls(NOT_TRIED, failure=reason)


@dataclass(frozen=True)
class NewRow:
    """A row to be; one that can't be looked up has ended before it began."""

    handle: str
    ended: Ended | None = None


@dataclass(frozen=True)
class KeptRow:
    """A row of a job. `ended` is null while it is pending."""

    position: int
    handle: str
    ended: Ended | None


@dataclass(frozen=True)
class Task:
    """A pending row that is ours until its lease ends. `attempt` counts the tries before this one."""

    id: int
    token: str
    job_id: str
    platform: str
    sealed_key: str = field(repr=False)
    handle: str
    max_age_seconds: int
    attempt: int
    request_id: str | None


@dataclass(frozen=True)
class Job:
    """How a job stands: rows by status, and the credits they cost. `id` is null for a dry run."""

    id: str | None
    platform: str
    state: str
    counts: Mapping[str, int]
    credits: int
    created_at: datetime
    reason: str | None = None
    ended_at: datetime | None = None
    request_id: str | None = None

    @property
    def total(self) -> int:
        """All its rows."""
        return sum(self.counts.values())

    @property
    def pending(self) -> int:
        """Rows that have not ended."""
        return self.counts.get(PENDING, 0)


def distinct_rows(texts: Iterable[str]) -> list[NewRow]:
    """A row for each handle in `texts`, each once, in order; a text may hold several of them."""
    words = (word for text in texts for word in re.split(r"[,;\n]", text) if word.strip())
    rows: dict[str, NewRow] = {}
    for row in map(_new_row, words):
        rows.setdefault(row.handle, row)
    return list(rows.values())


def said(error: ConnectorError) -> Failure:
    """What a row shows of `error`."""
    return {"error": error.message, "error_code": error.code, "advice": error.advice}


def pause_after(error: ConnectorError, attempt: int) -> timedelta | None:
    """How long to wait after try number `attempt` (from 0); null where it is not tried again."""
    if not isinstance(error, Retriable) or attempt >= len(PAUSES):
        return None
    return max(PAUSES[attempt], timedelta(seconds=error.retry_after_seconds or 0))


def holds_up_all(error: ConnectorError) -> bool:
    """Whether the next row would be answered the same just now."""
    return isinstance(error, RateLimited)


def shown_row(kept: KeptRow, request_source: str) -> dict[str, Any]:
    """A row with every key, whatever became of it."""
    ended = kept.ended or Ended(PENDING, None)
    row: Row = ended.row or {
        "handle": kept.handle,
        "lookup_status": ended.status,
        "credits_used": ended.credits,
        "request_source": request_source,
    }
    head = {"position": kept.position, **(ended.failure or _NO_FAILURE)}
    # What the upstream adds may have any name, but not one of these.
    return {**dict.fromkeys(_KEYS), **row, **head}


def shown_job(
    job: Job,
    now: datetime,
    *,
    rows: Sequence[Row] = (),
    problem: str | None = None,
    secret: str | None = None,
) -> dict[str, Any]:
    """A job as it is answered and called back; too many `rows` are left out."""
    shown: dict[str, Any] = _JOB.dump(
        {
            **{f"{status}_count": job.counts.get(status, 0) for status in STATUSES},
            "id": job.id,
            "state": job.state,
            "reason": job.reason,
            "problem": problem,
            "total": job.total,
            "done": job.total - job.pending,
            "credits_used": job.credits,
            "credits_at_most": job.credits + job.pending * CREDITS_PER_LOOKUP,
            "estimated_seconds_left": _seconds_left(job, now),
            "rows_path": job.id and f"/{job.platform}/jobs/{job.id}/rows",
            "secret": secret,
            "created_at": job.created_at,
            "ended_at": job.ended_at,
            "request_id": job.request_id,
        }
    )
    return shown | {"profiles": list(rows) if fits(rows) else []}


def fits(rows: Sequence[Row]) -> bool:
    """Whether platforms take so much in one answer."""
    size = 0
    for row in rows:
        size += len(json.dumps(row, ensure_ascii=False).encode())
        if size > MAX_INLINE_BYTES:
            return False
    return True


def _seconds_left(job: Job, now: datetime) -> int:
    done = job.total - job.pending
    so_far = (now - job.created_at).total_seconds() / done if done else 0
    # What ended before it began, as a text that is no handle, says nothing of the pace.
    return math.ceil(job.pending * max(so_far, _SECONDS_A_LOOK / MAX_AT_ONCE))


def _new_row(text: str) -> NewRow:
    try:
        return NewRow(normalise_handle(text))
    except InvalidHandle as error:
        printable = "".join(c if c.isprintable() else " " for c in text).strip()
        return NewRow(printable[:MAX_LENGTH] or "?", Ended.badly(error))


_NO_FAILURE: Final = dict.fromkeys(("error", "error_code", "advice"))

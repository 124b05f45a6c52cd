"""Batches: what many look-ups take, the job that does them, and its rows."""

from __future__ import annotations

from copy import copy
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from schemas.errors import ErrorBody
from schemas.fields import (
    Flag,
    Identifier,
    Items,
    Text,
    Timestamp,
    WholeNumber,
    Words,
    declared_fields,
    field,
    sample_of,
)
from schemas.hooks import Hook
from schemas.inputs import HistoryInput, PageInput, ProfileInput
from schemas.profile import SAMPLE_FETCHED_AT, ProfileRow

MAX_BATCH = 1000
# Spreadsheets repeat themselves: so many are read for the distinct ones among them.
MAX_GIVEN = 10 * MAX_BATCH
PAGE_ROWS = 100
SAMPLE_JOB_ID = "7c1e0d4b9f8a4c6e8b2d5a1f3e9c7b60"
# How a row can end, as words and as what a person reads of their number.
STATUSES = {
    "found": "Found",
    "private": "Private",
    "not_found": "Not found",
    "failed": "Failed",
    "not_tried": "Not tried",
}


class ProfilesInput(Schema):
    """Many profiles, by handle."""

    class Meta:
        unknown = EXCLUDE

    handles = field(
        Words,
        label="Handles", sample=["stoolpresidente"], of=Identifier,
        required=True, allow_none=False, validate=validate.Length(1, MAX_GIVEN),
        help=f"TikTok usernames or profile addresses, up to {MAX_BATCH}; each is looked up once,"
        " however often it is given. One that is found costs 2 credits.",
    )
    max_age_seconds = declared_fields(ProfileInput)["max_age_seconds"]
    callback_url = field(
        Text,
        label="Callback URL", sample="https://hooks.example.com/2", load_default=None,
        help="Where the result is sent when all is done: https, on a host that the internet can reach.",
    )
    dry_run = field(
        Flag,
        label="Dry run", sample=False, load_default=False, allow_none=False,
        help="Only says what it would cost at most. Looks up nothing, and costs nothing.",
    )


class JobInput(Schema):
    """One job, by its ID."""

    class Meta:
        unknown = EXCLUDE

    id = field(
        Identifier,
        label="Job ID", sample=SAMPLE_JOB_ID, required=True, allow_none=False,
        help="The ID that getting many profiles answered.",
    )


class JobPageInput(JobInput):
    """One job, and which part of its rows."""

    cursor = declared_fields(PageInput)["cursor"]


class JobRowsInput(Schema):
    """Which rows of a job are asked for, and how."""

    class Meta:
        unknown = EXCLUDE

    limit = field(
        WholeNumber,
        label="Limit", sample=PAGE_ROWS, load_default=None, validate=validate.Range(1, MAX_BATCH),
        help=f"The most rows to answer. Empty: {PAGE_ROWS}, or as CSV all of them.",
    )
    cursor = declared_fields(PageInput)["cursor"]
    format = declared_fields(HistoryInput)["format"]


def _if_any(declared: fields.Field[Any], **said: str) -> fields.Field[Any]:
    """`declared` where there need not be one; `said` is what its metadata says otherwise."""
    optional = copy(declared)
    optional.allow_none = True
    optional.metadata = {**declared.metadata, "example": None, **said}
    return optional


class BatchHead(Schema):
    """What a batch says of a row, beside the profile."""

    position = field(
        WholeNumber, label="Position", sample=1, help="The row's place in the batch, from 1.",
    )
    error = _if_any(declared_fields(ErrorBody)["error"])
    error_code = _if_any(declared_fields(ErrorBody)["error_code"])
    advice = _if_any(declared_fields(ErrorBody)["advice"])


class _Status(Schema):
    lookup_status = field(
        Text,
        label="Lookup status", sample="found",
        help="`found`, `private`, `not_found`, `failed`, `not_tried` after an early end, or still"
        " `pending`.",
    )


BatchRow: type[Schema] = Schema.from_dict(
    {
        **declared_fields(BatchHead),
        **declared_fields(ProfileRow),
        **declared_fields(_Status),
    },
    name="BatchRow",
)


class _JobHead(Schema):
    id = field(
        Identifier, label="Job ID", sample=SAMPLE_JOB_ID,
        help="Names the job, to ask for it again. Empty for a dry run.",
    )
    state = field(
        Text, label="State", sample="finished",
        help="`running`, `finished`, `stopped` when the key or its credits gave out, `cancelled`, or"
        " `dry_run`.",
    )
    reason = field(Text, label="Reason", sample=None, help="Why it was stopped or cancelled.")
    problem = field(Text, label="Problem", sample=None, help="Why it does not go on just now.")
    total = field(
        WholeNumber, label="Total", sample=1, help="Distinct handles in it, which are its rows.",
    )
    done = field(WholeNumber, label="Done", sample=1, help="Rows that have ended, however.")


class _JobTail(Schema):
    credits_used = field(
        WholeNumber, label="Credits used", sample=2, help="Credits that it has cost so far.",
    )
    credits_at_most = field(
        WholeNumber, label="Credits at most", sample=2,
        help="Credits that it will have cost if every profile that is left is found and has to be paid.",
    )
    estimated_seconds_left = field(
        WholeNumber, label="Seconds left", sample=0, help="How long the rest takes, at a guess.",
    )
    rows_path = field(
        Text, label="Path of the rows", sample=f"/api/jobs/{SAMPLE_JOB_ID}/rows",
        help="Where all rows are, page by page or as CSV, below the connector's address.",
    )
    secret = _if_any(
        declared_fields(Hook)["secret"],
        description="Verifies the callback by Standard Webhooks. Shown once, where one was asked for.",
    )
    created_at = field(
        Timestamp, label="Created at", sample=SAMPLE_FETCHED_AT, help="When the job was made.",
    )
    ended_at = field(
        Timestamp, label="Ended at", sample=SAMPLE_FETCHED_AT, help="When its last row ended.",
    )
    request_id = field(
        Text, label="Request ID", sample="2b1f0c9e6a5d4e7f8a9b0c1d2e3f4a5b",
        help="Names the request that started it in the log.",
    )
    profiles = field(
        Items,
        label="Profiles", of=BatchRow, sample=[sample_of(BatchRow)],
        help="Every row, in the order of the input, when it has ended and they fit into 4 MB.",
    )


Job: type[Schema] = Schema.from_dict(
    {
        **declared_fields(_JobHead),
        **{
            f"{status}_count": field(
                WholeNumber, label=f"{label} (count)", sample=int(status == "found"),
                help=f"Rows that ended as `{status}`.",
            )
            for status, label in STATUSES.items()
        },
        **declared_fields(_JobTail),
    },
    name="Job",
)

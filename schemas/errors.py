"""The one error body that every route answers with."""

from __future__ import annotations

from marshmallow import Schema

from schemas.fields import Flag, Text, field


class ErrorBody(Schema):
    """`error` stays a plain string, as in the upstream contract."""

    error = field(
        Text, allow_none=False,
        label="Error", sample="TikTok profile not found for handle: nobody",
        help="What went wrong, in a plain sentence.",
    )
    error_code = field(
        Text, allow_none=False,
        label="Error code", sample="profile_not_found",
        help="A stable name of the error, to branch on.",
    )
    retryable = field(
        Flag, allow_none=False,
        label="Retryable", sample=False,
        help="Whether the same request may succeed later and costs nothing to repeat.",
    )
    advice = field(
        Text, allow_none=False,
        label="Advice", sample="Check the spelling of the handle.",
        help="What to do next.",
    )
    request_id = field(
        Text, allow_none=False,
        label="Request ID", sample="2b1f0c9e6a5d4e7f8a9b0c1d2e3f4a5b",
        help="Names this request in the log.",
    )

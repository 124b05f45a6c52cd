"""A connection: what a person gives for it, and what its test answers, which is nothing secret."""

from __future__ import annotations

from marshmallow import Schema

from schemas.fields import Flag, Identifier, Secret, Text, WholeNumber, field


class Credentials(Schema):
    """What a person types to connect."""

    api_key = field(
        Secret,
        label="API key", sample="YOUR_API_KEY", required=True, allow_none=False,
        help="The key that look-ups are charged to. It goes to the profile API and nowhere else.",
    )


class DeleteInput(Schema):
    """What a person says to have everything deleted."""

    confirm = field(
        Flag,
        label="Confirm", sample=True, required=True, allow_none=False,
        help="`true`: everything that is kept for the API key on this platform may go, for good.",
    )


class Deletion(Schema):
    """How the deletion of everything stands."""

    id = field(
        Identifier,
        label="Connection ID", sample="5d0b1f6e2c7a",
        help="Stands for the API key without revealing it.",
    )
    platform = field(
        Text,
        label="Platform", sample="zapier", help="The platform this address is for.",
    )
    deleted = field(
        Flag,
        label="Deleted", sample=True,
        help="Whether nothing is kept any more. Until then a worker goes on, as does the same request.",
    )


class Account(Schema):
    """One API key as seen from outside."""

    id = field(
        Identifier,
        label="Connection ID", sample="5d0b1f6e2c7a",
        help="Stands for the API key without revealing it; the same key has the same id.",
    )
    label = field(
        Text,
        label="Connection", sample="Profile data (5d0b1f6e2c7a)",
        help="A name for the connection.",
    )
    platform = field(
        Text,
        label="Platform", sample="zapier", help="The platform this address is for.",
    )
    request_source = field(
        Text,
        label="Request source", sample="ZAPIER",
        help="The source under which look-ups are recorded upstream.",
    )
    rate_limit = field(
        WholeNumber,
        label="Rate limit", sample=300,
        help="Requests that the key may make in a window, where the upstream says so.",
    )
    rate_limit_remaining = field(
        WholeNumber,
        label="Requests left", sample=299, help="Requests left in the current window.",
    )

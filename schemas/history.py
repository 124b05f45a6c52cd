"""How a watched profile was over time: one row for each look."""

from __future__ import annotations

from marshmallow import Schema

from schemas.fields import Identifier, Text, Timestamp, declared_fields, field
from schemas.profile import SAMPLE_FETCHED_AT, ProfileRow

# What they say of the profile is the same at any time.
_COUNTS = ("stats_follower_count", "hearts", "stats_video_count")
_PROFILE = declared_fields(ProfileRow)


class _Look(Schema):
    id = field(Identifier, label="Look ID", sample="4711", help="Names the look.")
    seen_at = field(
        Timestamp, label="Seen at", sample=SAMPLE_FETCHED_AT, help="When the profile was looked at.",
    )
    status = field(
        Text, label="Status", sample="found",
        help="`found`, `private` or `not_found`; then the counts are those from before.",
    )


HistoryRow: type[Schema] = Schema.from_dict(
    {
        "id": declared_fields(_Look)["id"],
        **{key: _PROFILE[key] for key in ("handle", "user_id")},
        **declared_fields(_Look),
        **{key: _PROFILE[key] for key in _COUNTS},
    },
    name="HistoryRow",
)

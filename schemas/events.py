"""What a trigger hands out: the flat row of the profile, and in front of it what happened.

Its keys and their order are permanent, and the same for every trigger, polled or delivered.
"""

from __future__ import annotations

from marshmallow import Schema

from schemas.fields import (
    Identifier,
    Items,
    Text,
    Timestamp,
    WholeNumber,
    declared_fields,
    field,
)
from schemas.profile import SAMPLE_FETCHED_AT, ProfileRow

SAMPLE_EVENT_ID = "6659752019493208069:user_nickname:3f2a9c61d0b7:42"

# The keys of the row whose changes are told, in the order in which forms offer them.
WATCHED_KEYS = (
    "user_nickname",
    "user_signature",
    "user_bio_link_link",
    "user_unique_id",
    "user_verified",
    "user_private_account",
    "user_avatar_larger",
)


Change: type[Schema] = Schema.from_dict(
    {
        "field": field(
            Text,
            label="Field", sample="user_nickname", help="The key of the field that changed.",
        ),
        "label": field(
            Text,
            label="Label", sample="Display name", help="The field's name, as a person reads it.",
        ),
        "old_value": field(
            Text,
            label="Old value", sample="El Presidente", help="What it was before, as text.",
        ),
        "new_value": field(
            Text,
            label="New value", sample="Dave Portnoy", help="What it is now, as text.",
        ),
    },
    name="Change",
)


class EventHead(Schema):
    """What happened, and when."""

    event_id = field(
        Identifier,
        label="Event ID", sample=SAMPLE_EVENT_ID,
        help="The same for the same event, however often it is polled or delivered.",
    )
    event_type = field(
        Text,
        label="Event type", sample="profile_changed",
        help="What happened, such as `new_video`, `profile_gone` or `follower_milestone`.",
    )
    occurred_at = field(
        Timestamp,
        label="Occurred at", sample=SAMPLE_FETCHED_AT,
        help="When it was noticed. A video also says when it was posted.",
    )
    changed_fields = field(
        Items,
        label="Changed fields", sample=["user_nickname"], of=Text,
        help="The keys of the fields that changed.",
    )
    changes = field(
        Items,
        label="Changes", of=Change,
        sample=[
            {
                "field": "user_nickname",
                "label": "Display name",
                "old_value": "El Presidente",
                "new_value": "Dave Portnoy",
            }
        ],
        help="Each change with its old and its new value, as line items.",
    )
    previous_follower_count = field(
        WholeNumber,
        label="Followers before", sample=4098500,
        help="Followers when the profile was looked at before.",
    )
    follower_change = field(
        WholeNumber,
        label="Follower change", sample=1500,
        help="Followers won since then; below zero when they were lost.",
    )
    milestone = field(
        WholeNumber,
        label="Milestone", sample=None,
        help="The follower count that was reached.",
    )
    event_sequence = field(
        WholeNumber,
        label="Event sequence", sample=42,
        help="Counts events as they are noticed: of two, the later one has the higher number.",
    )


class _Identity(Schema):
    id = field(
        Identifier,
        label="ID", sample=SAMPLE_EVENT_ID,
        help="The same as Event ID: what platforms tell events apart by.",
    )


EventRow: type[Schema] = Schema.from_dict(
    {
        **declared_fields(EventHead),
        **declared_fields(ProfileRow),
        **declared_fields(_Identity),
    },
    name="EventRow",
)

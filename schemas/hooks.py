"""Instant triggers: what a subscription takes and answers, and how its deliveries stand."""

from __future__ import annotations

from marshmallow import INCLUDE, Schema

from schemas.fields import (
    Flag,
    Identifier,
    Items,
    Json,
    Text,
    Timestamp,
    Url,
    WholeNumber,
    field,
    sample_of,
)
from schemas.profile import SAMPLE_FETCHED_AT


class HookInput(Schema):
    """A subscription to a trigger."""

    class Meta:
        # The trigger's own inputs may also stand beside these, as platforms send them.
        unknown = INCLUDE

    trigger = field(
        Text,
        label="Trigger", sample="new_video", required=True, allow_none=False,
        help="The trigger's key.",
    )
    target_url = field(
        Text,
        label="Target URL", sample="https://hooks.example.com/1", required=True, allow_none=False,
        help="Where events are sent: https, on a host that the internet can reach.",
    )
    inputs = field(
        Json,
        label="Inputs", sample={"handles": ["stoolpresidente"]}, load_default=dict,
        allow_none=False,
        help="What the trigger asks for; may also stand beside the other keys.",
    )


class Hook(Schema):
    """A subscription as it stands."""

    id = field(
        Identifier,
        label="Subscription ID", sample="2b1f0c9e6a5d4e7f8a9b0c1d2e3f4a5b",
        help="Names the subscription, to end it.",
    )
    trigger = field(Text, label="Trigger", sample="new_video", help="The trigger's key.")
    target_url = field(
        Url, label="Target URL", sample="https://hooks.example.com/1",
        help="Where events are sent.",
    )
    handles = field(
        Items, label="Handles", sample=["stoolpresidente"], of=Text,
        help="The profiles that are watched.",
    )
    poll_interval_seconds = field(
        WholeNumber, label="Poll interval", sample=900,
        help="Seconds between two looks at a profile.",
    )
    state = field(
        Text, label="State", sample="active",
        help="`active`, or `disabled` when the receiver wants no more or never answers.",
    )
    reason = field(Text, label="Reason", sample=None, help="Why it is disabled.")
    problems = field(
        Items, label="Problems", sample=[], of=Text,
        help="Why profiles could not be looked at last time.",
    )
    secret = field(
        Text, label="Signing secret", sample="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", secret=True,
        help="Verifies deliveries by Standard Webhooks. Shown once, when it is new.",
    )
    created_at = field(
        Timestamp, label="Created at", sample=SAMPLE_FETCHED_AT,
        help="When the subscription was made.",
    )


class HookEnd(Schema):
    """What ending a subscription answers, also when there was none left."""

    id = field(
        Identifier, label="Subscription ID", sample="2b1f0c9e6a5d4e7f8a9b0c1d2e3f4a5b",
        help="The subscription that was named.",
    )
    deleted = field(
        Flag, label="Deleted", sample=True, help="Whether it was there until now.",
    )


class DeliveryRow(Schema):
    """An event on its way to a receiver."""

    id = field(Identifier, label="Delivery ID", sample="4711", help="Names the delivery.")
    subscription_id = field(
        Identifier, label="Subscription ID", sample="2b1f0c9e6a5d4e7f8a9b0c1d2e3f4a5b",
        help="Whose event it is.",
    )
    trigger = field(Text, label="Trigger", sample="new_video", help="The trigger's key.")
    event_id = field(
        Identifier, label="Event ID", sample="6659752019493208069:7301234567890123456",
        help="The event.",
    )
    state = field(
        Text, label="State", sample="delivered",
        help="`pending`, `delivered`, or `dead` when it is not tried any more.",
    )
    attempts = field(WholeNumber, label="Attempts", sample=1, help="Tries so far.")
    due_at = field(
        Timestamp, label="Due at", sample=SAMPLE_FETCHED_AT,
        help="When it is tried next, or was ended.",
    )
    last_status = field(
        WholeNumber, label="Last status", sample=200, help="What the receiver answered last.",
    )
    last_error = field(Text, label="Last error", sample=None, help="What went wrong last.")
    request_id = field(
        Text, label="Request ID", sample="2b1f0c9e6a5d4e7f8a9b0c1d2e3f4a5b",
        help="Names, in the log, the request or the look that it follows from; it is sent with it as"
        " `X-Request-ID`.",
    )


class Attempt(Schema):
    """One try of a delivery."""

    tried_at = field(
        Timestamp, label="Tried at", sample=SAMPLE_FETCHED_AT, help="When it was sent.",
    )
    status = field(
        WholeNumber, label="Status", sample=200, help="What the receiver answered, if it did.",
    )
    error = field(Text, label="Error", sample=None, help="What went wrong.")
    answer = field(
        Text, label="Answer", sample='{"status": "success"}',
        help="The first 1,000 characters of what the receiver answered; what looks like a secret is"
        " `***`.",
    )
    milliseconds = field(WholeNumber, label="Milliseconds", sample=120, help="How long it took.")


class Delivery(DeliveryRow):
    """An event on its way to a receiver, with all that is known of it."""

    target = field(
        Text, label="Target", sample="https://hooks.example.com/…ks/1",
        help="Where it is sent: the host, and the end of the address.",
    )
    webhook_id = field(
        Identifier, label="Message ID", sample="msg_2b1f0c9e6a5d4e7f8a9b0c1d2e3f4a5b",
        help="What it is sent with as `webhook-id`: the same in each try.",
    )
    body = field(
        Json, label="Body", sample={"event_type": "new_video", "handle": "stoolpresidente"},
        help="The event as it is sent.",
    )
    attempts_made = field(
        Items, label="Attempts made", of=Attempt, sample=[sample_of(Attempt)],
        help="The newest 50 tries, newest first, those before a replay too.",
    )


class ReplayResult(Schema):
    """What asking for a delivery answers."""

    id = field(Identifier, label="Delivery ID", sample="4711", help="The delivery.")
    state = field(Text, label="State", sample="pending", help="`pending`: it is on its way.")


class ReplayedDead(Schema):
    """What asking for every dead delivery answers."""

    replayed = field(
        WholeNumber, label="Replayed", sample=3, help="Deliveries that are on their way again.",
    )
    remaining = field(
        WholeNumber, label="Remaining", sample=0,
        help="Dead deliveries that are left, as one call sends 1,000 at most.",
    )

"""What actions, searches and triggers accept. The domain puts handles into normal form later."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, validate, validates_schema

from schemas.events import WATCHED_KEYS
from schemas.fields import (
    Flag,
    Identifier,
    Text,
    Timestamp,
    WholeNumber,
    Words,
    declared_fields,
    field,
    label_of,
)
from schemas.profile import ProfileRow

MAX_HANDLES = 50
MAX_THRESHOLDS = 100
# What `WholeNumber` holds.
MAX_COUNT = 10**15 - 1
MAX_WORDS = 100
# A day: what is older was another profile's worth.
MAX_AGE_SECONDS = 24 * 3600
MAX_INTERVAL_SECONDS = 30 * 24 * 3600
FREQUENCIES = {"hourly": "Hourly", "daily": "Daily", "weekly": "Weekly"}
# A year of looks by the hour; as JSON, a third of what Zapier takes.
MAX_LOOKS = 10_000
CSV = "csv"
DELIVERY_STATES = {"pending": "Pending", "delivered": "Delivered", "dead": "Dead"}
STATUSES = {"gone": "Gone", "private": "Private", "back": "Back"}


_NO_MOMENT = dict.fromkeys(
    ("invalid", "invalid_awareness", "format"), "Not a moment such as 2026-11-24T12:00:00Z."
)


class ProfileInput(Schema):
    """One profile, by handle."""

    class Meta:
        # Platforms send fields of their own along; only what is declared counts.
        unknown = EXCLUDE

    handle = field(
        Identifier,
        label="Handle", sample="stoolpresidente", required=True, allow_none=False,
        help="The TikTok username, with or without @, or the address of the profile.",
    )
    max_age_seconds = field(
        WholeNumber,
        label="Max age", sample=60, load_default=60, allow_none=False,
        validate=validate.Range(0, MAX_AGE_SECONDS),
        help="A profile that was looked up within so many seconds costs nothing again."
        " 0 always looks it up.",
    )


class WatchInput(Schema):
    """Which profiles to watch."""

    class Meta:
        unknown = EXCLUDE

    handles = field(
        Words,
        label="Handles", sample=["stoolpresidente"], of=Identifier,
        required=True, allow_none=False, validate=validate.Length(1, MAX_HANDLES),
        help="TikTok usernames or profile addresses, up to 50. Each look at one costs 2 credits.",
    )
    poll_interval_seconds = field(
        WholeNumber,
        label="Poll interval", sample=900, load_default=None,
        validate=validate.Range(1, MAX_INTERVAL_SECONDS),
        help="Seconds between two looks at a profile. Empty, or less than allowed: the connector's own.",
    )


class VideosInput(WatchInput):
    """Which videos to tell of."""

    description_contains = field(
        Words,
        label="Description contains", sample=["recipe"], of=Text, load_default=list,
        validate=validate.Length(max=MAX_WORDS),
        help="Words to look for, in capitals or not: the caption has to hold one. Empty: every video.",
    )


class ChangesInput(WatchInput):
    """Which changes to tell of."""

    watched_fields = field(
        Words,
        label="Fields to watch", sample=["user_nickname"], of=Text, load_default=list(WATCHED_KEYS),
        choices={key: label_of(declared_fields(ProfileRow)[key]) for key in WATCHED_KEYS},
        help="The fields whose changes count. Empty: all of them.",
    )


class MilestoneInput(WatchInput):
    """Which follower counts to tell of."""

    thresholds = field(
        Words,
        label="Thresholds", sample=[10000, 100000], of=WholeNumber, load_default=list,
        validate=validate.Length(max=MAX_THRESHOLDS),
        help="Follower counts to tell of, such as 10000, 50000.",
    )
    every = field(
        WholeNumber,
        label="Every", sample=100000, load_default=None, validate=validate.Range(1, MAX_COUNT),
        help="Tell of each multiple of this, such as every 100000 followers.",
    )

    @validates_schema
    def _something_to_reach(self, data: dict[str, Any], **_: Any) -> None:
        if not data.get("thresholds") and not data.get("every"):
            raise ValidationError("Give thresholds, or a number in every.", "thresholds")


class SnapshotInput(WatchInput):
    """How often to report."""

    frequency = field(
        Text,
        label="Frequency", sample="daily", load_default="daily", choices=FREQUENCIES,
        help="How often to report, by the clock in UTC.",
    )


class AvailabilityInput(WatchInput):
    """Which changes of status to tell of."""

    statuses = field(
        Words,
        label="Statuses", sample=["gone"], of=Text, load_default=list, choices=STATUSES,
        help="What to tell of: that it is gone, went private, or is back. Empty: all of them.",
    )


class PageInput(Schema):
    """Which part of a trigger's events is asked for, and what for. Zapier's own names for the latter."""

    class Meta:
        unknown = EXCLUDE

    limit = field(
        WholeNumber,
        label="Limit", sample=100, load_default=100, validate=validate.Range(1, 100),
        help="The most events to answer, up to 100.",
    )
    cursor = field(
        WholeNumber,
        label="Cursor", sample=4711, load_default=None, validate=validate.Range(1, MAX_COUNT),
        help="Where to go on: what the page before gave for the next one.",
    )
    is_loading_sample = field(
        Flag,
        label="Sample", sample=False, load_default=False, data_key="isLoadingSample",
        help="Asks for what an event would look like, where there is none yet.",
    )
    is_populating_dedupe = field(
        Flag,
        label="First poll", sample=False, load_default=False, data_key="isPopulatingDedupe",
        help="Says that the platform only learns which events there are; it changes nothing.",
    )


class HistoryInput(Schema):
    """Which looks at a profile are asked for."""

    class Meta:
        unknown = EXCLUDE

    since = field(
        Timestamp,
        label="Since", sample="2026-11-01T00:00:00.000Z", load_default=None,
        error_messages=_NO_MOMENT,
        help="Looks from this moment on, in ISO 8601 with Z or an offset.",
    )
    until = field(
        Timestamp,
        label="Until", sample="2026-12-01T00:00:00.000Z", load_default=None,
        error_messages=_NO_MOMENT,
        help="Looks before this moment.",
    )
    limit = field(
        WholeNumber,
        label="Limit", sample=1000, load_default=1000, validate=validate.Range(1, MAX_LOOKS),
        help=f"The most looks to answer, up to {MAX_LOOKS}.",
    )
    cursor = declared_fields(PageInput)["cursor"]
    format = field(
        Text,
        label="Format", sample=CSV, load_default=None, choices={"json": "JSON", CSV: "CSV"},
        help="Empty: as the header `Accept` asks, else JSON.",
    )

    @validates_schema
    def _some_time(self, data: dict[str, Any], **_: Any) -> None:
        if data["since"] and data["until"] and data["since"] >= data["until"]:
            raise ValidationError("Must be later than since.", "until")


class DeliveriesInput(Schema):
    """Which deliveries are asked for."""

    class Meta:
        unknown = EXCLUDE

    state = field(
        Text,
        label="State", sample="dead", load_default=None,
        choices=DELIVERY_STATES,
        help="Only deliveries in this state. Empty: all.",
    )
    subscription_id = field(
        Identifier,
        label="Subscription ID", sample="2b1f0c9e6a5d4e7f8a9b0c1d2e3f4a5b", load_default=None,
        help="Only deliveries of this subscription. Empty: all.",
    )


class ReplayInput(Schema):
    """Which dead deliveries are sent again."""

    class Meta:
        unknown = EXCLUDE

    subscription_id = declared_fields(DeliveriesInput)["subscription_id"]

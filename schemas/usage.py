"""What an API key has spent through the connector, and what it did not have to."""

from __future__ import annotations

from collections.abc import Mapping

from marshmallow import EXCLUDE, Schema

from schemas.fields import Identifier, Items, Text, WholeNumber, declared_fields, field

WATCHING = "watching"
WEBHOOKS = "webhooks"


def usage_input(paid: Mapping[str, str]) -> type[Schema]:
    """What to report, where what is `paid` is labels by key."""

    class Chosen(Schema):
        class Meta:
            unknown = EXCLUDE

    what = field(
        Text, label="What", sample=WATCHING, load_default=None,
        choices={**paid, WATCHING: "Watching, for all triggers", WEBHOOKS: "Incoming webhooks"},
        help="Only what this asked. Empty: everything.",
    )
    return Chosen.from_dict({"what": what}, name="UsageInput")


class _Credits(Schema):
    credits_today = field(
        WholeNumber, label="Credits today", sample=120, help="Credits spent today (UTC).",
    )
    credits_this_month = field(
        WholeNumber, label="Credits this month", sample=3400, help="Credits spent this month (UTC).",
    )
    saved_today = field(
        WholeNumber, label="Saved today", sample=46,
        help="Credits that look-ups did not cost today, as the profile was known already.",
    )
    saved_this_month = field(
        WholeNumber, label="Saved this month", sample=910, help="The same for this month.",
    )
    unsure_this_month = field(
        WholeNumber, label="Unsure this month", sample=2,
        help="Credits that may have been charged beside those, as no whole answer arrived.",
    )


UsageItem: type[Schema] = Schema.from_dict(
    {
        "what": field(
            Text, label="What", sample="get_profile",
            help="What asked: an action's or search's key, `watching`, which serves every trigger, or"
            " `webhooks`.",
        ),
        **declared_fields(_Credits),
    },
    name="UsageItem",
)

Usage: type[Schema] = Schema.from_dict(
    {
        "id": field(
            Identifier, label="Connection ID", sample="3f2a9c61d0b7",
            help="Stands for the API key, as the connection test has it.",
        ),
        **declared_fields(_Credits),
        "daily_budget": field(
            WholeNumber, label="Daily budget", sample=None,
            help="The most that the key may spend here in a day. Null: no limit.",
        ),
        "watching_budget": field(
            WholeNumber, label="Watching budget", sample=1000,
            help="The most that watching may spend with the key in a day.",
        ),
        "items": field(
            Items, label="Items", of=UsageItem,
            sample=[
                {
                    "what": "get_profile",
                    "credits_today": 120,
                    "credits_this_month": 3400,
                    "saved_today": 46,
                    "saved_this_month": 910,
                    "unsure_this_month": 2,
                }
            ],
            help="The same by what asked, the most expensive first.",
        ),
    },
    name="Usage",
)

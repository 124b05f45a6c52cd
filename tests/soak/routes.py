"""What each route of the product takes: a route that is not here, and needs something, is missed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from schemas.universal import ENDPOINTS
from tests.soak.plan import LEAVING_KEY, METRICS_TOKEN

if TYPE_CHECKING:
    from tests.soak.load import Visitor

_PLATFORM: Final = re.compile(r"^/(zapier|make|api)/|<any\([\w, ]+\):platform>")
# What a rule may leave open, and where it is from.
OPEN: Final = re.compile(r"<(?:[\w=()]+:)?(\w+)>")

MAKERS: Final = {
    "subscription_id": "POST /{platform}/hooks",
    "job_id": "POST /{platform}/actions/get_profiles",
    "webhook_id": "POST /{platform}/webhooks",
    "delivery_id": "POST /{platform}/hooks/<subscription_id>/test",
}
"""The route that makes one, by what it is called in rules."""

ENDS: Final = frozenset(
    {
        "DELETE /{platform}/hooks/<subscription_id>",
        "POST /{platform}/actions/unwatch_profile",
        "POST /console/subscriptions/{platform}/<subscription_id>/end",
        "DELETE /{platform}/webhooks/<webhook_id>",
        "POST /{platform}/actions/delete_webhook",
        "POST /console/webhooks/{platform}/<webhook_id>/end",
    }
)
"""Routes after which what they name is no more."""


BY_OTHERS: Final = {"DELETE /{platform}/me": LEAVING_KEY, "GET /metrics": METRICS_TOKEN}
"""Routes that a visitor's own key is not for, with what is sent instead."""


def route_of(method: str, rule: str) -> str:
    """A route as it is counted, whatever the platform."""
    return f"{method} {_PLATFORM.sub(_named, rule)}"


def _named(found: re.Match[str]) -> str:
    return "/{platform}/" if found[1] else "{platform}"


def routes_in(index: Mapping[str, Any]) -> frozenset[str]:
    """Every route of the product, from its own list: `GET /`."""
    found = set()
    for line in index["routes"]:
        methods, _, rule = line.rpartition(" ")
        # A converter with a space in it.
        if not rule.startswith("/"):
            methods, slash, rest = line.partition(" /")
            rule = slash.strip() + rest
        found |= {route_of(method, rule) for method in methods.split(" or ")}
    return frozenset(found)


def _watch(v: Visitor) -> dict[str, Any]:
    return {"trigger": "new_video", "target_url": v.target(), "handles": v.watched}


def _webhook(v: Visitor) -> dict[str, Any]:
    return {"mode": "forward", "target_url": v.target(), "name": "one of many"}


def _once(v: Visitor) -> dict[str, Any]:
    return {"handle": v.new_handle("l"), "max_age_seconds": 0}


def _known(v: Visitor) -> dict[str, Any]:
    return {"handle": v.watched}


def _batch(v: Visitor) -> dict[str, Any]:
    handles = ",".join(v.new_handle("b") for _ in range(v.chance.choice((3, 5, 14))))
    return {"handles": handles, "max_age_seconds": 0, "callback_url": v.target()}


def _poll(v: Visitor) -> dict[str, Any]:
    # What some triggers cannot do without; others pass it over.
    return {"handles": v.watched, "every": "1000", "frequency": "daily"}


def _of(name: str) -> Callable[[Visitor], dict[str, Any]]:
    return lambda v: {"id": v.some(name)}


TAKES: Final[Mapping[str, Callable[[Visitor], dict[str, Any]]]] = {
    "DELETE /{platform}/me": lambda _v: {"confirm": True},
    "POST /{platform}/request": lambda v: {
        "url": ENDPOINTS[0][1],
        "body": {"handle": v.new_handle("l")},
    },
    "POST /{platform}/actions/get_profile": _once,
    "POST /{platform}/actions/get_profiles": _batch,
    "POST /{platform}/actions/get_job": _of("job_id"),
    "POST /{platform}/actions/watch_profile": _watch,
    "POST /{platform}/actions/unwatch_profile": _of("subscription_id"),
    "POST /{platform}/actions/create_webhook": _webhook,
    "POST /{platform}/actions/delete_webhook": _of("webhook_id"),
    "GET /{platform}/searches/find_profile": _known,
    "POST /{platform}/searches/find_profile": lambda v: {"handle": v.new_handle("gone")},
    "GET /{platform}/searches/find_job_profiles": _of("job_id"),
    "POST /{platform}/searches/find_job_profiles": _of("job_id"),
    "GET /{platform}/triggers/new_video": _poll,
    "GET /{platform}/triggers/profile_changed": _poll,
    "GET /{platform}/triggers/follower_milestone": _poll,
    "GET /{platform}/triggers/stats_snapshot": _poll,
    "GET /{platform}/triggers/profile_unavailable": _poll,
    "POST /{platform}/hooks": _watch,
    "POST /{platform}/webhooks": _webhook,
    "POST /console/": lambda v: {"handle": v.new_handle("l"), "platform": v.platform},
    "POST /console/watched": lambda v: {"handle": v.watched, "interval": "900"},
    "POST /console/subscriptions": _watch,
    "POST /console/webhooks": _webhook,
    "POST /console/jobs": lambda v: {"handles": v.new_handle("b"), "max_age_seconds": "0"},
}
"""What is sent to a route; others get nothing."""

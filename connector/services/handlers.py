"""Which function does what the catalog declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from connector.domain.answers import Result
from connector.services.account_actions import (
    create_webhook,
    delete_webhook,
    find_webhooks,
    get_usage,
)
from connector.services.jobs import find_job_profiles, get_job, get_profiles
from connector.services.lookup import find_profile, get_profile
from connector.services.subscription_actions import unwatch_profile, watch_profile

Handlers = Mapping[str, Callable[..., Result]]

# By what each is handed from outside.
LOOK_UPS: Final[Handlers] = {"get_profile": get_profile, "find_profile": find_profile}
SUBSCRIPTIONS: Final[Handlers] = {
    "watch_profile": watch_profile,
    "unwatch_profile": unwatch_profile,
}
BATCHES: Final[Handlers] = {
    "get_profiles": get_profiles,
    "get_job": get_job,
    "find_job_profiles": find_job_profiles,
}
USAGE: Final[Handlers] = {"get_usage": get_usage}
WEBHOOKS: Final[Handlers] = {
    "create_webhook": create_webhook,
    "delete_webhook": delete_webhook,
    "find_webhooks": find_webhooks,
}
HANDLERS: Final[Handlers] = {**LOOK_UPS, **SUBSCRIPTIONS, **BATCHES, **USAGE, **WEBHOOKS}

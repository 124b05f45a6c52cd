"""Which function does what the catalog declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from connector.domain.answers import Result
from connector.services.jobs import find_job_profiles, get_job, get_profiles
from connector.services.lookup import find_profile, get_profile
from connector.services.subscription_actions import unwatch_profile, watch_profile

Handlers = Mapping[str, Callable[..., Result]]

# By what each is handed from outside: the upstream, the subscriptions, or the batches.
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
HANDLERS: Final[Handlers] = {**LOOK_UPS, **SUBSCRIPTIONS, **BATCHES}

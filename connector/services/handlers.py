"""Which function does what the catalog declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from connector.domain.answers import Result
from connector.services.lookup import find_profile, get_profile
from connector.services.subscription_actions import unwatch_profile, watch_profile

Handlers = Mapping[str, Callable[..., Result]]

# By what each is handed from outside: the upstream, or the subscriptions.
LOOK_UPS: Final[Handlers] = {"get_profile": get_profile, "find_profile": find_profile}
SUBSCRIPTIONS: Final[Handlers] = {
    "watch_profile": watch_profile,
    "unwatch_profile": unwatch_profile,
}
HANDLERS: Final[Handlers] = {**LOOK_UPS, **SUBSCRIPTIONS}

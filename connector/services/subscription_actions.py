"""Starting and ending a subscription as actions: a step of somebody's workflow, free of credits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connector.domain.answers import Result
from connector.domain.callers import Caller
from connector.services.hooks import Hooks
from schemas.catalog import CATALOG

_TRIGGERS: Final = {trigger.key: trigger.input() for trigger in CATALOG.triggers}


def watch_profile(inputs: Mapping[str, Any], caller: Caller, *, hooks: Hooks) -> Result:
    """The new subscription. What the trigger doesn't ask for is left aside."""
    trigger = inputs["trigger"]
    asked = _TRIGGERS[trigger].load(inputs)
    return Result(hooks.subscribe(trigger, inputs["target_url"], asked, caller), None)


def unwatch_profile(inputs: Mapping[str, Any], caller: Caller, *, hooks: Hooks) -> Result:
    """What became of the subscription; ending it twice is no error."""
    return Result(hooks.unsubscribe(inputs["id"], caller), None)

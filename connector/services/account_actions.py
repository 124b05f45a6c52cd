"""What a key has, as actions: its usage and its incoming webhooks. Free of credits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connector.domain.answers import Result
from connector.domain.callers import Caller
from connector.services.usage import UsageReport
from connector.services.webhooks import Webhooks
from schemas.fields import declared_fields
from schemas.webhooks import ListedWebhook

_LISTED: Final = list(declared_fields(ListedWebhook))


def get_usage(inputs: Mapping[str, Any], caller: Caller, *, usage: UsageReport) -> Result:
    """What the key has spent and saved."""
    return usage.of(caller, what=inputs["what"])


def create_webhook(inputs: Mapping[str, Any], caller: Caller, *, webhooks: Webhooks) -> Result:
    """The new webhook with its address and secrets."""
    return Result(webhooks.create(inputs, caller), None)


def delete_webhook(inputs: Mapping[str, Any], caller: Caller, *, webhooks: Webhooks) -> Result:
    """What became of the webhook; ending it twice is no error."""
    return Result(webhooks.end(inputs["id"], caller), None)


def find_webhooks(inputs: Mapping[str, Any], caller: Caller, *, webhooks: Webhooks) -> Result:
    """The caller's webhooks, or those with the name that is asked for."""
    name = inputs["name"]
    found = [row for row in webhooks.listed(caller) if name in (None, row["name"])]
    return Result([{key: row[key] for key in _LISTED} for row in found], None)

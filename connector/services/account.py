"""Testing a connection, free of credits."""

from __future__ import annotations

from typing import Any

from connector.domain.answers import Result
from connector.domain.callers import Caller
from connector.services.subscribing import Subscribing
from schemas.account import Account

_ACCOUNT = Account()


def describe_account(caller: Caller, *, subscribing: Subscribing) -> Result:
    """What identifies the connection. Raises `InvalidApiKey` where the upstream refuses the key."""
    platform = caller.platform
    limit = subscribing.check_key(caller)
    account: dict[str, Any] = _ACCOUNT.dump(
        {
            "id": caller.connection_id,
            "label": f"Profile data ({caller.connection_id})",
            "platform": platform.key,
            "request_source": platform.request_source,
            "rate_limit": limit.limit,
            "rate_limit_remaining": limit.remaining,
        }
    )
    return Result(account, limit)

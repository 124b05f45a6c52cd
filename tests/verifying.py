"""The official verifier of Standard Webhooks, at a time that it is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo

import pytest
from standardwebhooks import Webhook, WebhookVerificationError


def verifies(secret: str, body: bytes, headers: Mapping[str, str], now: datetime) -> bool:
    """Whether a receiver with this secret takes the delivery at `now`."""

    class ToldTime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # of its base
            return now

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("standardwebhooks.webhooks.datetime", ToldTime)
        try:
            Webhook(secret).verify(body, dict(headers))
        except WebhookVerificationError:
            return False
    return True

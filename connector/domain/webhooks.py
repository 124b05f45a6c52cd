"""Incoming webhooks as values: what one is, and what came in through it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from connector.domain.answers import RateLimit
from connector.domain.idempotency import Attempt
from connector.domain.signatures import Signed

# The subscription that carries a webhook's rows has this in place of a trigger; it watches nothing.
CARRIER: Final = "webhook"
TOKEN_PREFIX: Final = "wh_"  # noqa: S105  # it is what every token begins with


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """One webhook as it is kept. Its rows go to `target_url`, by a subscription, where it has one."""

    id: str
    connection_id: str
    name: str | None
    mode: str
    callers_choose: bool
    handle_path: str | None
    signature_style: str | None
    signature_header: str | None
    sealed_secret: str | None = field(repr=False)
    subscription_id: str | None
    daily_credits: int
    requests_per_minute: int
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A webhook with what else is known of it."""

    webhook: Webhook
    platform: str
    sealed_key: str = field(repr=False)
    target_url: str | None
    state: str
    reason: str | None
    credit_day: str | None
    credits: int


@dataclass(frozen=True)
class Sent:
    """A request to a webhook, before it is read."""

    signed: Signed
    idempotency_key: str = field(repr=False)
    kind: bytes = field(repr=False)

    def attempt(self, webhook: Webhook, message_id: str) -> Attempt | None:
        """What is to be done once: by the message's own id, or by the key of the caller."""
        if not message_id and not self.idempotency_key:
            return None
        key = f"message {message_id}" if message_id else f"key {self.idempotency_key}"
        asked = self.kind + self.signed.body
        whose = webhook.connection_id
        return Attempt.of(f"webhook {webhook.id}", key, asked, connection_id=whose)


@dataclass(frozen=True)
class Arrival:
    """When a request to a webhook came, by both clocks."""

    webhook_id: str
    called_at: datetime
    began: float


@dataclass(frozen=True)
class Call:
    """A request to a webhook and how it was answered: without an error, it went well."""

    called_at: datetime
    handle: str | None
    error_code: str | None
    error: str | None
    milliseconds: int


@dataclass(frozen=True)
class Admitted:
    """A request that may fire the webhook; with an `attempt`, once."""

    standing: Standing
    attempt: Attempt | None
    arrival: Arrival


@dataclass(frozen=True)
class Accepted:
    """A delivery or a job. `secret` signs the callback to an address that the request named."""

    id: str
    state: str
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Fired:
    """What came of it: the row, or the delivery or job that `accepted` names."""

    row: Any
    rate_limit: RateLimit | None
    accepted: Accepted | None = None


def token_hash(token: str) -> str:
    """What is kept of a token: nobody finds the token by it."""
    return hashlib.sha256(token.encode()).hexdigest()

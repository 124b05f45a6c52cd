"""Incoming webhooks as their owners see them: made, listed, given a new token, ended."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from connector.domain.callers import Caller
from connector.domain.errors import NotFound
from connector.domain.ports import Clock, Vault, WebhookStore
from connector.domain.signatures import HEADERS, key_of
from connector.domain.subscriptions import Terms
from connector.domain.targets import checked_target
from connector.domain.usage import day_of
from connector.domain.webhooks import CARRIER, TOKEN_PREFIX, Standing, Webhook, token_hash
from connector.services.hooks import new_secret
from connector.services.subscribing import Subscribing
from schemas import webhooks as schemas

_WEBHOOK: Final = schemas.Webhook()
_CALLS: Final = schemas.WebhookCall(many=True)
_END: Final = schemas.WebhookEnd()
_NOTHING: Final = "There is no such webhook."


@dataclass(frozen=True, kw_only=True)
class Webhooks:
    """Makes, lists and ends webhooks. `allow_local` is for trials; `daily_credits` where none are given."""

    store: WebhookStore
    subscribing: Subscribing
    vault: Vault
    clock: Clock
    allow_local: bool
    daily_credits: int

    def create(self, asked: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        """The new webhook with its address and its secrets, which are not shown again."""
        style, secret = asked["signature_style"], None
        if style:
            secret = _signature_secret(style, asked.get("signature_secret"))
        carrier, signing_secret = self._connect(asked["target_url"], caller)
        webhook = Webhook(
            id=secrets.token_hex(16),
            connection_id=caller.connection,
            name=asked["name"],
            mode=asked["mode"],
            callers_choose=asked["callers_choose"],
            handle_path=asked["handle_path"],
            signature_style=style,
            signature_header=asked["signature_header"] or (HEADERS[style] if style else None),
            sealed_secret=self._sealed(secret),
            subscription_id=carrier,
            daily_credits=self.daily_credits
            if asked["daily_credits"] is None
            else asked["daily_credits"],
            requests_per_minute=asked["requests_per_minute"],
            created_at=self.clock.now(),
        )
        token = _new_token()
        self.store.add(webhook, token_hash(token))
        return self._shown(webhook.id, caller) | {
            "url": _address(caller, token),
            "signature_secret": secret,
            "secret": signing_secret,
        }

    def _connect(self, target_url: str | None, caller: Caller) -> tuple[str | None, str | None]:
        """Keeps the key, and makes what carries rows to the target, with the secret it signs with."""
        if target_url is None:
            self.subscribing.connect(caller)
            return None, None
        target = checked_target(target_url, allow_local=self.allow_local)
        secret = new_secret()
        # It watches nothing, and so nobody looks for it.
        terms = Terms(CARRIER, {"handles": []})
        made = self.subscribing.subscribe(terms, caller, target_url=target, secret=secret)
        return made.id, secret

    def listed(self, caller: Caller) -> list[dict[str, Any]]:
        """The caller's webhooks, oldest first."""
        found = self.store.listed(caller.connection)
        if not found:
            self.subscribing.rule_out_bad_key(caller)
        return [self._row(standing) for standing in found]

    def one(self, webhook_id: str, caller: Caller) -> dict[str, Any]:
        """The caller's webhook. Raises `NotFound`."""
        return self._row(self._found(webhook_id, caller))

    def calls(self, webhook_id: str, caller: Caller) -> list[dict[str, Any]]:
        """The newest requests to the caller's webhook, newest first. Raises `NotFound`."""
        found = self._found(webhook_id, caller)
        calls: list[dict[str, Any]] = _CALLS.dump(self.store.calls(found.webhook.id))
        return calls

    def rotate(self, webhook_id: str, asked: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        """The webhook with a new address and new secrets, which are not shown again. Raises `NotFound`.

        The address and the secret of callers end at once. What is sent to a target is signed with the
        secret before as well, for a day.
        """
        webhook = self._found(webhook_id, caller).webhook
        secret, signing_secret, token = None, new_secret(), _new_token()
        if webhook.signature_style:
            secret = _signature_secret(webhook.signature_style, asked["signature_secret"])
        if not self.store.renew(
            caller.connection,
            webhook.id,
            token_hash(token),
            self._sealed(secret),
            self.clock.now(),
            renewed=self.subscribing.renewed(signing_secret),
        ):
            raise NotFound(_NOTHING)
        return self._shown(webhook.id, caller) | {
            "url": _address(caller, token),
            "signature_secret": secret,
            "secret": signing_secret if webhook.subscription_id else None,
        }

    def end(self, webhook_id: str, caller: Caller) -> dict[str, Any]:
        """Ends a webhook; ending it twice is no error."""
        deleted = self.store.delete(caller.connection, webhook_id, self.clock.now())
        if not deleted:
            self.subscribing.rule_out_bad_key(caller)
        ended: dict[str, Any] = _END.dump({"id": webhook_id, "deleted": deleted})
        return ended

    def _found(self, webhook_id: str, caller: Caller) -> Standing:
        found = self.store.find(caller.connection, webhook_id)
        if found is None:
            self.subscribing.rule_out_bad_key(caller)
            raise NotFound(_NOTHING)
        return found

    def _shown(self, webhook_id: str, caller: Caller) -> dict[str, Any]:
        return self._row(self._found(webhook_id, caller))

    def _sealed(self, secret: str | None) -> str | None:
        return None if secret is None else self.vault.seal(secret)

    def _row(self, standing: Standing) -> dict[str, Any]:
        today = day_of(self.clock.now())
        row: dict[str, Any] = _WEBHOOK.dump(
            {
                **asdict(standing.webhook),
                "target_url": standing.target_url,
                "credits_today": standing.credits if standing.credit_day == today else 0,
                "state": standing.state,
                "reason": standing.reason,
            }
        )
        return row


def _signature_secret(style: str, given: str | None) -> str:
    """What callers sign with, chosen or new. Raises `InvalidInput` for one that the style can't have."""
    secret = given or (new_secret() if style == schemas.STANDARD else secrets.token_hex(32))
    key_of(style, secret)
    return secret


def _new_token() -> str:
    return f"{TOKEN_PREFIX}{secrets.token_urlsafe(32)}"


def _address(caller: Caller, token: str) -> str:
    return f"{caller.root.rstrip('/')}/webhooks/{token}"

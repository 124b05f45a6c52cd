"""Subscriptions: made for a connection whose key works, listed, and ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from connector.domain.answers import RateLimit
from connector.domain.callers import Caller
from connector.domain.errors import Unreadable
from connector.domain.handles import normalise_handle
from connector.domain.ports import Clock, Profiles, SubscriptionStore, Vault
from connector.domain.subscriptions import ACTIVE, Subscription, Terms

# The first looks of a new subscription are spread over this time, or its interval if that is less.
_SPREAD: Final = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Subscribing:
    """Makes and ends subscriptions. `floor_seconds` is the least time between two looks."""

    store: SubscriptionStore
    profiles: Profiles
    vault: Vault
    clock: Clock
    random: Callable[[], float]
    floor_seconds: int

    def subscribe(
        self,
        terms: Terms,
        caller: Caller,
        *,
        target_url: str | None = None,
        secret: str | None = None,
    ) -> Subscription:
        """A new subscription. Raises `InvalidApiKey` before anything is kept for a bad key."""
        self.connect(caller)
        now = self.clock.now()
        wanted = terms.inputs.get("poll_interval_seconds")
        interval = timedelta(seconds=self.interval_seconds(wanted))
        # Somebody waits for the first look of a poll; a delivery's may take its turn.
        spread = min(_SPREAD, interval) if target_url and len(terms.handles) > 1 else timedelta()
        subscription_id = self.store.subscribe(
            caller.connection,
            terms,
            interval_seconds=round(interval.total_seconds()),
            due_at=[now + spread * self.random() for _ in terms.handles],
            now=now,
            target_url=target_url,
            sealed_secrets=self.sealed(secret) if secret else None,
        )
        return Subscription(
            id=subscription_id,
            connection_id=caller.connection,
            terms=terms,
            interval_seconds=round(interval.total_seconds()),
            target_url=target_url,
            state=ACTIVE,
            reason=None,
            created_at=now,
        )

    def interval_seconds(self, wanted: int | None) -> int:
        """The time between two looks where `wanted` is asked for."""
        return max(wanted or 0, self.floor_seconds)

    def rotate(self, subscription_id: str, secret: str, caller: Caller) -> Subscription | None:
        """Puts `secret` before the one that signs until now; null where nothing of the caller's is signed.

        Of more than two, the oldest is dropped at once.
        """
        rotated = self.store.rotate(
            caller.connection,
            subscription_id,
            self.renewed(secret),
            self.clock.now(),
        )
        return self.store.find(caller.connection, subscription_id) if rotated else None

    def renewed(self, secret: str) -> Callable[[str], str]:
        """What makes of sealed secrets those with `secret` before the one that signs until now."""
        return lambda sealed: self.sealed(secret, *self._signing_until_now(sealed))

    def connect(self, caller: Caller) -> None:
        """Keeps the key, to look up with it later. Raises `InvalidApiKey` for one that does not work."""
        self.check_key(caller)
        self.store.connect(
            caller.connection,
            platform=caller.platform.key,
            sealed_key=self.vault.seal(caller.api_key),
            now=self.clock.now(),
        )

    def sealed(self, *secrets: str) -> str:
        """Signing secrets, the newest first, as they are kept."""
        return self.vault.seal(json.dumps(secrets))

    def _signing_until_now(self, sealed: str) -> list[str]:
        try:
            secrets: list[str] = json.loads(self.vault.open(sealed))
        except Unreadable:
            # Nothing could be signed any more, which a new secret mends.
            return []
        return secrets[:1]

    def check_key(self, caller: Caller) -> RateLimit:
        """Raises `InvalidApiKey` for a key that does not work; costs nothing.

        With one that works again, what was watched goes on.
        """
        limit = self.profiles.check_key(
            api_key=caller.api_key,
            request_source=caller.platform.request_source,
            deadline=caller.deadline,
        )
        if self.store.is_refused(caller.connection):
            self.store.accept(caller.connection, self.clock.now())
        return limit

    def rule_out_bad_key(self, caller: Caller) -> None:
        """For an answer that is empty: a mistyped key has nothing either, and is better told so."""
        if not caller.signed_in:
            self.check_key(caller)


def terms_of(trigger: str, inputs: Mapping[str, Any]) -> Terms:
    """The terms with every handle in normal form, each once. Raises `InvalidHandle`."""
    handles = list(dict.fromkeys(map(normalise_handle, inputs["handles"])))
    return Terms(trigger, {**inputs, "handles": handles})

"""Visits to the console: begun with an API key, which stays here; the browser holds but a token."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from connector.domain.callers import Caller
from connector.domain.errors import ConnectorError, InvalidApiKey, Unreadable
from connector.domain.ports import Clock, Vault, VisitStore
from connector.domain.webhooks import token_hash
from connector.services.subscribing import Subscribing

LASTS: Final = timedelta(hours=12)
# Of one key, on a few screens.
AT_ONCE: Final = 10


@dataclass(frozen=True, kw_only=True)
class Visits:
    """Begins, knows and ends visits."""

    store: VisitStore
    subscribing: Subscribing
    vault: Vault
    clock: Clock

    def begin(self, caller: Caller) -> str:
        """The token of a new visit. Raises `InvalidApiKey` for a key that does not work."""
        self.subscribing.check_key(caller)
        token = secrets.token_urlsafe(32)
        now = self.clock.now()
        self.store.add(
            token_hash(token),
            caller.connection,
            self.vault.seal(caller.api_key),
            now,
            until=now + LASTS,
            at_most=AT_ONCE,
        )
        return token

    def api_key(self, token: str) -> str | None:
        """The key with which the visit was begun; null where there is none, or it is over."""
        sealed = self.store.find(token_hash(token), self.clock.now())
        try:
            return sealed and self.vault.open(sealed)
        except Unreadable:
            return None

    def check(self, token: str, caller: Caller) -> None:
        """Ends the visit of a key that works no more, and raises `InvalidApiKey`; costs nothing."""
        try:
            self.subscribing.check_key(caller)
        except InvalidApiKey:
            self.end(token)
            raise
        except ConnectorError:
            # An upstream that is gone says nothing of the key.
            return

    def end(self, token: str) -> None:
        """Ends the visit; the token opens nothing any more."""
        self.store.end(token_hash(token))

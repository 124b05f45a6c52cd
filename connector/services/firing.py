"""Firing an incoming webhook: whoever knows the address looks up with the key of who made it.

What is refused costs nothing. What may have been charged counts against the webhook's day.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from connector.domain.answers import CREDITS_PER_LOOKUP
from connector.domain.callers import Caller
from connector.domain.deliveries import PENDING
from connector.domain.errors import (
    MAYBE_CHARGED,
    BudgetExceeded,
    ConnectorError,
    InvalidApiKey,
    InvalidInput,
    NotFound,
    RateLimited,
    Unreadable,
    WebhookDisabled,
)
from connector.domain.events import Event
from connector.domain.idempotency import effect
from connector.domain.inbound import callback_url_in, handle_in
from connector.domain.jobs import RUNNING, NewRow
from connector.domain.lookups import Found
from connector.domain.ports import Clock, DeliveryStore, Vault, Wakeups, WebhookStore
from connector.domain.signatures import Signature
from connector.domain.subscriptions import ACTIVE
from connector.domain.targets import checked_target
from connector.domain.usage import day_of
from connector.domain.webhooks import (
    Accepted,
    Admitted,
    Arrival,
    Fired,
    Sent,
    Standing,
    Webhook,
    token_hash,
)
from connector.services.calls import Calls
from connector.services.jobs import Jobs
from connector.services.lookups import Lookups
from connector.services.owners import owner_of
from schemas.usage import WEBHOOKS
from schemas.webhooks import CALLBACK

_FRESH_SECONDS: Final = 60
_UNREADABLE: Final = "What was stored for this webhook can't be read any more."


@dataclass(frozen=True, kw_only=True)
class Firing:
    """Admits requests, and does what they ask for. `allow_local` is for trials.

    `max_deadline_seconds` caps each platform's own.
    """

    store: WebhookStore
    lookups: Lookups
    deliveries: DeliveryStore
    vault: Vault
    wakeups: Wakeups
    clock: Clock
    jobs: Jobs
    calls: Calls
    max_deadline_seconds: float
    allow_local: bool

    def admit(self, token: str, sent: Sent) -> Admitted:
        """The webhook with this token, once the request is found to be signed and not too much.

        Raises `NotFound`, `InvalidSignature`, `RateLimited` or `WebhookDisabled`.
        """
        called_at, began = self.clock.now(), self.clock.monotonic()
        standing = self.store.by_token(token_hash(token))
        if standing is None:
            raise NotFound("There is no such webhook.")
        arrival = Arrival(standing.webhook.id, called_at, began)
        with self.calls.at_the_door(arrival):
            message_id = self._check_signature(standing, sent)
            self._check_limits(standing)
        return Admitted(standing, sent.attempt(standing.webhook, message_id), arrival)

    def refusals(self, admitted: Admitted) -> AbstractContextManager[None]:
        """Keeps, for the owner, the error that ends the block before anything is run."""
        return self.calls.before_its_handle(admitted.arrival)

    def _check_limits(self, standing: Standing) -> None:
        now = self.clock.now()
        if not self.store.count_request(standing.webhook.id, now):
            raise RateLimited(
                f"This webhook takes {standing.webhook.requests_per_minute} requests a minute.",
                retry_after_seconds=60 - now.second,
            )
        if standing.state != ACTIVE:
            raise WebhookDisabled(f"This webhook is disabled. {standing.reason or ''}".strip())

    def _check_signature(self, standing: Standing, sent: Sent) -> str:
        webhook = standing.webhook
        if webhook.signature_style is None:
            return ""
        # What is missing lets nobody in.
        with _readable():
            secret = self.vault.open(webhook.sealed_secret or "")
        signature = Signature(webhook.signature_style, webhook.signature_header or "", secret)
        return signature.check(sent.signed, self.clock.now())

    def run(self, admitted: Admitted, given: Sequence[Any]) -> Fired:
        """Looks up the handle in what is `given`: answers what was found, sends it on, or calls back."""
        with self.refusals(admitted):
            handle = handle_in(given, admitted.standing.webhook.handle_path)
        with self.calls.of(handle, admitted.arrival):
            return self._fire(admitted.standing, handle, given)

    def _fire(self, standing: Standing, handle: str, given: Sequence[Any]) -> Fired:
        webhook = standing.webhook
        if webhook.mode == CALLBACK:
            return Fired(None, None, self._start(standing, handle, given))
        found = self._paid(standing, handle)
        if webhook.subscription_id is None:
            return Fired(found.row, found.rate_limit)
        # Paid for, but to be sent on: who sends the request again finds it known, for a minute at least.
        effect().came_to_nothing()
        event = Event(f"webhook:{secrets.token_hex(16)}", found.row)
        sequence = self.deliveries.send(webhook.subscription_id, event, self.clock.now())
        if sequence is None:
            raise NotFound("The webhook was ended meanwhile.")
        self.wakeups.send("delivery", [sequence])
        return Fired(found.row, found.rate_limit, Accepted(str(sequence), PENDING))

    def _start(self, standing: Standing, handle: str, given: Sequence[Any]) -> Accepted:
        """A job of one row. It counts as paid, since nobody knows yet what it costs."""
        webhook = standing.webhook
        url = callback_url_in(given) if webhook.callers_choose else None
        if url:
            checked_target(url, allow_local=self.allow_local, name="callback_url")
        elif webhook.subscription_id is None:
            raise InvalidInput("callback_url: Missing data for required field.")
        self._set_aside(webhook, day_of(self.clock.now()))
        started = self.jobs.start(
            [NewRow(handle)],
            webhook.connection_id,
            max_age_seconds=_FRESH_SECONDS,
            callback_url=url,
            callback_id=None if url else webhook.subscription_id,
        )
        return Accepted(started.id, RUNNING, started.secret)

    def _set_aside(self, webhook: Webhook, day: str) -> None:
        if not self.store.set_aside(webhook.id, day, CREDITS_PER_LOOKUP):
            raise BudgetExceeded(
                f"This webhook has spent its {webhook.daily_credits} credits for today (UTC)."
            )

    def _paid(self, standing: Standing, handle: str) -> Found:
        """The profile, within the day's budget."""
        webhook, caller = standing.webhook, self._owner(standing)
        day = day_of(self.clock.now())
        self._set_aside(webhook, day)
        try:
            found = self.lookups.fetch(
                handle, caller, max_age_seconds=_FRESH_SECONDS, what=WEBHOOKS
            )
        except ConnectorError as error:
            if not isinstance(error, MAYBE_CHARGED):
                self.store.give_back(webhook.id, day, CREDITS_PER_LOOKUP)
            if isinstance(error, InvalidApiKey):
                # Who fires it has no key to mend.
                raise WebhookDisabled("The API key of this webhook works no more.") from error
            raise
        if found.cached:
            self.store.give_back(webhook.id, day, CREDITS_PER_LOOKUP)
        return found

    def _owner(self, standing: Standing) -> Caller:
        with _readable():
            return owner_of(
                standing,
                vault=self.vault,
                clock=self.clock,
                max_deadline_seconds=self.max_deadline_seconds,
            )


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except Unreadable as exc:
        raise WebhookDisabled(_UNREADABLE) from exc

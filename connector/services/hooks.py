"""Instant triggers: subscriptions with a target, and how their deliveries stand."""

from __future__ import annotations

import base64
import secrets as random_source
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final

from connector.domain.callers import Caller
from connector.domain.errors import NotFound, RateLimited
from connector.domain.events import as_test, sample_event
from connector.domain.masking import masked_address
from connector.domain.ports import Clock, DeliveryStore, SubscriptionStore, Wakeups, WatchStore
from connector.domain.subscriptions import Subscription
from connector.domain.targets import checked_target
from connector.services.subscribing import Subscribing, terms_of
from schemas.catalog import CATALOG
from schemas.hooks import Delivery, DeliveryRow, Hook, HookEnd, ReplayedDead, ReplayResult

_HOOK: Final = Hook()
_END: Final = HookEnd()
_DELIVERY: Final = DeliveryRow()
_WHOLE: Final = Delivery()
_REPLAY: Final = ReplayResult()
_REPLAYED: Final = ReplayedDead()
_SAMPLES: Final = {trigger.key: trigger.sample for trigger in CATALOG.triggers}
MAX_LISTED: Final = 100
MAX_TRIES: Final = 50
MAX_REPLAYED: Final = 1000
# A receiver is a stranger to us: nobody floods it by asking for tests.
TEST_PAUSE: Final = timedelta(seconds=10)


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """Makes, lists and ends subscriptions that are delivered. `allow_local` is for trials."""

    subscriptions: SubscriptionStore
    subscribing: Subscribing
    watches: WatchStore
    deliveries: DeliveryStore
    wakeups: Wakeups
    clock: Clock
    allow_local: bool

    def subscribe(
        self, trigger: str, target_url: str, inputs: Mapping[str, Any], caller: Caller
    ) -> dict[str, Any]:
        """The new subscription with its secret, which is not shown again."""
        target = checked_target(target_url, allow_local=self.allow_local)
        secret = new_secret()
        made = self.subscribing.subscribe(
            terms_of(trigger, inputs), caller, target_url=target, secret=secret
        )
        self.wakeups.send("watch", self.watches.due_of(made.id, self.clock.now()))
        return self._row(made) | {"secret": secret}

    def listed(self, caller: Caller) -> list[dict[str, Any]]:
        """The caller's subscriptions, oldest first."""
        found = list(filter(_is_hook, self.subscriptions.delivered(caller.connection)))
        if not found:
            self.subscribing.rule_out_bad_key(caller)
        return [self._row(subscription) for subscription in found]

    def one(self, subscription_id: str, caller: Caller) -> dict[str, Any]:
        """The caller's subscription. Raises `NotFound`."""
        return self._row(self._found(subscription_id, caller))

    def rotate(self, subscription_id: str, caller: Caller) -> dict[str, Any]:
        """The subscription with a new secret, which is not shown again. Raises `NotFound`."""
        found = self._found(subscription_id, caller)
        secret = new_secret()
        if self.subscribing.rotate(found.id, secret, caller) is None:
            raise NotFound("There is no such subscription.")
        return self._row(found) | {"secret": secret}

    def test(self, subscription_id: str, caller: Caller) -> dict[str, Any]:
        """Sends a sample event, free of charge. Raises `NotFound`, and `RateLimited` after another test."""
        found = self._found(subscription_id, caller)
        now = self.clock.now()
        event = as_test(self._sample(found, caller), random_source.token_hex(8), now)
        sequence = self.deliveries.test(found.id, event, now, pause=TEST_PAUSE)
        if sequence is None:
            seconds = round(TEST_PAUSE.total_seconds())
            raise RateLimited(
                f"A test was sent less than {seconds} seconds ago, or is being sent.",
                retry_after_seconds=seconds,
            )
        self.wakeups.send("delivery", [sequence])
        answer: dict[str, Any] = _REPLAY.dump({"id": sequence, "state": "pending"})
        return answer

    def _found(self, subscription_id: str, caller: Caller) -> Subscription:
        found = self.subscriptions.find(caller.connection, subscription_id)
        if found is None or not _is_hook(found):
            self.subscribing.rule_out_bad_key(caller)
            raise NotFound("There is no such subscription.")
        return found

    def _sample(self, subscription: Subscription, caller: Caller) -> Mapping[str, Any]:
        """From what was last seen or, before the first look, as it is declared."""
        terms = subscription.terms
        now = self.clock.now()
        for watched in self.watches.watched_by(subscription.id, now):
            if watched.portrait and watched.portrait.row:
                return sample_event(terms.trigger, terms.inputs, watched.portrait, now).body
        return {**_SAMPLES[terms.trigger], "request_source": caller.platform.request_source}

    def unsubscribe(self, subscription_id: str, caller: Caller) -> dict[str, Any]:
        """Ends a subscription; ending it twice is no error."""
        now = self.clock.now()
        deleted = self.subscriptions.unsubscribe(caller.connection, subscription_id, now)
        if not deleted:
            self.subscribing.rule_out_bad_key(caller)
        ended: dict[str, Any] = _END.dump({"id": subscription_id, "deleted": deleted})
        return ended

    def on_their_way(
        self, state: str | None, caller: Caller, subscription_id: str | None = None
    ) -> list[dict[str, Any]]:
        """The caller's newest deliveries, newest first, in `state` and of a subscription where given.

        A webhook's rows and jobs' callbacks are among them. Raises `NotFound` for another's subscription.
        """
        found = self.deliveries.listed(
            caller.connection, state=state, subscription_id=subscription_id, limit=MAX_LISTED
        )
        if not found:
            self.subscribing.rule_out_bad_key(caller)
            self._check_owned(subscription_id, caller)
        return [self._delivery(asdict(delivery)) for delivery in found]

    def delivery(self, delivery_id: int, caller: Caller) -> dict[str, Any]:
        """The caller's delivery, with what is sent and what each try brought. Raises `NotFound`."""
        found = self.deliveries.find(caller.connection, delivery_id, tries=MAX_TRIES)
        if found is None:
            self.subscribing.rule_out_bad_key(caller)
            raise NotFound("There is no such delivery.")
        whole: dict[str, Any] = _WHOLE.dump(
            {
                **asdict(found.state),
                "target": masked_address(found.target_url),
                "webhook_id": found.webhook_id,
                "body": found.body,
                "attempts_made": found.tries,
            }
        )
        return whole

    def replay(self, delivery_id: int, caller: Caller) -> dict[str, Any]:
        """Sends a delivery again. Raises `NotFound` where none of the caller's has ended."""
        now = self.clock.now()
        if not self.deliveries.replay(delivery_id, now, connection_id=caller.connection):
            self.subscribing.rule_out_bad_key(caller)
            raise NotFound("There is no such delivery that has ended.")
        self.wakeups.send("delivery", [delivery_id])
        answer: dict[str, Any] = _REPLAY.dump({"id": delivery_id, "state": "pending"})
        return answer

    def replay_dead(self, caller: Caller, subscription_id: str | None = None) -> dict[str, Any]:
        """Sends the caller's dead deliveries again, or those of a subscription, 1,000 at most.

        Raises `NotFound` for another's subscription.
        """
        sequences, left = self.deliveries.replay_dead(
            caller.connection,
            self.clock.now(),
            subscription_id=subscription_id,
            limit=MAX_REPLAYED,
        )
        if not sequences:
            self.subscribing.rule_out_bad_key(caller)
            self._check_owned(subscription_id, caller)
        self.wakeups.send("delivery", sequences)
        answer: dict[str, Any] = _REPLAYED.dump({"replayed": len(sequences), "remaining": left})
        return answer

    def _check_owned(self, subscription_id: str | None, caller: Caller) -> None:
        if subscription_id is None or self.subscriptions.owns(caller.connection, subscription_id):
            return
        raise NotFound("There is no such subscription.")

    def _row(self, subscription: Subscription) -> dict[str, Any]:
        watched = self.watches.watched_by(subscription.id, self.clock.now())
        row: dict[str, Any] = _HOOK.dump(
            {
                "id": subscription.id,
                "trigger": subscription.terms.trigger,
                "target_url": subscription.target_url,
                "handles": list(subscription.terms.handles),
                "poll_interval_seconds": subscription.interval_seconds,
                "state": subscription.state,
                "reason": subscription.reason,
                "problems": sorted({w.problem for w in watched if w.problem}),
                "created_at": subscription.created_at,
            }
        )
        return row

    def _delivery(self, values: dict[str, Any]) -> dict[str, Any]:
        row: dict[str, Any] = _DELIVERY.dump(values)
        return row


def _is_hook(subscription: Subscription) -> bool:
    """Whether it tells of a trigger: others carry what is no event, such as a webhook's rows."""
    return subscription.target_url is not None and subscription.terms.trigger in _SAMPLES


def new_secret() -> str:
    """A signing secret, as Standard Webhooks writes it."""
    return f"whsec_{base64.b64encode(random_source.token_bytes(32)).decode()}"

"""Routes of instant triggers: subscriptions and their deliveries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from flask import Blueprint, Response, jsonify, request

from connector.domain.callers import Caller
from connector.domain.errors import InvalidInput, NotFound
from connector.domain.objects import object_given
from connector.web.inputs import checked, load_input
from connector.web.lists import listed
from schemas.catalog import CATALOG
from schemas.fields import declared_fields
from schemas.hooks import HookInput
from schemas.inputs import DeliveriesInput, ReplayInput


class Hooks(Protocol):
    """Subscriptions that are delivered, as one caller sees them."""

    def subscribe(
        self, trigger: str, target_url: str, inputs: Mapping[str, Any], caller: Caller
    ) -> dict[str, Any]:
        """Makes a subscription."""

    def listed(self, caller: Caller) -> list[dict[str, Any]]:
        """The caller's subscriptions."""

    def one(self, subscription_id: str, caller: Caller) -> dict[str, Any]:
        """The caller's subscription."""

    def rotate(self, subscription_id: str, caller: Caller) -> dict[str, Any]:
        """Gives a subscription a new secret."""

    def test(self, subscription_id: str, caller: Caller) -> dict[str, Any]:
        """Sends a sample event."""

    def unsubscribe(self, subscription_id: str, caller: Caller) -> dict[str, Any]:
        """Ends a subscription."""

    def on_their_way(
        self, state: str | None, caller: Caller, subscription_id: str | None = None
    ) -> list[dict[str, Any]]:
        """The caller's newest deliveries."""

    def delivery(self, delivery_id: int, caller: Caller) -> dict[str, Any]:
        """The caller's delivery, with each try."""

    def replay(self, delivery_id: int, caller: Caller) -> dict[str, Any]:
        """Sends a delivery again."""

    def replay_dead(self, caller: Caller, subscription_id: str | None = None) -> dict[str, Any]:
        """Sends dead deliveries again."""


# As far as the database counts.
MAX_ID: Final = 2**63 - 1
_TRIGGERS: Final = {trigger.key: trigger.input() for trigger in CATALOG.triggers}


def add_hook_routes(
    routes: Blueprint, hooks: Hooks, caller: Callable[[], Caller], *, paged: bool
) -> None:
    """Adds `/hooks` and `/deliveries` to the routes of a platform."""
    hook_schema, list_schema, replay_schema = HookInput(), DeliveriesInput(), ReplayInput()

    def subscribe() -> Response:
        who = caller()
        asked = load_input(request, hook_schema)
        trigger, inputs = _asked(asked)
        response = jsonify(hooks.subscribe(trigger, asked["target_url"], inputs, who))
        response.status_code = 201
        return response

    def subscriptions() -> Response:
        return listed(hooks.listed(caller()), None, paged=paged)

    def one(subscription_id: str) -> Response:
        return jsonify(hooks.one(subscription_id, caller()))

    def rotate(subscription_id: str) -> Response:
        return jsonify(hooks.rotate(subscription_id, caller()))

    def test(subscription_id: str) -> Response:
        return jsonify(hooks.test(subscription_id, caller()))

    def unsubscribe(subscription_id: str) -> Response:
        return jsonify(hooks.unsubscribe(subscription_id, caller()))

    def deliveries() -> Response:
        who = caller()
        asked = load_input(request, list_schema)
        return listed(hooks.on_their_way(caller=who, **asked), None, paged=paged)

    def delivery(delivery_id: int) -> Response:
        who = caller()
        return jsonify(hooks.delivery(_checked(delivery_id), who))

    def replay(delivery_id: int) -> Response:
        who = caller()
        return jsonify(hooks.replay(_checked(delivery_id), who))

    def replay_dead() -> Response:
        who = caller()
        return jsonify(hooks.replay_dead(who, **load_input(request, replay_schema)))

    routes.add_url_rule("/hooks", "subscribe", subscribe, methods=["POST"])
    routes.add_url_rule("/hooks", "hooks", subscriptions)
    routes.add_url_rule("/hooks/<subscription_id>", "hook", one)
    routes.add_url_rule("/hooks/<subscription_id>", "unsubscribe", unsubscribe, methods=["DELETE"])
    routes.add_url_rule("/hooks/<subscription_id>/rotate", "rotate", rotate, methods=["POST"])
    routes.add_url_rule("/hooks/<subscription_id>/test", "test", test, methods=["POST"])
    routes.add_url_rule("/deliveries", "deliveries", deliveries)
    routes.add_url_rule("/deliveries/<int:delivery_id>", "delivery", delivery)
    routes.add_url_rule("/deliveries/replay", "replay_dead", replay_dead, methods=["POST"])
    routes.add_url_rule("/deliveries/<int:delivery_id>/replay", "replay", replay, methods=["POST"])


def _checked(delivery_id: int) -> int:
    if delivery_id > MAX_ID:
        raise NotFound
    return delivery_id


def _asked(asked: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The trigger and its inputs, which stand in `inputs` or beside it. Raises `InvalidInput`."""
    trigger = asked["trigger"]
    if trigger not in _TRIGGERS:
        raise InvalidInput(f"trigger: Must be one of {', '.join(_TRIGGERS)}.")
    beside = {key: value for key, value in asked.items() if key not in declared_fields(HookInput)}
    return trigger, checked(
        _TRIGGERS[trigger], {**beside, **object_given("inputs", asked["inputs"])}
    )

"""Pages of subscriptions and of what is on its way to their receivers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from connector.domain.deliveries import PENDING
from connector.domain.errors import ConnectorError, NotFound
from connector.web.console.desk import ON_PLATFORM, Desk, back_to, failure, over_platforms, page
from connector.web.console.forms import form_of, given_in_form
from connector.web.hooks import MAX_ID
from connector.web.inputs import checked
from connector.web.routes import UseCases
from schemas.catalog import WATCH_PROFILE
from schemas.inputs import DELIVERY_STATES

# A page that waits for it looks again and again.
_SOON: Final = timedelta(minutes=1)


def add_event_pages(routes: Blueprint, use_cases: UseCases, desk: Desk) -> None:
    """Adds the pages of subscriptions and deliveries, of all platforms."""
    _add_subscriptions(routes, use_cases, desk)
    _add_deliveries(routes, use_cases, desk)


def _add_subscriptions(routes: Blueprint, use_cases: UseCases, desk: Desk) -> None:
    hooks, schema = use_cases.hooks, WATCH_PROFILE.input()
    watch = use_cases.handlers[WATCH_PROFILE.key]

    def every(status: int = 200, *, given: Any = None, **shown: Any) -> Response:
        return page(
            "subscriptions",
            status,
            subscriptions=over_platforms(desk, hooks.listed),
            form=list(form_of(schema, given)),
            **shown,
        )

    def subscribe() -> Response:
        given = given_in_form(schema)
        try:
            made = watch(checked(schema, given), desk.caller()).value
        except ConnectorError as error:
            return every(**failure(error), given=given)
        # Not by way of a redirect: what is shown once is kept nowhere.
        return page("secret", 201, subscription=made, again=False)

    def one(platform: str, subscription_id: str) -> Response:
        caller = desk.caller(platform)
        return page(
            "subscription",
            subscription=hooks.one(subscription_id, caller),
            deliveries=hooks.on_their_way(None, caller, subscription_id=subscription_id),
            platform=platform,
        )

    def test(platform: str, subscription_id: str) -> AnyResponse:
        sent = hooks.test(subscription_id, desk.caller(platform))
        return back_to("delivery", "tested", platform=platform, delivery_id=sent["id"])

    def rotate(platform: str, subscription_id: str) -> Response:
        made = hooks.rotate(subscription_id, desk.caller(platform))
        return page("secret", subscription=made, again=True)

    def replay_dead(platform: str, subscription_id: str) -> AnyResponse:
        notice = _notice([hooks.replay_dead(desk.caller(platform), subscription_id)])
        return back_to("subscription", notice, platform=platform, subscription_id=subscription_id)

    def end(platform: str, subscription_id: str) -> AnyResponse:
        if not hooks.unsubscribe(subscription_id, desk.caller(platform))["deleted"]:
            raise NotFound
        return back_to("subscriptions", "unsubscribed")

    item = f"/subscriptions/{ON_PLATFORM}/<subscription_id>"
    routes.add_url_rule("/subscriptions", "subscriptions", every)
    routes.add_url_rule("/subscriptions", "subscribe", subscribe, methods=["POST"])
    routes.add_url_rule(item, "subscription", one)
    for name, view in (("test", test), ("rotate", rotate), ("end", end), ("replay", replay_dead)):
        routes.add_url_rule(f"{item}/{name}", f"{name}_subscription", view, methods=["POST"])


def _add_deliveries(routes: Blueprint, use_cases: UseCases, desk: Desk) -> None:
    hooks = use_cases.hooks

    def every() -> Response:
        state = request.args.get("state", "")
        state = state if state in DELIVERY_STATES else ""
        found = over_platforms(desk, lambda caller: hooks.on_their_way(state or None, caller))
        found.sort(key=lambda delivery: int(delivery["id"]), reverse=True)
        return page("deliveries", deliveries=found, state=state, states=DELIVERY_STATES)

    def one(platform: str, delivery_id: int) -> Response:
        found = hooks.delivery(delivery_id, desk.caller(platform))
        due = datetime.fromisoformat(found["due_at"])
        soon = found["state"] == PENDING and due - desk.clock.now() < _SOON
        return page("delivery", delivery=found, platform=platform, soon=soon)

    def replay(platform: str, delivery_id: int) -> AnyResponse:
        hooks.replay(delivery_id, desk.caller(platform))
        return back_to("delivery", "replayed", platform=platform, delivery_id=delivery_id)

    def replay_dead() -> AnyResponse:
        return back_to("deliveries", _notice([hooks.replay_dead(c) for c in desk.callers()]))

    item = f"/deliveries/{ON_PLATFORM}/<int(max={MAX_ID}):delivery_id>"
    routes.add_url_rule("/deliveries", "deliveries", every)
    routes.add_url_rule("/deliveries/replay", "replay_dead", replay_dead, methods=["POST"])
    routes.add_url_rule(item, "delivery", one)
    routes.add_url_rule(f"{item}/replay", "replay_delivery", replay, methods=["POST"])


def _notice(replays: Sequence[Mapping[str, Any]]) -> str:
    if any(replay["remaining"] for replay in replays):
        return "some_replayed"
    return "all_replayed" if any(replay["replayed"] for replay in replays) else "none_replayed"

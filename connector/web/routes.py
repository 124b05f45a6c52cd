"""Routes of one platform, built from the catalog."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Blueprint, Response, jsonify, request
from marshmallow import Schema
from werkzeug.exceptions import MethodNotAllowed

from connector.domain.answers import Page, Result
from connector.domain.callers import Caller
from connector.domain.deadlines import Deadline
from connector.domain.errors import InvalidInput
from connector.domain.pictures import Picture
from connector.domain.platforms import Platform
from connector.domain.ports import Clock
from connector.web.console.session import Visits
from connector.web.console.shapes import Deleting, UsageByDay, Watched
from connector.web.history import History, add_history_route
from connector.web.hooks import Hooks, add_hook_routes
from connector.web.idempotency import Idempotency, register_idempotency
from connector.web.inputs import api_key_of, load_input
from connector.web.jobs import Jobs, add_job_routes
from connector.web.limits import pass_on
from connector.web.lists import listed
from connector.web.webhooks import Firing, Webhooks, add_webhook_routes
from schemas.account import DeleteInput
from schemas.catalog import CATALOG, Trigger
from schemas.inputs import PageInput
from schemas.universal import Choice

UseCase = Callable[[Mapping[str, Any], Caller], Result]
Poll = Callable[[str, Mapping[str, Any], Caller, Page], tuple[list[Mapping[str, Any]], int | None]]
View = Callable[[], Response]


@dataclass(frozen=True)
class UseCases:
    """What the routes call; `handlers` are by catalog key."""

    handlers: Mapping[str, UseCase]
    poll: Poll
    hooks: Hooks
    jobs: Jobs
    idempotency: Idempotency
    call_api: UseCase
    usage: Callable[[Caller], Result]
    describe_account: Callable[[Caller], Result]
    history: History
    webhooks: Webhooks
    firing: Firing
    visits: Visits
    deleting: Deleting
    watched: Watched
    picture_of: Callable[[str, Caller], Picture | None]
    usage_by_day: UsageByDay


def platform_routes(
    platform: Platform,
    use_cases: UseCases,
    *,
    clock: Clock,
    max_deadline_seconds: float,
    base_url: str | None,
) -> Blueprint:
    """Everything in the catalog, and the connection test, under `/{platform}`.

    Addresses of webhooks begin with `base_url` or, without it, with the host that the request names.
    """
    routes = Blueprint(platform.key, __name__, url_prefix=f"/{platform.key}")
    seconds = min(platform.deadline_seconds, max_deadline_seconds)
    deletion = DeleteInput()

    def caller() -> Caller:
        deadline = Deadline(seconds, clock.monotonic)
        root = base_url or request.host_url
        return Caller(platform, deadline, api_key_of(request), root)

    def view(use_case: UseCase, schema: type[Schema], *, listed: bool = False) -> View:
        input_schema = schema()

        def run() -> Response:
            # Flask answers HEAD as it does GET, and a look-up costs the same without its row.
            if request.method == "HEAD":
                raise MethodNotAllowed(["GET", "POST"])
            who = caller()
            result = use_case(load_input(request, input_schema), who)
            return _send(result, paged=platform.paged if listed else None)

        return run

    def poll(trigger: Trigger) -> View:
        input_schema, page_schema = trigger.input(), PageInput()

        def run() -> Response:
            if request.method == "HEAD":
                raise MethodNotAllowed(["GET"])
            who = caller()
            asked = load_input(request, page_schema)
            page = Page(asked["limit"], asked["cursor"], sample=asked["is_loading_sample"])
            rows, cursor = use_cases.poll(trigger.key, load_input(request, input_schema), who, page)
            return listed(rows, cursor, paged=platform.paged)

        return run

    def me() -> Response:
        return _send(use_cases.describe_account(caller()))

    def delete_all() -> Response:
        who = caller()
        if not load_input(request, deletion)["confirm"]:
            raise InvalidInput("confirm: Must be true, as nothing of it comes back.")
        deleted = use_cases.deleting.delete(who)
        return _send(Result(deleted, None, goes_on=not deleted["deleted"]))

    def usage() -> Response:
        return _send(use_cases.usage(caller()))

    routes.add_url_rule("/me", "me", me)
    routes.add_url_rule("/me", "delete_me", delete_all, methods=["DELETE"])
    routes.add_url_rule("/usage", "usage", usage)
    universal = CATALOG.universal
    run = view(use_cases.call_api, universal.input)
    routes.add_url_rule(f"/{universal.key}", universal.key, run, methods=["POST"])
    for pick_list in CATALOG.pick_lists:
        choices = Choice(many=True).dump(
            {"label": label, "value": value} for label, value in pick_list.choices
        )
        # Public, and the same for everybody: needs no key.
        routes.add_url_rule(
            f"/rpcs/{pick_list.key}", f"rpc_{pick_list.key}", partial(jsonify, choices)
        )
    for action in CATALOG.actions:
        run = view(use_cases.handlers[action.key], action.input)
        routes.add_url_rule(f"/actions/{action.key}", action.key, run, methods=["POST"])
    for search in CATALOG.searches:
        run = view(use_cases.handlers[search.key], search.input, listed=True)
        routes.add_url_rule(f"/searches/{search.key}", search.key, run, methods=["GET", "POST"])
    for trigger in CATALOG.triggers:
        routes.add_url_rule(f"/triggers/{trigger.key}", trigger.key, poll(trigger))
    add_history_route(routes, use_cases.history, caller, paged=platform.paged)
    register_idempotency(routes, use_cases.idempotency, platform.key)
    add_hook_routes(routes, use_cases.hooks, caller, paged=platform.paged)
    add_job_routes(routes, use_cases.jobs, caller, paged=platform.paged)
    add_webhook_routes(routes, use_cases.webhooks, caller, paged=platform.paged)
    return routes


def _send(result: Result, *, paged: bool | None = None) -> Response:
    """One object or, where `paged` says how, a list."""
    if paged is not None:
        return pass_on(result.rate_limit, listed(result.value, result.cursor, paged=paged))
    response = jsonify(result.value)
    response.status_code = 202 if result.goes_on else 200
    return pass_on(result.rate_limit, response)

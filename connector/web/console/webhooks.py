"""Pages of incoming webhooks: made, with an address that is shown once; their last calls; ended."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from werkzeug.wrappers import Response as AnyResponse

from connector.domain.errors import ConnectorError, NotFound
from connector.web.console.desk import ON_PLATFORM, Desk, back_to, failure, over_platforms, page
from connector.web.console.forms import form_of, given_in_form
from connector.web.inputs import checked
from connector.web.routes import UseCases
from schemas.webhooks import MODES, RotateInput, WebhookInput


def add_webhook_pages(routes: Blueprint, use_cases: UseCases, desk: Desk) -> None:
    """Adds the pages of webhooks, of all platforms."""
    webhooks, schema, rotation = use_cases.webhooks, WebhookInput(), RotateInput()

    def every(status: int = 200, *, given: Any = None, **shown: Any) -> Response:
        found = over_platforms(desk, webhooks.listed)
        form = list(form_of(schema, given))
        return page("webhooks", status, webhooks=found, form=form, modes=MODES, **shown)

    def create() -> Response:
        given = given_in_form(schema)
        try:
            made = webhooks.create(checked(schema, given), desk.caller())
        except ConnectorError as error:
            return every(**failure(error), given=given)
        # Not by way of a redirect: what is shown once is kept nowhere.
        return page("webhook_made", 201, webhook=made, again=False)

    def one(platform: str, webhook_id: str) -> Response:
        caller = desk.caller(platform)
        webhook = webhooks.one(webhook_id, caller)
        calls = webhooks.calls(webhook_id, caller)
        return page("webhook", webhook=webhook, platform=platform, calls=calls, modes=MODES)

    def rotate(platform: str, webhook_id: str) -> Response:
        made = webhooks.rotate(webhook_id, checked(rotation, {}), desk.caller(platform))
        return page("webhook_made", webhook=made, again=True)

    def end(platform: str, webhook_id: str) -> AnyResponse:
        if not webhooks.end(webhook_id, desk.caller(platform))["deleted"]:
            raise NotFound
        return back_to("webhooks", "webhook_ended")

    item = f"/webhooks/{ON_PLATFORM}/<webhook_id>"
    routes.add_url_rule("/webhooks", "webhooks", every)
    routes.add_url_rule("/webhooks", "create_webhook", create, methods=["POST"])
    routes.add_url_rule(item, "webhook", one)
    routes.add_url_rule(f"{item}/rotate", "rotate_webhook", rotate, methods=["POST"])
    routes.add_url_rule(f"{item}/end", "end_webhook", end, methods=["POST"])

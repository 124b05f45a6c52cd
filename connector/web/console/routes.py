"""Everything under `/console`, put together: who may come in, and the pages."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, g, redirect, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from connector.domain.errors import InvalidApiKey
from connector.domain.ports import Clock
from connector.web.console.desk import FILES, Desk, back_to, framing, page, show_errors
from connector.web.console.events import add_event_pages
from connector.web.console.jobs import add_job_pages
from connector.web.console.look import FILTERS
from connector.web.console.session import farewell, guard, way_back, welcome
from connector.web.console.try_it import add_try_page
from connector.web.console.usage import add_usage_page
from connector.web.console.watched import add_watched_pages
from connector.web.console.webhooks import add_webhook_pages
from connector.web.console.your_data import add_data_page
from connector.web.inputs import checked_key
from connector.web.rates import Rates
from connector.web.routes import UseCases
from connector.web.viewer import send_file

ASSETS: Final = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "charts.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "uplot.js": "text/javascript",
    "uplot.css": "text/css",
}
"""What pages load, by name; nothing else is served."""


def console_routes(
    use_cases: UseCases,
    *,
    clock: Clock,
    rates: Rates,
    max_deadline_seconds: float,
    base_url: str | None,
    test_key: str | None,
) -> Blueprint:
    """Everything under `/console`."""
    routes = Blueprint("console", __name__, url_prefix="/console", template_folder="templates")
    desk = Desk(clock=clock, max_deadline_seconds=max_deadline_seconds, base_url=base_url)

    guard(routes, use_cases.visits, caller=desk.caller, secure=desk.is_secure)
    routes.before_request(lambda: rates.check_key(g.console_key or ""))
    show_errors(routes)
    routes.context_processor(framing)
    for name, shown in FILTERS.items():
        routes.add_app_template_filter(shown, name)
    _add_doors(routes, use_cases, desk, test_key)
    add_try_page(routes, use_cases, desk)
    add_watched_pages(routes, use_cases, desk)
    add_event_pages(routes, use_cases, desk)
    add_webhook_pages(routes, use_cases, desk)
    add_job_pages(routes, use_cases, desk)
    add_usage_page(routes, use_cases, desk)
    add_data_page(routes, use_cases, desk)
    routes.add_url_rule("/<path:_nowhere>", "nowhere", _nowhere)
    return routes


def _add_doors(routes: Blueprint, use_cases: UseCases, desk: Desk, test_key: str | None) -> None:
    def sign_in() -> Response | AnyResponse:
        if g.console_key is not None:
            return redirect(url_for("console.try_it"), 303)
        return page("sign_in", test_key=test_key, next=way_back(request.args.get("next", "")))

    def begin() -> Response | AnyResponse:
        to = way_back(request.form.get("next", ""))
        try:
            caller = desk.guest(checked_key(request.form.get("api_key", "")))
            token = use_cases.visits.begin(caller)
        except InvalidApiKey as error:
            return page("sign_in", 401, test_key=test_key, next=to, problem=error.message)
        return welcome(redirect(to, 303), token, secure=desk.is_secure())

    def sign_out() -> AnyResponse:
        use_cases.visits.end(g.console_token)
        return farewell(back_to("sign_in", "signed_out"), secure=desk.is_secure())

    routes.add_url_rule("/sign-in", "sign_in", sign_in)
    routes.add_url_rule("/sign-in", "begin", begin, methods=["POST"])
    routes.add_url_rule("/sign-out", "sign_out", sign_out, methods=["POST"])
    routes.add_url_rule("/static/<name>", "asset", _asset)


def _asset(name: str) -> Response:
    if name not in ASSETS:
        raise NotFound
    return send_file(FILES, name, ASSETS[name])


def _nowhere(_nowhere: str) -> Response:
    raise NotFound("There is no such page.")

"""The Flask application: what every route shares."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, jsonify, request

from connector.domain.acting import API_KEY, CONSOLE, acts
from connector.domain.errors import Unavailable
from connector.domain.platforms import PLATFORMS
from connector.domain.ports import Clock
from connector.web.console.desk import refused
from connector.web.console.routes import console_routes
from connector.web.errors import register_errors
from connector.web.health import Checks, health_routes
from connector.web.metrics import Scrape, metrics_routes
from connector.web.rates import Rates, limit_rates
from connector.web.routes import UseCases, platform_routes
from connector.web.trace import register_trace
from connector.web.viewer import Document, viewer_routes
from connector.web.webhooks import firing_routes
from wire.json_answers import JSONAnswers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)
IsOutage = Callable[[Exception], bool]
MAX_BODY_BYTES = 1024 * 1024


def create_app(
    use_cases: UseCases,
    *,
    document: Document,
    checks: Checks,
    notes: Checks,
    scrape: Scrape,
    clock: Clock,
    rates: Rates,
    is_outage: IsOutage,
    max_deadline_seconds: float,
    base_url: str | None = None,
    test_key: str | None = None,
) -> Flask:
    """The application. `max_deadline_seconds` caps every platform's own deadline.

    `is_outage` tells what comes of a database that is gone from a fault of ours. `base_url` is its
    public address, where it is known; `test_key` one that anybody may use.
    """
    app = _App(is_outage)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES
    app.json = JSONAnswers(app)
    # Zapier refuses a redirect that ends on loopback, and a redirected POST loses its body.
    app.url_map.strict_slashes = False
    register_trace(app)
    app.before_request(_say_who)
    limit_rates(app, rates)
    register_errors(app, pages={"/console": refused})
    for platform in PLATFORMS:
        app.register_blueprint(
            platform_routes(
                platform,
                use_cases,
                clock=clock,
                max_deadline_seconds=max_deadline_seconds,
                base_url=base_url,
            )
        )
    app.register_blueprint(firing_routes(use_cases.firing, use_cases.idempotency))
    app.register_blueprint(health_routes(checks, notes))
    app.register_blueprint(metrics_routes(scrape))
    app.register_blueprint(viewer_routes(document))
    app.register_blueprint(
        console_routes(
            use_cases,
            clock=clock,
            rates=rates,
            max_deadline_seconds=max_deadline_seconds,
            base_url=base_url,
            test_key=test_key,
        )
    )
    app.add_url_rule("/", "index", lambda: jsonify(_index(app)))
    return app


class _App(Flask):
    def __init__(self, is_outage: IsOutage) -> None:
        super().__init__(__name__, static_folder=None)
        self._is_outage = is_outage

    def handle_user_exception(self, e: Exception) -> Any:
        """Here, as pages and platforms show it each in their own way."""
        if not self._is_outage(e):
            return super().handle_user_exception(e)
        # Without the traceback: each request has the same.
        log.error("the database can't be used", extra={"problem": str(getattr(e, "orig", e))})
        return super().handle_user_exception(Unavailable())

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Called by Flask for each function of each request; to find that none is async takes it long."""
        return func


def _say_who() -> None:
    acts(CONSOLE if request.path.startswith("/console") else API_KEY)


def _index(app: Flask) -> dict[str, object]:
    """What there is, for a person who opens the address."""
    rules = sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule)
    return {
        "about": "Public TikTok profile data as flat fields, for Zapier, Make and plain HTTP.",
        "authentication": "Authorization: Bearer YOUR_KEY, or X-API-Key: YOUR_KEY",
        "console": "/console/",
        "documentation": "/docs",
        "routes": [
            f"{' or '.join(sorted((rule.methods or set()) - {'HEAD', 'OPTIONS'}))} {rule.rule}"
            for rule in rules
        ],
    }


def single_slashes(application: WSGIApplication) -> WSGIApplication:
    """Reads `//x` as `/x`: Make puts a base address before a path that starts with a slash."""

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["PATH_INFO"] = re.sub("/{2,}", "/", environ.get("PATH_INFO", ""))
        return application(environ, start_response)

    return wrapped

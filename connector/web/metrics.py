"""`/metrics`, for whoever may read it. What it says comes from elsewhere."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import NotFound, Unauthorized

from connector.web.errors import register_errors
from connector.web.trace import register_trace


@dataclass(frozen=True)
class Scrape:
    """The metrics as `text`, for whoever has the `token`; without one, for all where it `is_open`."""

    text: Callable[[], bytes]
    content_type: str
    token: str | None = field(repr=False)
    is_open: bool

    def answer(self) -> Response:
        """The text, where the request may have it."""
        self._check(request.headers.get("Authorization", ""))
        return Response(self.text(), content_type=self.content_type)

    def _check(self, given: str) -> None:
        if self.token:
            if not hmac.compare_digest(given.encode(), f"Bearer {self.token}".encode()):
                raise Unauthorized
        elif not self.is_open:
            raise NotFound


def metrics_routes(scrape: Scrape) -> Blueprint:
    """The one route."""
    routes = Blueprint("metrics", __name__)
    routes.add_url_rule("/metrics", "metrics", scrape.answer)
    return routes


def metrics_app(scrape: Scrape) -> Flask:
    """An application with nothing else, for a process that serves nothing else."""
    app = Flask(__name__, static_folder=None)
    register_trace(app)
    register_errors(app, pages={})
    app.register_blueprint(metrics_routes(scrape))
    return app

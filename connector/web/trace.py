"""One id and one log line a request. The line holds no query, body or header: keys live there."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request

from connector.domain.trace import HEADER, harmless, request_id, under

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("connector.requests")


def register_trace(app: Flask) -> None:
    """Gives each request an id (the caller's own where it is harmless) and logs its outcome."""
    app.wsgi_app = _traced(app.wsgi_app)  # type: ignore[assignment,method-assign]  # Flask's own way
    app.before_request(_begin)
    app.after_request(_end)


def _traced(application: WSGIApplication) -> WSGIApplication:
    """Around all of it, so that no thread takes an id along to the next request."""

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with under(harmless(environ.get("HTTP_X_REQUEST_ID", ""))):
            return application(environ, start_response)

    return wrapped


def _begin() -> None:
    g.began_at = time.monotonic()


def _end(response: Response) -> Response:
    response.headers[HEADER] = str(request_id())
    # A file of the viewer has a word of its own on how it may be kept.
    response.headers.setdefault("Cache-Control", "no-store")
    # A scraper comes every few seconds.
    log.log(
        logging.DEBUG if request.endpoint == "metrics.metrics" else logging.INFO,
        "request",
        extra={
            "method": request.method,
            "route": request.url_rule.rule if request.url_rule else "(no such route)",
            "status": response.status_code,
            "milliseconds": round((time.monotonic() - g.began_at) * 1000),
        },
    )
    return response

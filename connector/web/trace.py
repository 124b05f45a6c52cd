"""One id and one log line a request. The line holds no query, body or header: keys live there."""

from __future__ import annotations

import logging
import re
import time
import uuid

from flask import Flask, Response, g, request

log = logging.getLogger("connector.requests")
# Not what may be a key or a webhook's token, put there by mistake.
_ID = re.compile(r"(?!sk_|wh_)[A-Za-z0-9._-]{8,64}")


def register_trace(app: Flask) -> None:
    """Gives each request an id (the caller's own where it is harmless) and logs its outcome."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex
    g.began_at = time.monotonic()


def _end(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    # A file of the viewer has a word of its own on how it may be kept.
    response.headers.setdefault("Cache-Control", "no-store")
    log.info(
        "%s %s %d %.0f ms request_id=%s",
        request.method,
        request.url_rule.rule if request.url_rule else "(no such route)",
        response.status_code,
        (time.monotonic() - g.began_at) * 1000,
        g.request_id,
    )
    return response

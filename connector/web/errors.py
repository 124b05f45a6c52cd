"""Errors as answers: the only place that knows status codes. Every body is the one published schema."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Final

from flask import Flask, Response, g, jsonify
from werkzeug.exceptions import HTTPException

from connector.domain import errors
from connector.domain.errors import ConnectorError
from connector.web.limits import pass_on
from schemas.errors import ErrorBody

log = logging.getLogger(__name__)
_BODY = ErrorBody()

STATUSES: Final[Mapping[type[ConnectorError], int]] = {
    errors.InvalidInput: 400,
    errors.InvalidHandle: 400,
    errors.InvalidApiKey: 401,
    errors.InsufficientCredits: 403,
    errors.ProfileNotFound: 404,
    errors.RateLimited: 429,
    errors.UpstreamInvalid: 502,
    errors.UpstreamUnavailable: 502,
    errors.UpstreamTimeout: 504,
}

# What the web server itself refuses, before any use case: status -> (code, advice).
REFUSALS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("invalid_input", "Correct the request and send it again; nothing was charged."),
    404: ("not_found", "Check the address; GET / lists what there is."),
    405: ("method_not_allowed", "Use one of the methods in the Allow header."),
    413: ("payload_too_large", "Send less than 1 MB."),
    500: ("internal_error", "This is a fault of the connector. Report it with the request id."),
}


def register_errors(app: Flask) -> None:
    """Turns every exception into the published error body."""
    app.register_error_handler(ConnectorError, _connector_error)
    app.register_error_handler(HTTPException, _refusal)
    app.register_error_handler(Exception, _fault)


def documented() -> Iterator[tuple[int, str, bool, str]]:
    """Every error of a look-up as (status, code, retryable, advice), in the order of statuses."""
    for kind, status in STATUSES.items():
        yield status, kind.code, kind.retryable, kind.advice


def _connector_error(error: ConnectorError) -> Response:
    response = _answer(
        STATUSES[type(error)], error.code, error.message, error.advice, retryable=error.retryable
    )
    if error.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return pass_on(error.rate_limit, response)


def _refusal(error: HTTPException) -> Response:
    status = error.code or 500
    code, advice = REFUSALS.get(status, REFUSALS[400 if status < 500 else 500])
    response = _answer(status, code, f"{error.name}.", advice, retryable=False)
    if allowed := getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def _fault(error: Exception) -> Response:
    log.exception("request %s failed: %s", g.get("request_id"), type(error).__name__)
    code, advice = REFUSALS[500]
    return _answer(500, code, "The connector failed unexpectedly.", advice, retryable=False)


def _answer(status: int, code: str, message: str, advice: str, *, retryable: bool) -> Response:
    body = {
        "error": message,
        "error_code": code,
        "retryable": retryable,
        "advice": advice,
        "request_id": g.get("request_id"),
    }
    response = jsonify(_BODY.dump(body))
    response.status_code = status
    return response

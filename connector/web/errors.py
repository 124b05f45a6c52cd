"""Errors as answers: the only place that knows status codes. Every body is the one published schema."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from connector.domain import errors
from connector.domain.errors import ConnectorError
from connector.domain.trace import request_id
from connector.web.limits import pass_on
from schemas.errors import ErrorBody

log = logging.getLogger(__name__)
_BODY = ErrorBody()

STATUSES: Final[Mapping[type[ConnectorError], int]] = {
    errors.InvalidInput: 400,
    errors.InvalidHandle: 400,
    errors.InvalidApiKey: 401,
    errors.InvalidSignature: 401,
    errors.InsufficientCredits: 403,
    errors.BudgetExceeded: 403,
    errors.WebhookDisabled: 403,
    errors.ProfileNotFound: 404,
    errors.NotFound: 404,
    errors.NotWatched: 404,
    errors.IdempotencyKeyBusy: 409,
    errors.BeingDeleted: 409,
    errors.IdempotencyKeyReused: 422,
    errors.RateLimited: 429,
    errors.UpstreamInvalid: 502,
    errors.UpstreamUnavailable: 502,
    errors.Unavailable: 503,
    errors.UpstreamTimeout: 504,
}

# What the web server itself refuses, before any use case: status -> (code, advice).
REFUSALS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("invalid_input", "Correct the request and send it again; nothing was charged."),
    401: ("invalid_token", "Send the operator's token as 'Authorization: Bearer TOKEN'."),
    404: ("not_found", "Check the address; GET / lists what there is."),
    405: ("method_not_allowed", "Use one of the methods in the Allow header."),
    408: ("request_timeout", "Send the request in one go; its head has to be there in 10 seconds."),
    413: ("payload_too_large", "Send less than 1 MB."),
    414: ("address_too_long", "Send the input in the body; an address holds 8 KB."),
    431: ("headers_too_large", "Send fewer or shorter headers; each holds 8 KB."),
    500: ("internal_error", "This is a fault of the connector. Report it with the request id."),
}


Refused = Callable[[HTTPException], Any]


def register_errors(app: Flask, *, pages: Mapping[str, Refused]) -> None:
    """Turns every exception into the published error body; below the paths of `pages`, into a page."""

    def refusal(error: HTTPException) -> Any:
        shown = next((pages[path] for path in pages if request.path.startswith(path)), _refusal)
        return shown(error)

    app.register_error_handler(ConnectorError, _connector_error)
    app.register_error_handler(HTTPException, refusal)
    app.register_error_handler(Exception, _fault)


def documented() -> Iterator[tuple[int, str, bool, str]]:
    """Every error of a look-up as (status, code, retryable, advice), in the order of statuses."""
    for kind, status in STATUSES.items():
        yield status, kind.code, kind.retryable, kind.advice


def error_body(error: ConnectorError) -> dict[str, Any]:
    """What platforms get."""
    return _body(error.message, error.code, error.advice, retryable=error.retryable)


def _connector_error(error: ConnectorError) -> Response:
    response = _answer(STATUSES[type(error)], error_body(error))
    if error.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return pass_on(error.rate_limit, response)


def refusal_body(status: int, message: str) -> dict[str, Any]:
    """The published body for what is refused before any use case sees it."""
    code, advice = REFUSALS.get(status, REFUSALS[400 if status < 500 else 500])
    return _body(message, code, advice, retryable=False)


def _refusal(error: HTTPException) -> Response:
    status = error.code or 500
    response = _answer(status, refusal_body(status, f"{error.name}."))
    if allowed := getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def fault_body(error: Exception) -> dict[str, Any]:
    """What is told of a fault of ours, which the log has whole."""
    log.exception("request failed: %s", type(error).__name__)
    return refusal_body(500, "The connector failed unexpectedly.")


def _fault(error: Exception) -> Response:
    return _answer(500, fault_body(error))


def _body(message: str, code: str, advice: str, *, retryable: bool) -> dict[str, Any]:
    body: dict[str, Any] = _BODY.dump(
        {
            "error": message,
            "error_code": code,
            "retryable": retryable,
            "advice": advice,
            "request_id": request_id(),
        }
    )
    return body


def _answer(status: int, body: dict[str, Any]) -> Response:
    response = jsonify(body)
    response.status_code = status
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response

"""The route that fires an incoming webhook. It belongs to no platform and needs no key."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import Schema

from connector.domain import errors
from connector.domain.inbound import NAMES
from connector.exports.openapi.headers import IDEMPOTENCY_KEY, RATE_LIMIT, REQUEST_ID, sent
from connector.exports.openapi.responses import EVERYWHERE, Responses
from connector.exports.openapi.schema_objects import SchemaConverter
from schemas.fields import sample_of
from schemas.profile import ProfileRow
from schemas.webhooks import Accepted

TAG: Final = {"name": "webhooks", "description": "Addresses that look profiles up without a key."}
_ERRORS: Final = (
    errors.InvalidInput,
    errors.InvalidHandle,
    errors.InvalidSignature,
    errors.BudgetExceeded,
    errors.InsufficientCredits,
    errors.WebhookDisabled,
    errors.NotFound,
    errors.ProfileNotFound,
    errors.IdempotencyKeyBusy,
    errors.IdempotencyKeyReused,
    errors.RateLimited,
    errors.UpstreamInvalid,
    errors.UpstreamUnavailable,
    errors.UpstreamTimeout,
)
_ABOUT: Final = (
    "Looks up the handle in whatever is sent, with the API key and on the platform of who made the"
    " webhook. It is found at the webhook's own path or, in JSON at any depth, in a form or in the query,"
    f" by the names {', '.join(f'`{name}`' for name in NAMES)}; a text is the handle, or holds @name or the"
    " address of a profile. Costs 2 credits unless the profile was looked up within a minute. `HEAD` is"
    " refused, as whoever only looks whether it is there must not pay."
)
_TOKEN: Final = {
    "name": "token",
    "in": "path",
    "required": True,
    "description": "The secret at the end of the webhook's address.",
    "schema": {"type": "string", "minLength": 1},
}
_HANDLE: Final = {
    "name": "handle",
    "in": "query",
    "required": False,
    "description": "The handle, where the body holds none.",
    "example": "stoolpresidente",
    "schema": {"type": "string"},
}
_HANDLE_ONLY: Final = {"type": "object", "properties": {"handle": {"type": "string"}}}
_EXAMPLE: Final = {"handle": "stoolpresidente"}


def firing_paths(converter: SchemaConverter, responses: Responses) -> dict[str, Any]:
    """The path item."""
    get: dict[str, Any] = {
        "operationId": "fire_by_query",
        "summary": "Fire a webhook by its address",
        "description": _ABOUT,
        "tags": [TAG["name"]],
        "security": [],
        "parameters": [_TOKEN, _HANDLE, REQUEST_ID, IDEMPOTENCY_KEY],
        "responses": {
            "200": _answer("The row.", ProfileRow, converter, *RATE_LIMIT),
            "202": _answer("The row is on its way to the target.", Accepted, converter),
            **responses.of(*EVERYWHERE, errors=_ERRORS),
        },
    }
    post = {
        **get,
        "operationId": "fire",
        "summary": "Fire a webhook",
        "requestBody": {"required": False, "content": _bodies()},
        "responses": {**get["responses"], **responses.of(413)},
    }
    return {"/webhooks/{token}": {"get": get, "post": post}}


def _bodies() -> dict[str, Any]:
    form = {"schema": _HANDLE_ONLY, "example": _EXAMPLE}
    return {
        "application/json": {"schema": {}, "example": {"data": {"user": _EXAMPLE}}},
        "application/x-www-form-urlencoded": form,
        "multipart/form-data": form,
        "text/plain": {"schema": {"type": "string"}, "example": "Look at @stoolpresidente"},
    }


def _answer(
    description: str, schema: type[Schema], converter: SchemaConverter, *headers: str
) -> dict[str, Any]:
    content = {"schema": converter.reference(schema), "example": sample_of(schema)}
    return {
        "description": description,
        "headers": sent(*headers),
        "content": {"application/json": content},
    }

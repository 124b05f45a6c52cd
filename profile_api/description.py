"""The endpoint as part of an OpenAPI document: plain data, from its own constants and failures."""

from __future__ import annotations

from typing import Any, Final

from profile_api import failures
from profile_api.app import PATH, REQUEST_SOURCES
from profile_api.failures import Failure
from profile_api.services.samples import DOCUMENTED
from profile_api.store import CREDITS_PER_REQUEST

TAG: Final = "profile API"
_HANDLE: Final = "[handle]"
_REASON: Final = "[reason]"
_FAILURES: Final = (
    failures.invalid_json(),
    failures.handle_required(),
    failures.invalid_request_source(REQUEST_SOURCES),
    failures.handle_not_processed(),
    failures.issue_reported(),
    failures.invalid_key(),
    failures.insufficient_credits(),
    failures.profile_not_found(_HANDLE),
    Failure(405, "Method Not Allowed."),
    Failure(413, "Request Entity Too Large."),
    failures.key_rate_limited(60),
    failures.service_not_configured(),
    failures.service_authentication_failed(),
    failures.unexpected(_REASON),
    failures.service_unavailable(),
    failures.invalid_format(),
    failures.service_error(),
    failures.service_rate_limited(),
)
_WHEN: Final = {
    400: "The request, or the handle in it, can't be used.",
    401: "The API key is missing, unknown or inactive.",
    403: "The API key has too few credits.",
    404: "There is no such profile.",
    405: "The endpoint has one method, POST.",
    413: "The body is larger than 64 KB.",
    429: "The API key's own limit is exceeded.",
    500: "The service is not set up, or the endpoint failed.",
    502: "The profile service failed.",
    503: "The profile service limits the endpoint.",
}
_COUNT: Final = {"type": "integer", "minimum": 0}
_LIMIT: Final = {
    "X-RateLimit-Limit": {
        "description": "Your current rate limit ceiling.",
        "schema": _COUNT,
    },
    "X-RateLimit-Remaining": {
        "description": "Remaining requests in the current window.",
        "schema": _COUNT,
    },
}
_OWN_HEADERS: Final[dict[int, dict[str, Any]]] = {
    405: {
        "Allow": {
            "description": "The methods that the endpoint has.",
            "required": True,
            "schema": {"type": "string"},
        }
    },
    429: {
        "Retry-After": {
            "description": "Whole seconds until the window ends.",
            "required": True,
            "schema": {"type": "integer", "minimum": 1},
        }
    },
}
_REQUEST: Final = {
    "type": "object",
    "required": ["handle"],
    "properties": {
        "handle": {
            "type": "string",
            "pattern": r"\S",
            "description": "The TikTok user handle (username).",
        },
        "requestSource": {
            "type": ["string", "null"],
            "enum": [*REQUEST_SOURCES, "", None],
            "default": "API",
            "description": "Source of the request. Defaults to API if not provided.",
        },
    },
}
_PROFILE: Final = {
    "type": "object",
    "required": ["user"],
    "properties": {
        "user": {"type": "object", "minProperties": 1},
        "stats": {"description": "Counts; exact ones as text in `statsV2`, where there are any."},
        "itemList": {"description": "Recent items, if available; their structure varies."},
    },
}


def described() -> dict[str, Any]:
    """The tag, path and schemas to add to a document that has the security scheme `bearer`."""
    return {
        "tags": [{"name": TAG, "description": "The documented endpoint itself, word for word."}],
        "paths": {PATH: {"post": _operation()}},
        "components": {
            "schemas": {"ProfileApiRequest": _REQUEST, "ProfileApiProfile": _PROFILE},
        },
    }


def _operation() -> dict[str, Any]:
    body = {
        "schema": {"$ref": "#/components/schemas/ProfileApiRequest"},
        "example": {"handle": "stoolpresidente", "requestSource": "API"},
    }
    return {
        "operationId": "get_tiktok_profile",
        "summary": "Get a profile as the service has it",
        "description": f"Costs {CREDITS_PER_REQUEST} credits when it succeeds, else none.",
        "tags": [TAG],
        "security": [{"bearer": []}],
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {"200": _success()}
        | {str(status): _refusal(status, when) for status, when in _WHEN.items()},
    }


def _success() -> dict[str, Any]:
    return {
        "description": "The profile.",
        "headers": {name: header | {"required": True} for name, header in _LIMIT.items()},
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/ProfileApiProfile"},
                "example": DOCUMENTED,
            }
        },
    }


def _refusal(status: int, when: str) -> dict[str, Any]:
    messages = [failure.message for failure in _FAILURES if failure.status == status]
    error = {"type": "string", "anyOf": [*map(_message, messages)]}
    return {
        "description": when,
        "headers": _LIMIT | _OWN_HEADERS.get(status, {}),
        "content": {
            "application/json": {
                "schema": {"type": "object", "required": ["error"], "properties": {"error": error}},
                "examples": {
                    f"message {number}": {"value": {"error": message}}
                    for number, message in enumerate(messages, 1)
                },
            }
        },
    }


def _message(text: str) -> dict[str, str]:
    """Matches `text`, word for word but for the end that differs from call to call."""
    for variable in (_HANDLE, _REASON):
        if text.endswith(variable):
            return {"pattern": f"^{text.removesuffix(variable)}"}
    return {"const": text}

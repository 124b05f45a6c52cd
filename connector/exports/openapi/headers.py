"""Headers that the connector reads and sends, as OpenAPI components, and references to them."""

from __future__ import annotations

from typing import Any, Final

# Required means: in every such answer. The upstream may leave its limit out.
HEADERS: Final[dict[str, Any]] = {
    "X-Request-ID": {
        "description": "Names the request in the log: the one that was sent, or a new one.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{8,64}$"},
    },
    "X-Content-Type-Options": {
        "description": "Browsers are not to guess the kind of content.",
        "required": True,
        "schema": {"type": "string", "const": "nosniff"},
    },
    "Cache-Control": {
        "description": "Answers are not to be stored on the way.",
        "required": True,
        "schema": {"type": "string", "const": "no-store"},
    },
    "Revalidate": {
        "description": "May be stored, and is to be asked for again with its `ETag`.",
        "required": True,
        "schema": {"type": "string", "const": "no-cache"},
    },
    "ETag": {
        "description": "Names this version of the file.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Content-Security-Policy": {
        "description": "The page loads and calls nothing but this server.",
        "required": True,
        "schema": {"type": "string"},
    },
    "X-RateLimit-Limit": {
        "description": "Requests that the key may make in a window, where the upstream says so.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-RateLimit-Remaining": {
        "description": "Requests left in the current window, where the upstream says so.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-Next-Cursor": {
        "description": "The cursor of the next older page, where there is one.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Retry-After": {
        "description": "Whole seconds to wait before the same request is sent again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1, "maximum": 3600},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate.",
        "required": True,
        "schema": {"type": "string", "const": "Bearer"},
    },
    "Allow": {
        "description": "The methods that the address has.",
        "required": True,
        "schema": {"type": "string"},
    },
}
PARAMETERS: Final[dict[str, Any]] = {
    "X-Request-ID": {
        "name": "X-Request-ID",
        "in": "header",
        "description": "Names the request in the log and in the answer. "
        "Kept when it is 8 to 64 letters, digits, `.`, `_` or `-`; else a new one is made.",
        "schema": {"type": "string"},
        "example": "zap-42-run-7",
    },
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Sent again within 24 hours with the same request, it is answered what the first"
        " was answered, and nothing is done or paid twice. Any text; a new one for each new request.",
        "schema": {"type": "string"},
    },
}
REQUEST_ID: Final = {"$ref": "#/components/parameters/X-Request-ID"}
IDEMPOTENCY_KEY: Final = {"$ref": "#/components/parameters/Idempotency-Key"}
_ALWAYS: Final = ("X-Request-ID", "X-Content-Type-Options")
RATE_LIMIT: Final = ("X-RateLimit-Limit", "X-RateLimit-Remaining")


def sent(*more: str) -> dict[str, Any]:
    """References to the headers of every JSON answer, and to `more`."""
    return {name: _reference(name) for name in (*_ALWAYS, "Cache-Control", *more)}


def sent_with_file(*more: str) -> dict[str, Any]:
    """The same for a file, which a browser may keep as long as it asks whether it is still good."""
    references = {name: _reference(name) for name in (*_ALWAYS, "ETag", *more)}
    return references | {"Cache-Control": _reference("Revalidate")}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}

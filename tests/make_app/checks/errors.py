"""Whether every status the connector answers becomes the right kind of error in Make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connector.web.errors import REFUSALS, STATUSES
from tests.make_app.app import App
from tests.make_app.exchange import ERROR_TYPES

# What a scenario does next depends on these.
DECIDED = {
    **dict.fromkeys((400, 404), "DataError"),
    401: "InvalidAccessTokenError",
    403: "InvalidConfigurationError",
    429: "RateLimitError",
    **dict.fromkeys(range(500, 505), "ConnectionError"),
}


def error_faults(app: App) -> list[str]:
    """Faults of the error directives of the base and the connection."""
    faults = [f"base: {fault}" for fault in _faults_of(app.general("base"))]
    for name in app.components("connection"):
        request = app.code("connection", name, "communication")
        faults += [f"connection {name}: {fault}" for fault in _faults_of(request)]
    return faults


def _faults_of(request: Mapping[str, Any]) -> Iterator[str]:
    error = request.get("response", {}).get("error", {})
    by_status = {int(key): entry for key, entry in error.items() if key.isdigit()}
    for name, entry in [("default", error), *by_status.items()]:
        if entry.get("type") not in ERROR_TYPES:
            yield f"error {name} has the unknown type {entry.get('type')!r}."
        if not entry.get("message"):
            yield f"error {name} has no message."
    for status in sorted({*STATUSES.values(), *REFUSALS} - set(by_status)):
        yield f"status {status} has no entry."
    for status, kind in DECIDED.items():
        if by_status.get(status, {}).get("type") != kind:
            yield f"status {status} is not a {kind}."
    if "retry-after" not in by_status.get(429, {}).get("message", ""):
        yield "error 429 doesn't say how long to wait."

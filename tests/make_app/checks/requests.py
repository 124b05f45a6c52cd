"""What the app sends: where to, with what, and what of it is kept out of the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.make_app.app import App
from tests.make_app.exchange import REQUEST_KEYS, RESPONSE_KEYS

MODULE_LIMIT_MILLISECONDS = 40_000
URL_CHARACTERS = 512
SECRET = "request.headers.authorization"


def request_faults(app: App) -> list[str]:
    """Faults of the base, the connection and every module's and pick list's request."""
    base = app.general("base")
    faults = [*_base_faults(base)]
    for kind, name, _ in app.every_component():
        for code, request in app.requests(kind, name).items():
            known = {*RESPONSE_KEYS, "data"} if code == "attach" else RESPONSE_KEYS
            faults += [f"{kind} {name} {fault}" for fault in _common_faults(request, known)]
            faults += [f"{kind} {name} {fault}" for fault in _place_faults(kind, request, base)]
    return faults


def _base_faults(base: Mapping[str, Any]) -> Iterator[str]:
    if not base["baseUrl"].startswith("https://") or base["baseUrl"].endswith("/"):
        yield "The base URL is not HTTPS, or ends with a slash."
    if not 0 < base["timeout"] < MODULE_LIMIT_MILLISECONDS:
        yield "The base waits longer than a module may run."
    if SECRET not in base.get("log", {}).get("sanitize", []):
        yield "The base logs the key."


def _common_faults(request: Mapping[str, Any], known: set[str]) -> Iterator[str]:
    if unknown := set(request) - REQUEST_KEYS:
        yield f"has unknown directives: {sorted(unknown)}."
    if unknown := set(request.get("response", {})) - known:
        yield f"has unknown response directives: {sorted(unknown)}."
    if len(request["url"]) > URL_CHARACTERS:
        yield "has an address that is too long."
    if request.get("method", "GET") not in ("GET", "DELETE") and "body" not in request:
        yield "sends no body."
    for path in request.get("log", {}).get("sanitize", []):
        if path.split(".")[0] not in ("request", "response"):
            yield f"sanitizes {path!r}, which no log has."


def _place_faults(kind: str, request: Mapping[str, Any], base: Mapping[str, Any]) -> Iterator[str]:
    # What the connector itself answered when it was attached.
    url = request["url"].removesuffix("/{{webhook.externalHookId}}")
    if kind == "connection":
        if not url.startswith(f"{base['baseUrl']}/"):
            yield "is tested somewhere else than at the base URL."
        if SECRET not in request.get("log", {}).get("sanitize", []):
            yield "logs the key."
    elif not url.startswith("/") or url.startswith("//") or "{{" in url:
        # A person who could write the address would decide where the key is sent.
        yield f"has an address that is not a fixed path: {url!r}."

"""The routes for operators and for people who look around: health, the document, its viewer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connector.domain.errors import RateLimited
from connector.exports.openapi.headers import REQUEST_ID, sent, sent_with_file
from connector.exports.openapi.responses import EVERYWHERE, Door, Responses

_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_INDEX: Final = {"about": _TEXT, "authentication": _TEXT, "documentation": _TEXT, "routes": _TEXTS}
_STATUS: Final = {"type": "string", "enum": ["ok", "degraded", "not ready"]}
_CHECKS: Final = {
    "type": "object",
    "additionalProperties": _TEXT,
    "description": "By name: `ok`, or a sentence that says what to do.",
}
_DOCUMENT: Final = {
    "openapi": {"type": "string", "pattern": r"^3\.1\."},
    "info": {"type": "object"},
    "paths": {"type": "object"},
}
_NOT_MODIFIED: Final = {
    "description": "The file with the `ETag` in `If-None-Match` is still good.",
    "headers": sent_with_file(),
}


def operator_paths(door: Door, responses: Responses) -> dict[str, Any]:
    """Path items for all of them. None needs a key."""
    unlimited = responses.of(*EVERYWHERE)
    refused = responses.of(*EVERYWHERE, errors=(RateLimited,))
    ready = _object({"status": _STATUS, "checks": _CHECKS})
    alive = _object({"status": {"type": "string", "const": "ok"}})
    readiness = {
        "200": _json("It can; where it is degraded, a check says what is amiss.", ready),
        "503": _json("Not yet; a check says why.", ready),
    }
    unread = responses.of(401, 404, *EVERYWHERE)
    index = {"200": _json("The routes.", _object(_INDEX))}
    document = {"200": _json("OpenAPI 3.1.", _object(_DOCUMENT))}
    page = {"200": _page(), "304": _NOT_MODIFIED}
    return {
        "/": _get("index", "List every route", index | refused),
        "/healthz": _get(
            "healthz", "Is the process up", {"200": _json("It is.", alive)} | unlimited
        ),
        "/readyz": _get("readyz", "Can it do its work", unlimited | readiness),
        "/metrics": _get("metrics", "Read what is measured", {"200": _metrics()} | unread),
        "/openapi.json": _get("openapi", "Get this document", document | refused),
        "/docs": _get("docs", "Read and try this document", page | refused),
        "/docs/{name}": _viewer_file(door.viewer_files, responses),
    }


def _viewer_file(files: Mapping[str, str], refusals: Responses) -> dict[str, Any]:
    name = {
        "name": "name",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "enum": list(files)},
    }
    found = {
        "description": "The file.",
        "headers": sent_with_file(),
        "content": {kind: {"schema": {}} for kind in dict.fromkeys(files.values())},
    }
    responses = {
        "200": found,
        "304": _NOT_MODIFIED,
        **refusals.of(404, *EVERYWHERE, errors=(RateLimited,)),
    }
    return _get("docs_file", "Get a file of the viewer", responses, name)


def _get(
    key: str, summary: str, responses: Mapping[str, Any], *parameters: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "get": {
            "operationId": key,
            "summary": summary,
            "tags": ["operators"],
            "security": [],
            "parameters": [*parameters, REQUEST_ID],
            "responses": responses,
        }
    }


def _json(description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "description": description,
        "headers": sent(),
        "content": {"application/json": {"schema": schema}},
    }


def _metrics() -> dict[str, Any]:
    return {
        "description": "Prometheus's text format. For who has the operator's token, as a Bearer.",
        "headers": sent(),
        "content": {"text/plain": {"schema": _TEXT}},
    }


def _page() -> dict[str, Any]:
    return {
        "description": "The viewer.",
        "headers": sent_with_file("Content-Security-Policy"),
        "content": {"text/html": {"schema": {"type": "string"}}},
    }


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}

"""`/openapi.json`, and `/docs` to read and try it: Swagger UI, from this server alone.

Of the package that brings Swagger UI only the files are used: its own page carries inline
script, which the content security policy refuses, and repeats the Host header in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import flask_swagger_ui
from flask import Blueprint, Response, jsonify, request, send_from_directory
from werkzeug.exceptions import NotFound

Document = Callable[[], Mapping[str, Any]]

_OURS: Final = Path(__file__).parent
_SWAGGER_UI: Final = Path(flask_swagger_ui.__file__).parent / "dist"
_FILES: Final = {
    "start.js": (_OURS, "text/javascript"),
    "page.css": (_OURS, "text/css"),
    "swagger-ui-bundle.js": (_SWAGGER_UI, "text/javascript"),
    "swagger-ui.css": (_SWAGGER_UI, "text/css"),
    "favicon-32x32.png": (_SWAGGER_UI, "image/png"),
}
FILE_KINDS: Final = {name: kind for name, (_, kind) in _FILES.items()}
"""What the page loads, by name; nothing else is served."""

# Swagger UI styles its elements inline and draws its icons from data: addresses.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def viewer_routes(document: Document) -> Blueprint:
    """The document and its viewer. `document` is called at each request for it."""
    routes = Blueprint("viewer", __name__)
    routes.add_url_rule("/openapi.json", "openapi", lambda: jsonify(document()))
    routes.add_url_rule("/docs", "docs", _page)
    routes.add_url_rule("/docs/<name>", "docs_file", _file)
    return routes


def _page() -> Response:
    response = send_file(_OURS, "page.html", "text/html")
    response.headers["Content-Security-Policy"] = _POLICY
    return response


def _file(name: str) -> Response:
    if name not in _FILES:
        raise NotFound
    folder, kind = _FILES[name]
    return send_file(folder, name, kind)


def send_file(folder: Path, name: str, kind: str) -> Response:
    """The file, or 304 where the browser has it; never a part of it."""
    response = send_from_directory(folder, name, mimetype=kind, conditional=False)
    response.make_conditional(request)
    return response

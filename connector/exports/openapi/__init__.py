"""The OpenAPI 3.1 description of the connector, from the catalog. A function of its arguments.

What only the web door knows (statuses, refusals, the viewer's files) is handed in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from connector.domain.platforms import PLATFORMS, Platform
from connector.exports.openapi.firing import TAG, firing_paths
from connector.exports.openapi.headers import HEADERS, PARAMETERS
from connector.exports.openapi.operators import operator_paths
from connector.exports.openapi.platforms import platform_paths
from connector.exports.openapi.responses import Door, Responses
from connector.exports.openapi.schema_objects import SchemaConverter
from schemas.account import DeleteInput
from schemas.catalog import Catalog
from schemas.errors import ErrorBody
from schemas.hooks import HookInput
from schemas.inputs import DeliveriesInput, HistoryInput, PageInput, ReplayInput
from schemas.jobs import JobRowsInput
from schemas.webhooks import RotateInput, WebhookInput

_SECURITY_SCHEMES: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The API key that look-ups are charged to, as `Authorization: Bearer KEY`.",
    },
    "header": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same key in a header of its own, where `Authorization` can't be set.",
    },
}
_ABOUT: Final = """\
Every answer of a look-up is one flat row with the same keys, null when unknown; keys of fields that \
the upstream adds follow after them. A failure is never charged unless its advice says so.

`HEAD` is answered wherever `GET` is, except for searches, where it would cost the same as `GET`."""


class _Plugin(MarshmallowPlugin):
    Converter = SchemaConverter


def openapi_document(catalog: Catalog, *, version: str, door: Door) -> dict[str, Any]:
    """The whole document as plain JSON data."""
    plugin = _Plugin()
    spec = APISpec(
        title=catalog.product.name,
        version=version,
        openapi_version="3.1.0",
        info={"description": f"{catalog.product.description}\n\n{_ABOUT}"},
        plugins=[plugin],
        servers=[{"url": "/"}],
        tags=[*map(_tag, PLATFORMS), TAG, {"name": "operators", "description": "For operators."}],
    )
    converter = cast(SchemaConverter, plugin.converter)  # as the plugin was told to make
    read = (*catalog, *catalog.triggers, catalog.universal)
    lists = (DeleteInput, PageInput, DeliveriesInput, HistoryInput, JobRowsInput)
    made = (HookInput, ReplayInput, WebhookInput, RotateInput)
    converter.inputs = frozenset((*lists, *made, *(item.input for item in read)))
    responses = Responses(spec, door, converter.reference(ErrorBody))
    paths = operator_paths(door, responses) | firing_paths(converter, responses)
    for platform in PLATFORMS:
        paths |= platform_paths(catalog, platform, converter, responses)
    return _plain(spec, paths)


def _plain(spec: APISpec, paths: Mapping[str, Any]) -> dict[str, Any]:
    document = spec.to_dict()
    document["components"] |= {
        "headers": HEADERS,
        "parameters": PARAMETERS,
        "securitySchemes": _SECURITY_SCHEMES,
    }
    document["paths"] = paths
    # Tuples and shared objects become what a reader of the file would see.
    plain: dict[str, Any] = json.loads(json.dumps(document))
    return plain


def _tag(platform: Platform) -> dict[str, str]:
    lists = "`{items, next_cursor}`" if platform.paged else "bare arrays"
    return {
        "name": platform.key,
        "description": f"Look-ups are recorded as {platform.request_source} and end within "
        f"{platform.deadline_seconds:g} seconds. Searches answer {lists}.",
    }

"""Each kind of field has its own place in the OpenAPI document, with nothing to be said twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from marshmallow import Schema

from connector.bootstrap import published_document
from schemas import fields
from schemas.catalog import CATALOG, Catalog
from schemas.fields import declared_fields, field
from schemas.video import Video

# Kind, options, what is said of it where it is written, and where it is read.
KINDS: list[tuple[type, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (fields.Text, {}, {"type": ["string", "null"]}, {"type": ["string", "null"]}),
    (fields.Identifier, {}, {"type": ["string", "null"]}, {"type": ["string", "integer", "null"]}),
    (fields.Url, {}, {"type": ["string", "null"]}, {"type": ["string", "null"]}),
    (
        fields.WholeNumber,
        {},
        {"type": ["integer", "null"]},
        {"type": ["integer", "string", "null"]},
    ),
    (fields.Number, {}, {"type": ["number", "null"]}, {"type": ["number", "null"]}),
    (
        fields.Flag,
        {},
        {"type": ["boolean", "null"]},
        {"type": ["boolean", "integer", "string", "null"]},
    ),
    (fields.Secret, {}, {"type": ["string", "null"], "format": "password"}, {}),
    (fields.Timestamp, {}, {"type": ["string", "null"], "format": "date-time"}, {}),
    (fields.Json, {}, {"type": ["object", "null"]}, {"type": ["object", "string", "null"]}),
    (fields.Items, {}, {"type": ["array", "null"], "items": {}}, {}),
    (
        fields.Words,
        {"of": fields.Identifier, "choices": {"a": "A"}},
        {"items": {"type": "string", "enum": ["a"]}},
        {
            "type": ["array", "string", "integer", "null"],
            "items": {"type": ["string", "integer"], "enum": ["a"]},
        },
    ),
    (fields.Items, {"of": fields.Text}, {"items": {"type": "string"}}, {}),
    (fields.Items, {"of": Video}, {"items": {"$ref": "#/components/schemas/Video"}}, {}),
    (fields.Text, {"required": True}, {}, {"type": ["string"], "minLength": 1}),
]


def with_field(kind: type, **options: Any) -> Catalog:
    """The catalog with one more field in what its first action reads and answers."""
    action = CATALOG.actions[0]
    one_more = field(kind, label="One more", help="Added by a test.", sample=None, **options)
    more = {"one_more": one_more}
    row = Schema.from_dict({**declared_fields(action.output), **more}, name="LongerRow")
    given = Schema.from_dict({**declared_fields(action.input), **more}, name="LongerInput")
    return replace(CATALOG, actions=(replace(action, input=given, output=row),))


@pytest.mark.parametrize(
    ("kind", "options", "written", "read"),
    KINDS,
    ids=[f"{kind.__name__} {' '.join(options)}" for kind, options, _, _ in KINDS],
)
def test_one_more_field_is_documented_by_its_kind(
    kind: type, options: dict[str, Any], written: dict[str, Any], read: dict[str, Any]
) -> None:
    """A field is said once, in `schemas/`; the document follows."""
    document = published_document(with_field(kind, **options), with_endpoint=True)
    schemas = document["components"]["schemas"]
    for name, expected in (("LongerRow", written), ("LongerInput", read)):
        said = schemas[name]["properties"]["one_more"]
        assert {key: said[key] for key in expected} == expected
        assert said["title"] == "One more"
    assert "one_more" in schemas["LongerRow"]["required"]
    assert ("one_more" in schemas["LongerInput"].get("required", [])) is ("required" in options)
    forms = document["paths"]["/make/actions/get_profile"]["post"]["requestBody"]["content"]
    for form in ("application/x-www-form-urlencoded", "multipart/form-data"):
        assert forms[form]["schema"]["properties"]["one_more"]["type"] == "string"

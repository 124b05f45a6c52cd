"""Our marshmallow schemas as OpenAPI schema objects, where apispec's own reading falls short.

An input says what is accepted, in whatever spelling; an output says what is sent: every key, always.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from apispec.ext.marshmallow.common import resolve_schema_cls
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, fields

from schemas.fields import Flag, Identifier, Json, Secret, WholeNumber, Words

# Kinds that are read from more than they are written as.
_ALSO_READ_FROM: Final[Mapping[type, tuple[str, ...]]] = {
    Flag: ("integer", "string"),
    Identifier: ("integer",),
    Json: ("string",),
    WholeNumber: ("string",),
    Words: ("string", "integer"),
}


class SchemaConverter(OpenAPIConverter):
    """apispec's converter for schemas whose fields come from `schemas.fields`."""

    field_mapping = {  # noqa: RUF012  # as apispec has it
        **OpenAPIConverter.field_mapping,
        Json: ("object", None),
        Secret: ("string", "password"),
    }
    inputs: frozenset[type[Schema]] = frozenset()
    """The schemas that are read; all others are written."""

    def schema2jsonschema(self, schema: Any) -> dict[str, Any]:
        """Called by apispec; the object for `schema`, a class or an instance."""
        described: dict[str, Any] = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
        if resolve_schema_cls(schema) not in self.inputs:
            described["required"] = list(described["properties"])
        # Inputs skip what they don't know; rows go on with fields that the upstream adds.
        described["additionalProperties"] = True
        return described

    def field2property(self, field: fields.Field[Any]) -> dict[str, Any]:
        """Called by apispec for each field."""
        described = super().field2property(field)
        if "example" in described:
            described["examples"] = [described.pop("example")]
        described.pop("x-choices", None)
        if isinstance(field, Words) and "enum" in described:
            # apispec takes the choices for whole lists.
            choices = [choice for choice in described.pop("enum") if choice is not None]
            described["items"] = {**described["items"], "enum": choices}
        if described.get("x-upstream") == ():
            del described["x-upstream"]
        return _accepting(field, described) if type(field.parent) in self.inputs else described

    def reference(self, schema: type[Schema]) -> dict[str, Any]:
        """A reference to `schema` among the document's components, where it is put on first use."""
        reference: dict[str, Any] = self.resolve_nested_schema(schema)  # type: ignore[no-untyped-call]
        return reference

    def texts(self, schema: type[Schema]) -> dict[str, dict[str, Any]]:
        """The properties of the input `schema` as a form carries them: text, all of it."""
        return {
            key: _as_text(self.field2property(field), field)
            for key, field in schema().fields.items()
        }

    def words(self, schema: type[Schema]) -> dict[str, dict[str, Any]]:
        """The same as a query carries them, where a number or a yes is told from other text."""
        texts = self.texts(schema)
        for key, field in schema().fields.items():
            said = self.field2property(field)
            kinds = [kind for kind in said["type"] if kind in ("integer", "boolean")]
            if kinds and not isinstance(field, (Identifier, Words)):
                texts[key] |= {"type": kinds[0], "examples": said["examples"]}
        return texts


def _accepting(field: fields.Field[Any], described: dict[str, Any]) -> dict[str, Any]:
    """The door counts null and `""` as absent: only what is required can't be either."""
    written = described["type"]
    kinds = [written] if isinstance(written, str) else [k for k in written if k != "null"]
    kinds += _ALSO_READ_FROM.get(type(field), ())
    if isinstance(field, Words):
        items = described["items"]
        types = [items["type"], *_ALSO_READ_FROM.get(field.of, ())]
        described = {**described, "items": {**items, "type": types}}
    if field.required:
        return described | {"type": kinds, "minLength": 1}
    if least := described.pop("minLength", None):
        described["pattern"] = rf"^[\s\S]{{{least},}}$"
    if "pattern" in described:
        described["pattern"] = f"^$|{described['pattern']}"
    return described | {"type": [*kinds, "null"]}


def _as_text(described: dict[str, Any], field: fields.Field[Any]) -> dict[str, Any]:
    # Absent is what stands for null here.
    said = {k: v for k, v in described.items() if (k, v) != ("default", None)} | {"type": "string"}
    if said.get("format") == "date-time":
        # Empty text is read as none, and seconds since 1970 as a moment.
        del said["format"]
    if "enum" in said:
        said["enum"] = ["" if choice is None else choice for choice in said["enum"]]
    if isinstance(field, Words):
        for of_a_list in ("items", "minItems", "maxItems", "default"):
            said.pop(of_a_list, None)
        lists = described["examples"]
        return said | {"examples": [",".join(map(str, example or ())) for example in lists]}
    if isinstance(field, Json):
        examples = [json.dumps(example) for example in described["examples"]]
        return said | {"contentMediaType": "application/json", "examples": examples}
    return said | {"examples": [_written(example) for example in described["examples"]]}


def _written(example: object) -> object:
    """As a form carries it; what was never said stays so."""
    return example if example is None or isinstance(example, str) else json.dumps(example)

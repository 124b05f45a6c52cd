"""Fields of a schema as Make writes them: parameters of inputs, interfaces and samples of outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import marshmallow
from marshmallow import Schema

from schemas import fields
from schemas.catalog import Action
from schemas.fields import (
    choices_of,
    declared_fields,
    help_of,
    label_of,
    line_items,
)

Spec = dict[str, Any]
"""One field in Make's terms."""

_BOTH: Final[Mapping[type, str]] = {
    fields.Text: "text",
    fields.Identifier: "text",
    fields.Url: "url",
    # Not uinteger: upstream counts that overflowed are below zero, and are passed on.
    fields.WholeNumber: "integer",
    fields.Number: "number",
    fields.Flag: "boolean",
    fields.Timestamp: "date",
    fields.Items: "array",
}
OUTPUTS: Final[Mapping[type, str]] = {**_BOTH, fields.Json: "collection"}
# `any` takes both a mapped collection and the text of one, as the connector does.
INPUTS: Final[Mapping[type, str]] = {
    **_BOTH,
    fields.Secret: "password",
    fields.Json: "any",
    fields.Words: "array",
}


def camel(key: str) -> str:
    """A catalog key as Make names things: `get_profile` is `getProfile`."""
    first, *others = key.split("_")
    return first + "".join(word.capitalize() for word in others)


def parameters(schema: type[Schema]) -> list[Spec]:
    """What a person fills in. Raises KeyError for a kind of field that no form of Make's can take."""
    return [_parameter(key, declared) for key, declared in declared_fields(schema).items()]


def interface(schema: type[Schema]) -> list[Spec]:
    """What later modules can map. Raises KeyError for a kind of field that Make has no type for."""
    return [
        {"name": key, "label": label_of(declared), **_type(declared, OUTPUTS)}
        for key, declared in declared_fields(schema).items()
    ]


def sample(item: Action, *, request_source: str) -> dict[str, Any]:
    """What `item` may answer, with the source that a caller from Make has."""
    row = item.sample
    return row | {"request_source": request_source} if "request_source" in row else row


def mapped(schema: type[Schema]) -> dict[str, str]:
    """The request's values: each input of the connector, from the parameter of its name."""
    return {
        # One text, as Make does not say how it would write a list into a query.
        key: f"{{{{join(parameters.{camel(key)}, ',')}}}}"
        if isinstance(declared, fields.Words)
        else f"{{{{parameters.{camel(key)}}}}}"
        for key, declared in declared_fields(schema).items()
    }


def _parameter(key: str, declared: marshmallow.fields.Field[Any]) -> Spec:
    default = declared.load_default
    chosen = {"default": default} if isinstance(default, (str, int)) else {}
    return {
        "name": camel(key),
        "label": label_of(declared),
        "help": help_of(declared) if chosen else _hint(declared),
        **_choosing(declared),
        **({"required": True} if declared.required else {}),
        **chosen,
    }


def _choosing(declared: marshmallow.fields.Field[Any]) -> Spec:
    choices = choices_of(declared)
    if not choices:
        return _type(declared, INPUTS)
    options = [{"label": label, "value": value} for value, label in choices.items()]
    several = {"multiple": True} if isinstance(declared, fields.Words) else {}
    return {"type": "select", **several, "options": options}


def _hint(declared: marshmallow.fields.Field[Any]) -> str:
    example = declared.metadata["example"]
    if isinstance(declared, fields.Secret) or not isinstance(example, str):
        return help_of(declared)
    return f"{help_of(declared)} For example: `{example}`."


def _type(declared: marshmallow.fields.Field[Any], types: Mapping[type, str]) -> Spec:
    spec: Spec = {"type": types[type(declared)]}
    if nested := line_items(declared):
        spec["spec"] = interface(nested)
    elif isinstance(declared, fields.Items) and declared.of is not marshmallow.fields.Raw:
        spec["spec"] = {"type": types[declared.of]}
    return spec

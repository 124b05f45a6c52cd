"""How a field is declared, and the few kinds of value a row can hold.

Loading is strict about kind and lenient about spelling (a count may come as "211339"):
what cannot be read exactly is an error, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, fields, validate

# Eleven digits end in the year 5138: what is longer is not in seconds.
_UNIX_SECONDS = re.compile(r"[1-9]\d{0,10}", re.ASCII)
# Fifteen digits: what JavaScript, and so both platforms, can hold exactly.
_WHOLE_NUMBER = re.compile(r"[+-]?\d{1,15}", re.ASCII)


class Text(fields.String):
    """Text as it came; numbers are not text."""


class Identifier(fields.String):
    """An id: always text, since ids of 17 to 19 digits do not fit a JavaScript number."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return super()._deserialize(value, attr, data, **kwargs)


class Secret(fields.String):
    """Text that is typed once and never shown."""


class Url(fields.String):
    """An address, passed on byte for byte: re-encoding would break a signed one."""


class WholeNumber(fields.Integer):
    """An integer of up to 15 digits, also from "211339" or 1.9e8; fractions and booleans are refused."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
        if isinstance(value, bool) or not _WHOLE_NUMBER.fullmatch(text.strip()):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(text, attr, data, **kwargs)


class Flag(fields.Boolean):
    """true or false, also as 0 and 1 or their usual spellings."""


class Number(fields.Float):
    """A number with a fraction."""


class Items(fields.List[Any]):
    """A list: of line items where `of` is a schema, of one kind of value, else of whatever came."""

    def __init__(
        self, of: type[Schema] | type[fields.Field[Any]] = fields.Raw, **kwargs: Any
    ) -> None:
        self.of = of
        super().__init__(fields.Nested(of) if issubclass(of, Schema) else of(), **kwargs)


class Words(Items):
    """A list of short values; also read from one text with commas or lines, as forms send it.

    Blank ones count as absent: a form's line that was left empty.
    """

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            value = [word.strip() for word in re.split(r"[,;\n]", str(value))]
        if isinstance(value, list):
            value = [word for word in value if str(word).strip()]
        return super()._deserialize(value, attr, data, **kwargs)


class Json(fields.Field[Any]):
    """A JSON object, or the text of one, as forms and mapping fields send it."""

    default_error_messages = {"invalid": "Not a valid JSON object."}  # noqa: RUF012  # as marshmallow has it

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, (Mapping, str)):
            raise self.make_error("invalid")
        return value


class Timestamp(fields.AwareDateTime):
    """A moment in UTC, in the one spelling of ISO 8601 that Make shows as a date (milliseconds and Z).

    Read in any spelling with an offset, also from Unix seconds, where 0 is no moment.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="iso", **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if _UNIX_SECONDS.fullmatch(str(value)):
            return datetime.fromtimestamp(int(value), UTC)
        moment = super()._deserialize(value, attr, data, **kwargs)
        try:
            return moment.astimezone(UTC)
        except OverflowError as exc:
            # In UTC it is before year 1, or after year 9999.
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from exc

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        if value is None:
            return None
        text: str = value.astimezone(UTC).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")


def field(
    kind: type[fields.Field[Any]],
    *paths: str,
    label: str,
    help: str,  # noqa: A002  # the platforms' own word for this text
    sample: object,
    choices: Mapping[str, str] | None = None,
    secret: bool = False,
    **options: Any,
) -> fields.Field[Any]:
    """Declares one key of a row or one input.

    `paths` are the dotted upstream paths to look for, best first; none for a derived key.
    `choices` are the values that an input may hold, with what a person reads for each. What is
    `secret` is kept out of logs.
    Metadata uses the names that apispec keeps; `x-upstream` holds the paths.
    """
    metadata = {"title": label, "description": help, "example": sample, "x-upstream": paths}
    if secret or issubclass(kind, Secret):
        metadata["format"] = "password"
    if choices:
        metadata["x-choices"] = choices
        allowed = validate.ContainsOnly if issubclass(kind, Words) else validate.OneOf
        options["validate"] = allowed(list(choices))
    options = {"allow_none": True, "dump_default": None, **options}
    return kind(metadata=metadata, **options)


def choices_of(declared: fields.Field[Any]) -> Mapping[str, str]:
    """The values that the input may hold, by value; empty where any will do."""
    choices: Mapping[str, str] = declared.metadata.get("x-choices", {})
    return choices


def secrets_of(schema: type[Schema]) -> list[str]:
    """The keys whose values are kept out of logs."""
    declared = declared_fields(schema).items()
    return [key for key, value in declared if value.metadata.get("format") == "password"]


def upstream_paths(declared: fields.Field[Any]) -> tuple[str, ...]:
    """The upstream paths a field was declared with."""
    paths: tuple[str, ...] = declared.metadata["x-upstream"]
    return paths


def label_of(declared: fields.Field[Any]) -> str:
    """The field's label, as a person reads it."""
    return str(declared.metadata["title"])


def help_of(declared: fields.Field[Any]) -> str:
    """The sentence that says what the field holds."""
    return str(declared.metadata["description"])


def line_items(declared: fields.Field[Any]) -> type[Schema] | None:
    """The schema of the field's line items, where it holds any."""
    of = declared.of if isinstance(declared, Items) else None
    return of if of and issubclass(of, Schema) else None


def declared_fields(schema: type[Schema]) -> Mapping[str, fields.Field[Any]]:
    """The fields of `schema` by key, in the order they were declared."""
    declared: Mapping[str, fields.Field[Any]] = schema._declared_fields  # noqa: SLF001  # no public name
    return declared


def sample_of(schema: type[Schema]) -> dict[str, Any]:
    """The sample row: every field's own sample, in order."""
    return dict(_samples(schema))


def _samples(schema: type[Schema]) -> Iterator[tuple[str, object]]:
    for key, declared in declared_fields(schema).items():
        yield key, declared.metadata["example"]

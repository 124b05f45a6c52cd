"""Judging values by Zapier's rules: types of output fields, dates, keys of samples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "text": (str,),
    "password": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "datetime": (str,),
}


def type_faults(outputs: list[Any], row: Mapping[str, Any]) -> Iterator[str]:
    """Values of `row` that are not what its output fields promise."""
    for field in outputs:
        values = list(_values(row, field["key"]))
        if field.get("required") and not values:
            yield f"{field['key']} is required and missing"
        for value in values:
            if not _fits(value, field):
                yield f"{field['key']} is not of type {field.get('type')}: {value!r}"


def _fits(value: Any, field: Mapping[str, Any]) -> bool:
    kind = field.get("type")
    if value is None or kind is None:
        return True
    if field.get("list"):
        return isinstance(value, list) and all(_fits(v, {"type": kind}) for v in value)
    if isinstance(value, bool) and kind != "boolean":
        return False
    return isinstance(value, _TYPES[kind]) and (kind != "datetime" or _is_iso(value))


def _values(row: Any, key: str) -> Iterator[Any]:
    """The values at `key`, where `parent[]child` reaches into each line item."""
    parent, found, child = key.partition("[]")
    if found:
        for item in row.get(parent) or ():
            yield from _values(item, child)
    elif key in row:
        yield row[key]


def lost_keys(sample: Mapping[str, Any], live: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """The keys of `sample`, and of its line items, that `live` hasn't."""
    for key, value in sample.items():
        if key not in live:
            yield f"{at}{key}"
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            # A list that happens to be empty lacks nothing.
            for item in live[key] or ():
                yield from lost_keys(value[0], item, f"{at}{key}[]")


def date_faults(row: Any) -> Iterator[str]:
    """Times in `row` that are not in ISO 8601 with their zone."""
    if isinstance(row, Mapping):
        for key, value in row.items():
            if isinstance(value, str) and _looks_like_a_date(key, value) and not _is_iso(value):
                yield f"{key} is not an ISO 8601 time with its zone: {value!r}"
            yield from date_faults(value)
    elif isinstance(row, list):
        for item in row:
            yield from date_faults(item)


def _looks_like_a_date(key: str, value: str) -> bool:
    return key.endswith("_at") or bool(
        re.fullmatch(r"\d{4}-\d\d-\d\d([T ].*)?|\d\d? [A-Z][a-z]{2} \d{4}.*", value)
    )


def _is_iso(text: str) -> bool:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return bool(date.fromisoformat(text))
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False

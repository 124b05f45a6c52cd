"""Objects that callers give as JSON, or as its text where a platform has only text fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.domain.errors import InvalidInput
from wire.json_text import parse_json


def object_given(name: str, value: Mapping[str, Any] | str) -> Mapping[str, Any]:
    """The object in the input `name`. Raises `InvalidInput` for text that is none."""
    try:
        given = parse_json(value.encode()) if isinstance(value, str) else value
    except ValueError as exc:
        raise InvalidInput(f"{name}: Not valid JSON.") from exc
    if not isinstance(given, Mapping):
        raise InvalidInput(f"{name}: Not a JSON object.")
    return given

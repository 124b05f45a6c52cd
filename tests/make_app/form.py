"""A filled-in form, checked as Make checks it before a module runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.make_app.app import UnknownToEmulator

_KEYS = {
    *("name", "label", "help", "type", "required", "default"),
    *("options", "editable", "mode", "spec", "multiple"),
}


class MakeError(Exception):
    """What a person sees in Make: the type decides what happens to the scenario."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.type = kind
        self.message = message


def fill_in(form: list[dict[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that the app sees. A default stands in for what isn't given; null empties it."""
    if unknown := set(given) - {entry["name"] for entry in form}:
        raise UnknownToEmulator(f"the form has no field {unknown}")
    return {entry["name"]: _filled(entry, given) for entry in form}


def _filled(entry: dict[str, Any], given: Mapping[str, Any]) -> Any:
    if unknown := set(entry) - _KEYS:
        raise UnknownToEmulator(f"a parameter's {unknown}")
    if entry["type"] not in FITS:
        raise UnknownToEmulator(f"the parameter type {entry['type']!r}")
    name, value = entry["name"], given.get(entry["name"], entry.get("default"))
    if value is None or value == "":
        if entry.get("required"):
            raise MakeError(
                "BundleValidationError", f"Missing value of required parameter '{name}'."
            )
        return None
    if not FITS[entry["type"]](value, entry):
        raise MakeError("BundleValidationError", f"Invalid value of parameter '{name}'.")
    return value


def _is_choice(value: Any, entry: Mapping[str, Any]) -> bool:
    options = entry["options"]
    if entry.get("multiple") is True:
        single = {**entry, "multiple": False}
        return isinstance(value, list) and all(_is_choice(item, single) for item in value)
    if entry.get("editable") is True or isinstance(options, str):
        return isinstance(value, str)
    return value in [option["value"] for option in options]


# Mapped values are turned into text where a text is wanted.
FITS: Mapping[str, Callable[[Any, Mapping[str, Any]], bool]] = {
    "text": lambda value, _: isinstance(value, (str, int, float)),
    "password": lambda value, _: isinstance(value, str),
    "any": lambda value, _: True,
    "integer": lambda value, _: type(value) is int,
    "array": lambda value, entry: (
        isinstance(value, list)
        and all(FITS[entry["spec"]["type"]](item, entry["spec"]) for item in value)
    ),
    "boolean": lambda value, _: type(value) is bool,
    "uinteger": lambda value, _: type(value) is int and value >= 0,
    "select": _is_choice,
}

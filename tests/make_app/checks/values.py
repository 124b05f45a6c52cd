"""Interface, sample and live row: the same keys in the same order, and values of the types promised."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.make_app.app import App

# What Make shows as a date; anything else is shown as a text.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def _is_exact(value: Any) -> bool:
    """A whole number that JavaScript, and so Make, can hold."""
    return type(value) is int and abs(value) < 2**53


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


TYPES: Mapping[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "url": lambda value: isinstance(value, str),
    "integer": _is_exact,
    "uinteger": lambda value: _is_exact(value) and value >= 0,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "date": lambda value: isinstance(value, str) and _MOMENT.fullmatch(value) is not None,
    "array": lambda value: isinstance(value, list),
    "collection": lambda value: isinstance(value, dict),
}


def sample_faults(app: App) -> list[str]:
    """Every module's sample is what its interface says."""
    return [
        f"{name}: the sample {fault}"
        for name in app.components("module")
        for fault in _faults_of(
            app.code("module", name, "interface"), app.code("module", name, "samples"), exact=True
        )
    ]


def row_faults(app: App, module: str, row: Mapping[str, Any]) -> list[str]:
    """A live row is what the module's interface says; what else it holds comes after that."""
    interface = app.code("module", module, "interface")
    return [f"{module}: the row {fault}" for fault in _faults_of(interface, row, exact=False)]


def _faults_of(
    interface: list[dict[str, Any]], row: Mapping[str, Any], *, exact: bool
) -> Iterator[str]:
    names = [entry["name"] for entry in interface]
    if list(row)[: None if exact else len(names)] != names:
        missing, extra = set(names) - set(row), set(row) - set(names)
        odd = sorted(missing or (exact and extra) or ()) or "their order"
        yield f"and the interface differ in {odd}."
        return
    for entry in interface:
        yield from _misfits(entry, row[entry["name"]], exact=exact)


def _misfits(entry: Mapping[str, Any], value: Any, *, exact: bool) -> Iterator[str]:
    name, kind = entry.get("name", "an item"), entry["type"]
    if kind not in TYPES:
        yield f"has the unknown type {kind!r} at {name}."
    elif value is not None and not TYPES[kind](value):
        yield f"has no {kind} at {name}: {value!r}."
    elif isinstance(value, list) and "spec" in entry:
        for item in value:
            if isinstance(entry["spec"], list):
                yield from _faults_of(entry["spec"], item, exact=exact)
            else:
                yield from _misfits(entry["spec"], item, exact=exact)

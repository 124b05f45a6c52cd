"""Taking apart an upstream payload: known paths, the rest of it, and values that fit their field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from marshmallow import Schema, ValidationError, fields, missing

from connector.domain.names import output_key
from schemas.fields import Flag, Identifier, Text, Url, WholeNumber, declared_fields, upstream_paths

MISSING = object()
LEAF = ""
"""Marks, in a tree of known paths, a place where a value may stand."""

_EXACT_IN_JAVASCRIPT = 2**53
_FIFTEEN_DIGITS = 10**15
# Fields that leave a value of the type as it is: to ask them costs more than all the rest of a row.
_KEPT: Mapping[type, type] = {Text: str, Identifier: str, Url: str, Flag: bool, WholeNumber: int}

# A name in front of many values is repeated in each of their keys: without a bound on both, an
# answer of 8 MB could ask for a row of gigabytes. Real ones have a tenth of it.
MAX_KEY_CHARACTERS = 200
MAX_UNDOCUMENTED_KEYS = 20_000

Tree = dict[str, Any]


@dataclass
class Notes:
    """What is said of a row while it is made, and how many undocumented keys it has room for."""

    warnings: dict[str, None] = field(default_factory=dict)
    room: int = MAX_UNDOCUMENTED_KEYS

    def warn(self, sentence: str) -> None:
        """Adds a sentence for the reader of the row, once."""
        self.warnings[sentence] = None


def find(payload: Any, path: str) -> Any:
    """The value at a dotted `path` (digits index a list), or `MISSING`; null counts as missing."""
    return _at(payload, path.split("."))


def _at(payload: Any, parts: Iterable[str]) -> Any:
    for part in parts:
        if isinstance(payload, dict):
            payload = payload.get(part, MISSING)
        elif isinstance(payload, list) and part.isdigit() and int(part) < len(payload):
            payload = payload[int(part)]
        else:
            return MISSING
    return MISSING if payload is None else payload


def known_tree(schema: type[Schema]) -> Tree:
    """The upstream paths that `schema` reads, as a tree with `LEAF` where a value may stand."""
    tree: Tree = {}
    for declared in declared_fields(schema).values():
        for path in upstream_paths(declared):
            node = tree
            for part in path.split("."):
                if part.isdigit():
                    break
                node = node.setdefault(part, {})
            node[LEAF] = True
    return tree


def pick(payload: Mapping[str, Any], schema: type[Schema], notes: Notes) -> dict[str, Any]:
    """The declared values of `payload` by key, in their Python types; unfit ones become null.

    A path whose value does not fit yields to the next path; when none fits, one warning says so.
    """
    return {picked.key: _first_fitting(payload, picked, notes) for picked in _picked(schema)}


def dumped(values: Mapping[str, Any], schema: type[Schema]) -> dict[str, Any]:
    """What `schema` dumps of `values`: in the order of its fields, and with their defaults."""
    return {
        key: value
        if value is None or type(value) is kept
        else declared.serialize(key, {key: value})
        for key, declared, kept in _dumped(schema)
        if (value := values.get(key, declared.dump_default)) is not missing
    }


@cache
def _dumped(schema: type[Schema]) -> Sequence[tuple[str, fields.Field[Any], type | None]]:
    return [
        (key, declared, _KEPT.get(type(declared))) for key, declared in schema().dump_fields.items()
    ]


@dataclass(frozen=True)
class _Picked:
    """One key to pick. A value of the type `kept` is what the field makes of it anyway."""

    key: str
    paths: Sequence[Sequence[str]]
    declared: fields.Field[Any]
    kept: type | None


@cache
def _picked(schema: type[Schema]) -> Sequence[_Picked]:
    return [
        _Picked(key, [path.split(".") for path in paths], declared, _kept(declared))
        for key, declared in declared_fields(schema).items()
        if (paths := upstream_paths(declared))
    ]


def _kept(declared: fields.Field[Any]) -> type | None:
    return None if declared.validators else _KEPT.get(type(declared))


def _first_fitting(payload: Mapping[str, Any], picked: _Picked, notes: Notes) -> Any:
    unfit = None
    for path in picked.paths:
        raw = _at(payload, path)
        if raw is MISSING:
            continue
        if type(raw) is picked.kept and not (type(raw) is int and abs(raw) >= _FIFTEEN_DIGITS):
            return raw
        try:
            return plain(picked.declared.deserialize(raw), notes)
        except ValidationError:
            where = ".".join(path)
            unfit = unfit or f"{where} was left empty: its value is not of the expected kind."
    if unfit:
        notes.warn(unfit)
    return None


def leftovers(
    payload: Mapping[str, Any], known: Tree, notes: Notes, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, Any]]:
    """What `payload` holds beside the known paths, as (key, plain value), by the same naming rule."""
    for name, value in payload.items():
        here = (*path, name)
        node = known.get(name) if name != LEAF else None
        if node is None:
            yield from flatten(value, here, notes)
        elif isinstance(value, dict) and set(node) - {LEAF}:
            yield from leftovers(value, node, notes, here)
        elif LEAF not in node and value is not None:
            notes.warn(f"{'.'.join(here)} was left out: an object was expected.")


def flatten(value: Any, path: tuple[str, ...], notes: Notes) -> Iterator[tuple[str, Any]]:
    """`value` as (key, plain value) pairs: objects go flat, lists stay lists of flat objects."""
    if sum(map(len, path)) > MAX_KEY_CHARACTERS:
        notes.warn("Upstream fields with very long names were left out.")
    elif isinstance(value, dict) and value:
        for name, child in value.items():
            yield from flatten(child, (*path, name), notes)
    else:
        yield output_key(*path), plain(value, notes)


def plain(value: Any, notes: Notes) -> Any:
    """`value` with flat objects in its lists and with text for what JavaScript would round."""
    if isinstance(value, list):
        return [_plain_item(item, notes) for item in value]
    if isinstance(value, int) and abs(value) > _EXACT_IN_JAVASCRIPT:
        return str(value)
    # Only an empty object comes here: it has no value to show.
    return None if isinstance(value, dict) else value


def _plain_item(item: Any, notes: Notes) -> Any:
    if not isinstance(item, dict):
        return plain(item, notes)
    flat: dict[str, Any] = {}
    for name, child in item.items():
        merge(flat, flatten(child, (name,), notes), notes)
    return flat


def merge(row: dict[str, Any], pairs: Iterable[tuple[str, Any]], notes: Notes) -> None:
    """Adds `pairs` after what `row` holds; a key that is taken keeps its value, with a warning."""
    for key, value in pairs:
        if key in row:
            notes.warn(f"An upstream field was left out: the key {key} is taken.")
        elif notes.room <= 0:
            notes.warn("Upstream fields were left out: there are too many.")
            return
        else:
            row[key] = value
            notes.room -= 1

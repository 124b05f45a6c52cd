"""Taking apart an upstream payload: known paths, the rest of it, and values that fit their field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields

from connector.domain.names import output_key
from schemas.fields import declared_fields, upstream_paths

MISSING = object()
LEAF = ""
"""Marks, in a tree of known paths, a place where a value may stand."""

_EXACT_IN_JAVASCRIPT = 2**53

Tree = dict[str, Any]


def find(payload: Any, path: str) -> Any:
    """The value at a dotted `path` (digits index a list), or `MISSING`; null counts as missing."""
    for part in path.split("."):
        if isinstance(payload, Mapping):
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


def pick(payload: Mapping[str, Any], schema: type[Schema], warnings: list[str]) -> dict[str, Any]:
    """The declared values of `payload` by key, in their Python types; unfit ones become null.

    A path whose value does not fit yields to the next path; when none fits, one warning says so.
    """
    return {
        key: _first_fitting(payload, paths, declared, warnings)
        for key, declared in declared_fields(schema).items()
        if (paths := upstream_paths(declared))
    }


def _first_fitting(
    payload: Mapping[str, Any],
    paths: Iterable[str],
    declared: fields.Field[Any],
    warnings: list[str],
) -> Any:
    unfit = None
    for path in paths:
        raw = find(payload, path)
        if raw is MISSING:
            continue
        try:
            return plain(declared.deserialize(raw), warnings)
        except ValidationError:
            unfit = unfit or f"{path} was left empty: its value is not of the expected kind."
    if unfit:
        warnings.append(unfit)
    return None


def leftovers(
    payload: Mapping[str, Any], known: Tree, warnings: list[str], path: tuple[str, ...] = ()
) -> Iterator[tuple[str, Any]]:
    """What `payload` holds beside the known paths, as (key, plain value), by the same naming rule."""
    for name, value in payload.items():
        here = (*path, name)
        node = known.get(name) if name != LEAF else None
        if node is None:
            yield from flatten(value, here, warnings)
        elif isinstance(value, Mapping) and set(node) - {LEAF}:
            yield from leftovers(value, node, warnings, here)
        elif LEAF not in node and value is not None:
            warnings.append(f"{'.'.join(here)} was left out: an object was expected.")


def flatten(value: Any, path: tuple[str, ...], warnings: list[str]) -> Iterator[tuple[str, Any]]:
    """`value` as (key, plain value) pairs: objects go flat, lists stay lists of flat objects."""
    if isinstance(value, Mapping) and value:
        for name, child in value.items():
            yield from flatten(child, (*path, name), warnings)
    else:
        yield output_key(*path), plain(value, warnings)


def plain(value: Any, warnings: list[str]) -> Any:
    """`value` with flat objects in its lists and with text for what JavaScript would round."""
    if isinstance(value, list):
        return [_plain_item(item, warnings) for item in value]
    if isinstance(value, int) and abs(value) > _EXACT_IN_JAVASCRIPT:
        return str(value)
    # Only an empty object comes here: it has no value to show.
    return None if isinstance(value, Mapping) else value


def _plain_item(item: Any, warnings: list[str]) -> Any:
    if not isinstance(item, Mapping):
        return plain(item, warnings)
    flat: dict[str, Any] = {}
    for name, child in item.items():
        merge(flat, flatten(child, (name,), warnings), warnings)
    return flat


def merge(row: dict[str, Any], pairs: Iterable[tuple[str, Any]], warnings: list[str]) -> None:
    """Adds `pairs` after what `row` holds; a key that is taken keeps its value, with a warning."""
    for key, value in pairs:
        if key in row:
            warnings.append(f"An upstream field was left out: the key {key} is taken.")
        else:
            row[key] = value

"""Picking values out of a payload: the short way gives what the schema's own fields would give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError, validate

from connector.domain.payloads import MISSING, Notes, dumped, find, pick, plain
from schemas.fields import Text, WholeNumber, declared_fields, field, upstream_paths
from schemas.profile import ProfileRow
from schemas.video import Video

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 10**15 - 1, 10**15, -(10**15), 2**53 + 1]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["", "12", " 7 ", "true", "0", "1.5", "2026-11-24T00:00:00Z", "1700000000"]),
    st.lists(st.integers() | st.text(max_size=5), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)
SCHEMAS = [ProfileRow, Video]


def by_the_fields(payload: Mapping[str, Any], schema: type[Schema]) -> tuple[dict[str, Any], Any]:
    """Every value as its field reads it, with no way around."""
    notes = Notes()
    values = {}
    for key, declared in declared_fields(schema).items():
        paths = upstream_paths(declared)
        if not paths:
            continue
        values[key], unfit = None, None
        for path in paths:
            if (raw := find(payload, path)) is MISSING:
                continue
            try:
                values[key] = plain(declared.deserialize(raw), notes)
                break
            except ValidationError:
                unfit = unfit or f"{path} was left empty: its value is not of the expected kind."
        else:
            if unfit:
                notes.warn(unfit)
    return values, list(notes.warnings)


def paths_of(schema: type[Schema]) -> list[str]:
    return [path for f in declared_fields(schema).values() for path in upstream_paths(f)]


def payload_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """A payload with a value at each dotted path; of two that exclude each other, the later."""
    payload: dict[str, Any] = {}
    for path, value in values.items():
        *parents, last = path.split(".")
        node = payload
        for parent in parents:
            below = node.get(parent)
            node[parent] = node = below if isinstance(below, dict) else {}
        node[last] = value
    return payload


@pytest.mark.parametrize("schema", SCHEMAS)
@given(data=st.data())
def test_values_are_those_of_the_fields(schema: type[Schema], data: st.DataObject) -> None:
    """Missing, null, mistyped, unknown or deep."""
    paths = st.sampled_from(paths_of(schema))
    payload = payload_of(data.draw(st.dictionaries(paths, VALUES, max_size=40)))
    notes = Notes()
    # By their texts, as true is 1, and NaN is nothing's equal.
    assert repr((pick(payload, schema, notes), list(notes.warnings))) == repr(
        by_the_fields(payload, schema)
    )


MOMENTS = st.datetimes(timezones=st.just(UTC))


@pytest.mark.parametrize("schema", SCHEMAS)
@given(data=st.data())
def test_values_are_dumped_as_by_the_schema(schema: type[Schema], data: st.DataObject) -> None:
    keys = st.sampled_from(list(schema().dump_fields))
    values = data.draw(st.dictionaries(keys, VALUES | MOMENTS, max_size=40))
    assert outcome(lambda: dumped(values, schema)) == outcome(lambda: schema().dump(values))


def outcome(work: Callable[[], Any]) -> str:
    """What it gives, in its order, or that it fails; by its text, as true is 1."""
    try:
        return repr(list(work().items()))
    except Exception:  # noqa: BLE001  # a value that no field could have picked
        return "fails"


@given(VALUES)
@example("much too long")
def test_field_that_checks_is_asked(value: Any) -> None:
    checking = Schema.from_dict(
        {
            "text": field(
                Text, "a", label="T", sample="", help="T.", validate=validate.Length(max=3)
            ),
            "number": field(
                WholeNumber, "a", label="N", sample=1, help="N.", validate=validate.Range(0, 9)
            ),
        }
    )
    notes = Notes()
    assert repr((pick({"a": value}, checking, notes), list(notes.warnings))) == repr(
        by_the_fields({"a": value}, checking)
    )

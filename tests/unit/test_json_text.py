"""JSON from strangers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.json_text import MAX_DEPTH, parse_json, to_json


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nope",
        b"NaN",
        b"[Infinity]",
        b"1e999",
        b"9" * 5000,
        b"\xff",
        b'{"a": 1',
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 900 + b"1" + b"}" * 900,
    ],
    ids=lambda text: text[:8].decode("latin-1") + str(len(text)),
)
def test_what_is_not_bounded_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # ValueError is the whole promise
        parse_json(text)


def test_depth_is_allowed_up_to_its_limit() -> None:
    text = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert parse_json(text + b"\n") == json.loads(text)


def test_many_brackets_are_not_depth() -> None:
    assert parse_json(json.dumps([[], {}] * 500).encode()) == [[], {}] * 500


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb'"\ud83d\ude00"', "😀"),
        (rb'"a\ud83d"', "a\ufffd"),
        (rb'{"\udc00": 1}', {"\ufffd": 1}),
        (b'\xef\xbb\xbf"bom"', "bom"),
    ],
)
def test_text_can_always_be_encoded_again(text: bytes, value: Any) -> None:
    assert parse_json(text) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1.5, None, "é"]}, '{"a":[1.5,null,"é"]}'),
        (2**70, str(2**70)),
        (float("nan"), "null"),
    ],
)
def test_what_json_has_a_form_of_is_written(value: Any, text: str) -> None:
    assert to_json(value) == text.encode()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (object(), TypeError),
        (datetime(2026, 1, 1, tzinfo=UTC), TypeError),
        ("\ud83d", ValueError),
        ({"a": float("nan"), 1: 2}, ValueError),
    ],
)
def test_what_json_has_no_form_of_is_refused(value: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        to_json(value)


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, 2**64, -(2**63) - 1, 10**18, 10**19])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_VALUES, st.sampled_from([None, 1]))
def test_json_is_read_as_it_was_written(value: Any, indent: int | None) -> None:
    # As text, as 1 and 1.0 and True would be equal.
    assert repr(parse_json(json.dumps(value, indent=indent).encode())) == repr(value)


@given(_VALUES)
def test_json_is_written_as_it_can_be_read(value: Any) -> None:
    assert repr(json.loads(to_json(value))) == repr(value)


def test_what_json_has_no_form_of_is_not_written() -> None:
    with pytest.raises(TypeError):
        to_json({"at": datetime.now(UTC)})

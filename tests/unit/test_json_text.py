"""JSON from strangers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.json_text import MAX_DEPTH, parse_json


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


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_json_is_read_as_it_was_written(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value

"""The handle in whatever a stranger sends."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.errors import InvalidHandle, InvalidInput
from connector.domain.handles import normalise_handle
from connector.domain.inbound import MAX_CHARACTERS, MAX_LEVELS, MAX_NODES, NAMES, handle_in

FOUND = {
    "named": {"handle": "@Ada"},
    "capitals": {" Handle ": "ada"},
    "deep": {"a": [{"b": {"c": [[{"user": "ada"}]]}}]},
    "user is an object": {"user": {"id": 7, "username": "ada"}},
    "best name of a level": {"text": "bo", "url": "cy", "username": "ada"},
    "shallowest level": {"data": {"handle": "bo"}, "text": "ada"},
    "shallowest level, whichever object": [{"x": {"handle": "bo"}}, {"text": "ada"}],
    "address": {"profile": "https://www.tiktok.com/@ada?lang=en"},
    "another site is passed over": {"url": "https://example.com/x", "text": "ada"},
    "nonsense is passed over": {"handle": "", "username": None, "user": True, "profile": "ada"},
    "form without a name": "ada",
    "text with spaces around": "  @ada \r\n",
    "first word that says it": "hello there, look at (@ada), not @bo",
    "address among words": "see <https://www.tiktok.com/@ada|his page> please",
    "sentence under a name": {"text": "find @ada."},
    "other addresses among words": "https://vm.tiktok.com/x then https://www.tiktok.com/@ada",
}


@pytest.mark.parametrize("sent", FOUND.values(), ids=FOUND)
def test_handle_is_found(sent: Any) -> None:
    assert handle_in([sent], None) == "ada"


PATHS = {
    "data.user.name": {"data": {"user": {"name": "ada"}}, "handle": "bo"},
    "items.0.handle": {"items": [{"handle": "@ada"}, {"handle": "bo"}]},
    "0": ["ada"],
    "a.b": {"a.b": "ada"},
    "data.user.name ": {"data": {"user.name ": "ada"}},
    "number": {"number": 123},
}


@pytest.mark.parametrize("path", PATHS)
def test_path_leads_to_the_handle(path: str) -> None:
    assert handle_in([PATHS[path]], path) == ("123" if path == "number" else "ada")


@pytest.mark.parametrize(
    "path", ["a", "a.b.c", "items.1.handle", "items.-1", "items.٠", ".", "x." * 99]
)
def test_path_that_leads_nowhere_is_named(path: str) -> None:
    """And nothing else is taken in its place: who gives a path means it."""
    sent = {"handle": "bo", "items": [{"handle": "bo"}]}
    with pytest.raises(InvalidInput) as caught:
        handle_in([sent, {"handle": "bo"}, "bo"], path)
    assert caught.value.message == f"No handle was found at {path}."


def test_body_comes_before_the_query() -> None:
    assert handle_in([{"text": "ada"}, {"handle": "bo"}], None) == "ada"
    assert handle_in([{"no": 1}, {"handle": "bo"}], None) == "bo"


@pytest.mark.parametrize(
    "sent", [{}, "", [], {"name": "ada"}, None, 0, 1.5, {"text": [None]}, ["ada"]]
)
def test_nothing_found_says_what_was_looked_for(sent: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        handle_in([sent, {}], None)
    assert caught.value.message == (
        "No handle was found: send one as handle, username, user, profile, url or text, or as plain text."
    )


def test_what_is_no_handle_is_explained() -> None:
    """By the first that was meant as one."""
    with pytest.raises(InvalidHandle, match="secured user id"):
        handle_in([{"handle": "MS4wLjABAAAA", "text": "hello world"}], None)


def test_what_lies_too_deep_is_not_looked_for() -> None:
    deep: Any = {"handle": "ada"}
    for _ in range(MAX_LEVELS - 1):
        deep = [deep]
    assert handle_in([deep], None) == "ada"
    with pytest.raises(InvalidInput):
        handle_in([[deep]], None)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner),
    max_leaves=30,
)


def check(sent: list[Any], path: str | None) -> None:
    """There is a handle, in normal form, or a reason; never another exception."""
    with suppress(InvalidInput):
        found = handle_in(sent, path)
        assert normalise_handle(found) == found


@given(st.lists(VALUES, max_size=2), st.none() | st.text(max_size=20))
def test_whatever_is_sent_there_is_a_handle_or_a_reason(sent: list[Any], path: str | None) -> None:
    check(sent, path)


@given(st.text(alphabet="@tiktok.com/:# <|\u200b", max_size=300))
def test_texts_of_our_own_marks_are_read(text: str) -> None:
    """Of what addresses are made, put together in every way."""
    check([text], None)


MONSTERS: dict[str, Callable[[int], Any]] = {
    "one text": lambda n: "a@" * n,
    "words": lambda n: "@! " * n,
    "addresses": lambda n: "tiktok.com/@/ " * n,
    "names": lambda n: [{"text": "a b"}] * n,
    "wide": lambda n: {f"k{number}": {} for number in range(n)},
    "nested": lambda n: [[{"text": "@! " * 9}] * 9] * (n // 9),
    "long texts": lambda n: [{"text": "x y " * 99}] * (n // 99),
}


def work(sent: Any) -> tuple[int, int]:
    """Handles that are tried, and their characters, until it is given up."""
    tried: list[int] = []

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is normalise_handle.__code__:
            tried.append(len(frame.f_locals["text"]))

    sys.setprofile(watch)
    try:
        with pytest.raises(InvalidInput):
            handle_in([sent], None)
    finally:
        sys.setprofile(None)
    return len(tried), sum(tried)


@pytest.mark.parametrize("monster", MONSTERS)
def test_monsters_are_looked_at_in_part(monster: str) -> None:
    """However it is filled, twice as much is twice the work at most, and a megabyte is bounded."""
    tried, characters = work(MONSTERS[monster](2_000))
    twice_tried, twice = work(MONSTERS[monster](4_000))
    assert twice_tried <= 2 * tried + 20
    assert twice <= 2 * characters + 20
    tried, characters = work(MONSTERS[monster](40_000))
    assert tried <= 10 * MAX_NODES
    assert characters <= 2 * 1024 * 1024


def test_no_more_is_looked_at_however_many_levels_it_has() -> None:
    """The objects of all levels are counted together."""
    tried, _ = work([{"deeper": {"text": "a b"}}] * (MAX_NODES - 1_000))
    assert 0 < tried < 2_000


def test_no_more_of_a_text_is_read_than_a_person_writes() -> None:
    assert handle_in(["x " * 100 + "@ada"], None) == "ada"
    with pytest.raises(InvalidInput):
        handle_in(["x " * (MAX_CHARACTERS // 2) + "@ada"], None)

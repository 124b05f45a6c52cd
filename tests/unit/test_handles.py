"""Handles: whatever a person pastes is the same name, or a sentence that says what to paste."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.domain.errors import InvalidHandle
from connector.domain.handles import normalise_handle


@pytest.mark.parametrize(
    "text",
    [
        "name",
        "@name",
        "  @Name \n",
        "\u2068@name\u2069",
        "\ufeffname\u200b",
        "tiktok.com/@name",
        "TikTok.com/@NAME/",
        "https://tiktok.com/@name",
        "http://www.tiktok.com/@name?lang=en",
        "https://m.tiktok.com/@name#top",
        "https://www.tiktok.com//@name/video/7301234567890123456?is_copy_url=1",
        "https://www.tiktok.com/%40name",
        "//www.tiktok.com/@name",
        "/@name/video/123",
        "@name/",
        "name/",
        "name?lang=en",
        "@@name",
    ],
)
def test_every_spelling_is_the_same_name(text: str) -> None:
    assert normalise_handle(text) == "name"


@pytest.mark.parametrize(
    "text", ["a", "a.b_c.9", "12345", "naïve!", "tiktok.com", "a" * 64, "田中"]
)
def test_only_the_clearly_impossible_is_refused(text: str) -> None:
    """Sources disagree on what is allowed, and a failed look-up costs nothing."""
    assert normalise_handle(text) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        (" @ ", "empty"),
        ("/", "empty"),
        ("two words", "white space"),
        ("a\x00b", "control characters"),
        ("a\u202eb", "control characters"),
        ("a\ud800b", "control characters"),
        ("a" * 65, "longer than 64"),
        ("İ" * 64, "longer than 64"),
        ("someone/else", "not a handle"),
        ("..", "not a handle"),
        ("me@example.com", "not a handle"),
        ("https://vm.tiktok.com/ZMabc/", "Short links"),
        ("vt.tiktok.com/ZSabc", "Short links"),
        ("https://www.tiktok.com/t/ZTabc/", "Short links"),
        ("https://www.tiktok.com/", "holds no handle"),
        ("https://www.tiktok.com", "holds no handle"),
        ("https://www.tiktok.com/tag/pizza", "holds no handle"),
        ("https://evil.tiktok.com/@name", "holds no handle"),
        ("https://instagram.com/name", "not a TikTok address"),
        ("https://tiktok.com.evil.example/@name", "not a TikTok address"),
        ("https://user@tiktok.com/@name", "not a TikTok address"),
        ("MS4wLjABAAAAINC_ElRR-l1RCcnEjOZhNO", "secUid"),
        ("6659752019493208069", "user id"),
        ("@12345678901234567", "user id"),
    ],
)
def test_what_is_no_handle_is_told_what_it_is(text: str, message: str) -> None:
    with pytest.raises(InvalidHandle, match=message):
        normalise_handle(text)


@pytest.mark.parametrize("text", ["{} x", "https://evil.example/{}", "{}@{}", "{}" * 9, "a/{}"])
def test_refusal_never_repeats_its_input(text: str) -> None:
    """People paste keys into the wrong box, and errors end up in logs."""
    secret = "sk_secret_value"
    with pytest.raises(InvalidHandle) as refused:
        normalise_handle(text.replace("{}", secret))
    assert secret not in refused.value.message


paths = st.lists(st.text(max_size=8), max_size=4).map("/".join)
addresses = st.builds(
    "{}{}/{}".format,
    st.sampled_from(["", "http://", "https://", "//"]),
    st.sampled_from(["tiktok.com", "www.tiktok.com", "m.tiktok.com", "evil.example"]),
    paths | paths.map("@{}".format),
)


@given(st.text() | addresses | st.text(max_size=8).map("@{}".format))
@example("@\u2068@a")
@example("tiktok.com/@%40a")
@example("https://tiktok.com/@tiktok.com%2F@x")
def test_any_text_has_a_normal_form_or_a_sentence(text: str) -> None:
    """Normalising twice changes nothing, and what comes out is a bare name."""
    try:
        name = normalise_handle(text)
    except InvalidHandle:
        return
    assert normalise_handle(name) == name
    assert 0 < len(name) <= 64
    assert not set("/@?# \t\n") & set(name)
    assert name.encode()

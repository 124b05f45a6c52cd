"""Generated profiles: the same for the same handle and moment, and never going backwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from profile_api.services.generated import generated_payload

handles = st.text("abcdefghijklmnopqrstuvwxyz0123456789_.", min_size=2, max_size=24)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))


@given(handles, moments)
def test_profile_is_a_function_of_handle_and_time(handle: str, now: datetime) -> None:
    assert generated_payload(handle, now) == generated_payload(handle, now)


@given(handles, moments, st.integers(1, 100_000))
def test_profile_only_grows(handle: str, now: datetime, seconds: int) -> None:
    """Who it is stays; counts rise; a video that appeared stays what it was."""
    before = generated_payload(handle, now)
    after = generated_payload(handle, now + timedelta(seconds=seconds))
    assert before["user"]["id"] == after["user"]["id"]
    for name, count in before["statsV2"].items():
        assert int(after["statsV2"][name]) >= int(count)
    posted = {item["id"]: item["createTime"] for item in after["itemList"]}
    common = [item for item in before["itemList"] if item["id"] in posted]
    assert all(posted[item["id"]] == item["createTime"] for item in common)


@given(handles, moments)
def test_half_an_hour_shows_a_new_video_and_followers(handle: str, now: datetime) -> None:
    later = generated_payload(handle, now + timedelta(minutes=30))
    before = generated_payload(handle, now)
    assert later["itemList"][0]["id"] != (before["itemList"] or [{"id": None}])[0]["id"]
    assert int(later["statsV2"]["followerCount"]) > int(before["statsV2"]["followerCount"])


def test_handles_differ() -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    ids = {generated_payload(f"user{n}", now)["user"]["id"] for n in range(200)}
    assert len(ids) == 200


def test_clock_before_the_beginning_does_no_harm() -> None:
    payload = generated_payload("early", datetime(2020, 1, 1, tzinfo=UTC))
    assert payload["itemList"] == []

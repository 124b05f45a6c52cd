"""Rows: whatever the upstream answers, every key is there, in order, in its own kind."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connector.domain.counts import judge_hearts, per_video
from connector.domain.errors import ProfileNotFound, UpstreamInvalid
from connector.domain.names import output_key
from connector.domain.payloads import MAX_UNDOCUMENTED_KEYS
from connector.domain.rows import MAX_VIDEOS, MAX_WARNINGS, profile_row
from profile_api.services.samples import DOCUMENTED, WEB_ITEM
from schemas.fields import declared_fields, sample_of, upstream_paths
from schemas.profile import ProfileRow
from schemas.video import Video
from wire.json_text import parse_json

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
KEYS = list(sample_of(ProfileRow))
ROW = ProfileRow()


def row_of(payload: Any) -> dict[str, Any]:
    return profile_row(payload, handle="asked", request_source="API", fetched_at=NOW)


def with_user(**user: Any) -> dict[str, Any]:
    return {"user": {"id": "1", "uniqueId": "x", **user}}


def test_time_of_the_look_up_is_in_whole_seconds() -> None:
    assert row_of(with_user())["fetched_at"] == "2026-11-24T12:00:00.000Z"


def test_handle_asked_for_stands_in_for_a_missing_one() -> None:
    row = row_of({"user": {"id": "1"}})
    assert (row["handle"], row["user_unique_id"]) == ("asked", None)
    assert row["profile_url"] == "https://www.tiktok.com/@asked"


def test_name_can_not_break_out_of_its_address() -> None:
    """An upstream is a stranger: its names are text, not paths."""
    row = row_of(with_user(uniqueId="../x?y#z"))
    assert row["profile_url"] == "https://www.tiktok.com/@..%2Fx%3Fy%23z"


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"user": None},
        {"user": []},
        {"user": "x"},
        {"user": {}},
        {"user": {"nickname": "x"}},
        {"user": {}, "account_deactivated": False},
        {"stats": {}},
    ],
)
def test_answer_without_a_user_is_no_profile(payload: Any) -> None:
    """A scrape that failed must not look like a profile that changed."""
    with pytest.raises(UpstreamInvalid):
        row_of(payload)


def test_deactivated_account_is_not_found() -> None:
    with pytest.raises(ProfileNotFound):
        row_of({"account_deactivated": True, "user": None})


def test_private_falls_back_on_secret() -> None:
    assert row_of(with_user(secret=True))["lookup_status"] == "private"
    assert row_of(with_user(privateAccount=False, secret=True))["lookup_status"] == "found"


def test_signed_addresses_pass_byte_for_byte() -> None:
    url = "https://p16.example/a%2Bb~c.jpeg?x-expires=1893456000&x-signature=a%2Bb%3D&x=%zz"
    row = row_of(with_user(avatarThumb=url))
    assert row["user_avatar_thumb"] == url
    assert row["avatar_expires_at"] == "2030-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    "url", ["", "x-expires=5", "https://x?x-expires=", "https://[", "h://a?x-expires=9e9"]
)
def test_address_without_an_expiry_has_none(url: str) -> None:
    assert row_of(with_user(avatarLarger=url))["avatar_expires_at"] is None


@pytest.mark.parametrize("value", [0, -5, 10**15, None, "soon"])
def test_impossible_creation_time_is_null(value: Any) -> None:
    assert row_of(with_user(createTime=value))["user_created_at"] is None


def test_newest_video_is_first_however_it_is_pinned() -> None:
    items = [
        {"id": "a", "createTime": 100, "isPinned": True},
        {"id": "b"},
        {"id": "c", "createTime": "300"},
        {"aweme_id": "d", "create_time": 200},
    ]
    row = row_of({**with_user(), "itemList": items})
    assert [video["id"] for video in row["recent_videos"]] == ["c", "d", "a", "b"]
    assert row["latest_video_id"] == "c"
    assert list(row["recent_videos"][1])[:9] == list(declared_fields(Video))


@pytest.mark.parametrize(
    ("items", "count"), [({}, None), ({"itemList": None}, None), ({"itemList": []}, 0)]
)
def test_no_list_is_told_from_an_empty_one(items: dict[str, Any], count: int | None) -> None:
    row = row_of({**with_user(), **items})
    assert (row["recent_video_count"], row["recent_videos"]) == (count, [])


def test_taken_key_keeps_its_declared_value() -> None:
    row = row_of({**with_user(), "handle": "evil", "cached": True, "user_id": "9"})
    assert (row["handle"], row["cached"], row["user_id"]) == ("x", False, "1")
    assert len(row["warnings"]) == 3


def test_unknown_keys_come_last_and_flat() -> None:
    payload = {**with_user(newThing={"deepKey": [1, {"aB": {"c": 2}}], "empty": {}}), "2nd": 1}
    row = row_of(payload)
    extra = dict(list(row.items())[len(KEYS) :])
    assert extra == {
        "user_new_thing_deep_key": [1, {"a_b_c": 2}],
        "user_new_thing_empty": None,
        "x_2nd": 1,
    }


def test_long_names_do_not_multiply() -> None:
    """A name before many values would be repeated in each of their keys."""
    row = row_of(with_user(**{"n" * 20_000: {f"k{n}": n for n in range(2_000)}}))
    assert list(row) == KEYS
    assert row["warnings"] == ["Upstream fields with very long names were left out."]


def test_row_has_room_for_many_unknown_keys_not_for_any_number() -> None:
    payload = {**with_user(), "more": {f"k{n}": 1 for n in range(30_000)}}
    payload["itemList"] = [{"id": str(n)} for n in range(1_000)]
    row = row_of(payload)
    assert len(row) - len(KEYS) == MAX_UNDOCUMENTED_KEYS
    assert len(row["recent_videos"]) == row["recent_video_count"] == MAX_VIDEOS
    assert row["warnings"] == [
        f"Of itemList, the first {MAX_VIDEOS} were read.",
        "Upstream fields were left out: there are too many.",
    ]


@pytest.mark.parametrize("user", [{"id": True}, {"id": {"a": 1}}, {"uniqueId": []}, {"id": 0}])
def test_user_is_told_by_text_or_number(user: dict[str, Any]) -> None:
    with pytest.raises(UpstreamInvalid):
        row_of({"user": {"nickname": "x", **user}})


def test_warnings_are_bounded() -> None:
    row = row_of(with_user(**{f"k{n}_": n for n in range(100)}, **{f"K{n}": n for n in range(100)}))
    assert len(row["warnings"]) == MAX_WARNINGS + 1


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (("user", "isADVirtual"), "user_is_ad_virtual"),
        (("user", "secUid"), "user_sec_uid"),
        (("statsV2", "repostCount"), "stats_v2_repost_count"),
        (("HTTPServer",), "http_server"),
        (("a__b", "_c_"), "a_b_c"),
        (("日本",), "x"),
        (("XMLHttpRequest", "aBCd"), "xml_http_request_a_b_cd"),
        (("A" * 300_000,), "a" * 300_000),
        (("9lives",), "x_9lives"),
    ],
)
def test_names_become_keys(path: tuple[str, ...], key: str) -> None:
    assert output_key(*path) == key


@given(st.lists(st.text(), min_size=1))
def test_any_name_is_a_key_that_platforms_take(path: list[str]) -> None:
    key = output_key(*path)
    assert key.replace("_", "a").isalnum()
    assert key.isascii()
    assert key[0].isalpha()
    assert "__" not in key


@pytest.mark.parametrize(
    ("counts", "value", "quality"),
    [
        ({"exact": 4500000000, "heart": 205032704, "heart_count": 205032704}, 4500000000, "exact"),
        ({"exact": 0, "heart": 5, "heart_count": 5}, 0, "exact"),
        ({"heart": 4200000000, "heart_count": 0}, 4200000000, "reported"),
        ({"heart_count": 7}, 7, "reported"),
        ({"heart": 0, "heart_count": 0}, 0, "reported"),
        ({"heart": -977433948, "heart_count": -977433948}, None, "overflowed"),
        ({"heart": 5, "heart_count": -1}, None, "overflowed"),
        ({"exact": -1, "heart": 5, "heart_count": 5}, None, "overflowed"),
        ({}, None, None),
    ],
)
def test_hearts_are_never_invented(
    counts: dict[str, int], value: int | None, quality: str | None
) -> None:
    hearts = judge_hearts(**{"exact": None, "heart": None, "heart_count": None, **counts})
    assert (hearts.value, hearts.quality) == (value, quality)


@pytest.mark.parametrize(
    ("hearts", "videos", "result"),
    [
        (10, 4, 2.5),
        (10, 3, 3.33),
        (0, 5, 0.0),
        (None, 5, None),
        (5, 0, None),
        (5, None, None),
        (5, -1, None),
    ],
)
def test_hearts_per_video(hearts: int | None, videos: int | None, result: float | None) -> None:
    assert per_video(hearts, videos) == result


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4)
    ),
    max_leaves=20,
)
PATHS = sorted({p for f in declared_fields(ProfileRow).values() for p in upstream_paths(f)})
ITEM_PATHS = sorted({p for f in declared_fields(Video).values() for p in upstream_paths(f)})


def _put(payload: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for part in parents:
        child = payload.get(part)
        payload[part] = child = child if isinstance(child, dict) else {}
        payload = child
    payload[last] = value


@st.composite
def odd_payloads(draw: st.DrawFn) -> Any:
    """The documented answer with some of its values, known or not, replaced by anything."""
    payload = json.loads(json.dumps(DOCUMENTED))
    payload["itemList"] = [json.loads(json.dumps(WEB_ITEM))]
    extra = st.text(max_size=6).map(lambda name: f"user.{name}")
    for path in draw(st.lists(st.sampled_from(PATHS) | extra | st.just("stats"), max_size=6)):
        _put(payload, path, draw(json_values))
    for path in draw(st.lists(st.sampled_from(ITEM_PATHS), max_size=3)):
        _put(payload["itemList"][0], path, draw(json_values))
    return payload


@given(
    odd_payloads()
    | json_values.map(lambda value: {"user": {"id": "1"}, "itemList": [value]})
    | json_values
)
@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@example({"user": {"id": "1", "uniqueId": "\ud800"}})
@example({"user": {"id": "1"}, "": {"": {"": 1}}})
@example({"user": {"id": "1"}, "stats": {"heartCount": "١٢"}})
@example({"user": {"id": True, "createTime": "٣"}})
def test_any_json_gives_a_whole_row_or_a_documented_error(payload: Any) -> None:
    """Never anything else: through JSON as it comes in, and out again as JSON."""
    received = parse_json(json.dumps(payload).encode())
    if not isinstance(received, dict):
        return
    try:
        row = row_of(received)
    except (UpstreamInvalid, ProfileNotFound):
        return
    assert list(row)[: len(KEYS)] == KEYS
    sent = json.loads(json.dumps(row, allow_nan=False).encode())
    declared = {key: sent[key] for key in KEYS}
    declared["recent_videos"] = [
        {key: video[key] for key in declared_fields(Video)} for video in declared["recent_videos"]
    ]
    assert ROW.dump(ROW.load(declared)) == declared


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_moment_that_utc_does_not_have_is_null_with_a_warning(moment: str) -> None:
    payload = {**with_user(), "itemList": [{"id": "1", "createTime": moment}]}
    row = profile_row(payload, handle="x", request_source="API", fetched_at=NOW)
    assert row["latest_video_created_at"] is None
    assert any("createTime" in warning for warning in row["warnings"])


# Our own clock, so never near the ends of the calendar.
@given(st.datetimes(datetime(1970, 1, 2), timezones=st.just(timezone(timedelta(hours=5)))))
def test_any_clock_gives_an_offset(now: datetime) -> None:
    row = profile_row(with_user(), handle="x", request_source="API", fetched_at=now)
    assert datetime.fromisoformat(row["fetched_at"]).tzinfo is not None

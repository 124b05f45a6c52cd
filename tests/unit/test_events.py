"""Events: which lie between two looks at a profile, and which don't."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.events import IN_CONSOLE, Event, events_between, sample_event
from connector.domain.portraits import Portrait, missed, seen
from connector.domain.rows import profile_row
from schemas.catalog import CATALOG
from schemas.events import WATCHED_KEYS, EventRow
from schemas.fields import declared_fields

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
TRIGGERS = [trigger.key for trigger in CATALOG.triggers]


def row(
    *, videos: list[tuple[str, int]] | None = None, stats: dict[str, Any] | None = None, **user: Any
) -> dict[str, Any]:
    """A row of the profile `ada`, with some of it changed; `videos` are (id, Unix time)."""
    payload = {
        "user": {
            "id": "1",
            "uniqueId": "ada",
            "nickname": "Ada",
            "signature": "Hi",
            "verified": False,
            "privateAccount": False,
            "language": "en",
            "avatarLarger": "https://a.example/path/1.jpeg?x-expires=1893456000",
            "bioLink": {"link": "https://example.com"},
            **user,
        },
        "stats": {"followerCount": 1000, "videoCount": 3, **(stats or {})},
        "itemList": [
            {"id": name, "createTime": at} for name, at in (videos if videos is not None else OLD)
        ],
    }
    return profile_row(payload, handle="ada", request_source="API", fetched_at=NOW)


OLD = [("v2", 1_700_000_200), ("v1", 1_700_000_100)]


def looks(*rows: dict[str, Any] | None, now: datetime = NOW) -> list[Portrait]:
    """The portraits after looks that brought `rows`, null where nothing was found."""
    portraits: list[Portrait] = []
    for found in rows:
        before = portraits[-1] if portraits else None
        portraits.append(missed(before) if found is None else seen(before, found, now))
    return portraits


def between(
    trigger: str, *rows: dict[str, Any] | None, now: datetime = NOW, **inputs: Any
) -> list[Event]:
    *_, before, after = looks(*rows)
    return events_between(trigger, inputs, before, after, now)


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_first_look_has_no_events(trigger: str) -> None:
    """It is what later looks are compared with."""
    (after,) = looks(row())
    assert events_between(trigger, {"every": 1}, None, after, NOW) == []


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_same_profile_has_no_events(trigger: str) -> None:
    assert between(trigger, row(), row(), every=1) == []


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_sample_is_a_whole_event(trigger: str) -> None:
    """The same keys in the same order as an event that happened."""
    (portrait,) = looks(row())
    event = sample_event(trigger, {"thresholds": [500]}, portrait, NOW)
    keys = list(declared_fields(EventRow))
    assert list(event.body)[: len(keys)] == keys
    assert event.body["id"] == event.event_id
    assert EventRow(unknown="include").load(dict(event.body))


def test_trigger_of_a_later_version_tells_nothing() -> None:
    """A worker may be older than the web server, and a look that raised would be paid for again."""
    assert between("not_yet", row(), row()) == []


def test_new_video_is_told_once_and_is_the_latest_of_its_event() -> None:
    """Two at once are two events, the older one first, each with its own video."""
    newer = [("v4", 1_700_000_400), ("v3", 1_700_000_300), *OLD]
    events = between("new_video", row(), row(videos=newer))
    assert [event.event_id for event in events] == ["1:v3", "1:v4"]
    assert [event.body["latest_video_id"] for event in events] == ["v3", "v4"]
    assert events[0].body["latest_video_created_at"] == "2023-11-14T22:18:20.000Z"
    assert events[0].body["occurred_at"] == "2026-11-24T12:30:00.000Z"
    assert events[0].body["user_id"] == "1"
    assert between("new_video", row(), row(videos=newer), row(videos=newer)) == []


@pytest.mark.parametrize(
    "rows",
    [
        (row(), row(videos=[("v1", 1_700_000_100), ("v0", 1_600_000_000)])),
        (row(videos=[], stats={"videoCount": 21}), row()),
        (row(), row(privateAccount=True, videos=[])),
        (row(), row(privateAccount=True, videos=[]), row()),
        (row(), None, row()),
        (None, row()),
    ],
    ids=["older moves up", "hidden before", "private", "public again", "back", "never seen"],
)
def test_video_that_only_comes_into_sight_is_not_new(rows: tuple[Any, ...]) -> None:
    assert between("new_video", *rows) == []


def test_first_video_of_an_empty_profile_is_new() -> None:
    empty = row(videos=[], stats={"videoCount": 0})
    assert [e.event_id for e in between("new_video", empty, row(videos=[("v1", 5)]))] == ["1:v1"]


@pytest.mark.parametrize(
    ("change", "key", "old", "new"),
    [
        ({"nickname": "Bo"}, "user_nickname", "Ada", "Bo"),
        ({"signature": ""}, "user_signature", "Hi", ""),
        ({"bioLink": None}, "user_bio_link_link", "https://example.com", ""),
        ({"uniqueId": "Bo"}, "user_unique_id", "ada", "Bo"),
        ({"verified": True}, "user_verified", "false", "true"),
        ({"privateAccount": True}, "user_private_account", "false", "true"),
        (
            {"avatarLarger": "https://b.example/path/2.jpeg?x=1"},
            "user_avatar_larger",
            "https://a.example/path/1.jpeg?x-expires=1893456000",
            "https://b.example/path/2.jpeg?x=1",
        ),
    ],
)
def test_each_watched_change_is_told(change: dict[str, Any], key: str, old: str, new: str) -> None:
    (event,) = between("profile_changed", row(), row(**change))
    assert event.body["changed_fields"] == [key]
    (told,) = event.body["changes"]
    assert (told["field"], told["old_value"], told["new_value"]) == (key, old, new)
    assert told["label"]
    assert between("profile_changed", row(), row(**change), watched_fields=["user_region"]) == []


@pytest.mark.parametrize(
    "change",
    [
        {"avatarLarger": "https://c.example/path/1.jpeg?x-expires=1999999999"},
        {"uniqueId": "ADA"},
        {"nickname": None},
        {"signature": None},
        {"bioLink": None, "language": None},
        {"followerCount": 7, "region": "DE"},
    ],
    ids=["signed anew", "spelling", "no name", "no bio", "sparse", "not watched"],
)
def test_what_is_unknown_or_not_watched_is_no_change(change: dict[str, Any]) -> None:
    assert between("profile_changed", row(), row(**change)) == []


def test_several_changes_are_one_event() -> None:
    (event,) = between("profile_changed", row(), row(nickname="Bo", verified=True))
    assert event.body["changed_fields"] == ["user_nickname", "user_verified"]
    assert len(event.body["changes"]) == 2


def test_going_private_is_one_change_and_comes_back_as_it_was() -> None:
    """It blanks the bio and zeroes counts, which nobody edited."""
    hidden = row(
        privateAccount=True, signature="", bioLink=None, stats={"followerCount": 0}, videos=[]
    )
    (gone,) = between("profile_changed", row(), hidden)
    assert gone.body["changed_fields"] == ["user_private_account"]
    assert gone.body["follower_change"] == 0
    (back,) = between("profile_changed", row(), hidden, row())
    assert back.body["changed_fields"] == ["user_private_account"]
    (edited,) = between("profile_changed", row(), hidden, row(signature="New"))
    assert edited.body["changed_fields"] == ["user_signature", "user_private_account"]
    assert between("follower_milestone", row(), hidden, row(), every=100) == []


@pytest.mark.parametrize(
    ("inputs", "low", "high", "reached"),
    [
        ({"thresholds": [1000, 2000, 5000]}, 1000, 2500, [2000]),
        ({"thresholds": [1000, 2000]}, 999, 2000, [1000, 2000]),
        ({"thresholds": [1000]}, 1500, 900, []),
        ({"thresholds": [1000]}, 1000, 1000, []),
        ({"every": 1000}, 1900, 2000, [2000]),
        ({"every": 1000}, 1900, 9100, [9000]),
        ({"every": 1000}, 2000, 2999, []),
        ({"every": 1000, "thresholds": [2000]}, 1999, 2001, [2000]),
    ],
)
def test_milestone_is_reached_from_below(
    inputs: dict[str, Any], low: int, high: int, reached: list[int]
) -> None:
    events = between(
        "follower_milestone",
        row(stats={"followerCount": low}),
        row(stats={"followerCount": high}),
        **inputs,
    )
    assert [event.body["milestone"] for event in events] == reached
    assert [event.event_id for event in events] == [f"1:followers:{n}" for n in reached]


@pytest.mark.parametrize(
    ("frequency", "step", "told"),
    [
        ("hourly", timedelta(minutes=29), False),
        ("hourly", timedelta(minutes=30), True),
        ("daily", timedelta(hours=11), False),
        ("daily", timedelta(hours=12), True),
        ("weekly", timedelta(days=5), False),
        ("weekly", timedelta(days=6), True),
    ],
)
def test_snapshot_is_due_by_the_clock(frequency: str, step: timedelta, told: bool) -> None:
    before = seen(None, row(), NOW)
    after = seen(before, row(stats={"followerCount": 1250}), NOW + step)
    events = events_between("stats_snapshot", {"frequency": frequency}, before, after, NOW + step)
    assert len(events) == told
    for event in events:
        assert event.body["previous_follower_count"] == 1000
        assert event.body["follower_change"] == 250
        again = seen(after, row(), NOW + step)
        assert (
            events_between("stats_snapshot", {"frequency": frequency}, after, again, NOW + step)
            == []
        )


@pytest.mark.parametrize(
    ("rows", "happened", "status"),
    [
        ((row(), None), "profile_gone", "not_found"),
        ((row(), row(privateAccount=True)), "profile_private", "private"),
        ((row(), None, row()), "profile_back", "found"),
        ((row(), row(privateAccount=True), row()), "profile_back", "found"),
        ((None, row()), "profile_back", "found"),
    ],
)
def test_status_is_told_when_it_changes(rows: tuple[Any, ...], happened: str, status: str) -> None:
    """A profile that is gone is told with what was last known of it."""
    (event,) = between("profile_unavailable", *rows)
    assert (event.body["event_type"], event.body["lookup_status"]) == (happened, status)
    assert event.body["user_nickname"] == "Ada"


@pytest.mark.parametrize(
    ("words", "caption", "told"),
    [
        ([], "anything", True),
        ([" ", ""], "anything", True),
        (["recipe"], "My RECIPE of the day", True),
        (["cake", "recipe"], "#recipes", True),
        (["cake", "pie"], "bread", False),
        (["STRASSE"], "auf der Straße", True),
        (["ΣΊΣΥΦΟΣ"], "σίσυφος", True),
        (["caf\u00e9"], "CAFE\u0301", True),
        (["recipe"], "𝓡𝓮𝓬𝓲𝓹𝓮", True),
        (["🍰"], "🍰🍰", True),
        (["recipe"], None, False),
        ([".*"], "anything", False),
        (["(a+)+$"], "a" * 100_000, False),
        (["a.c["], "xa.c[x", True),
        (["\0"], "a\0b", True),
    ],
)
def test_caption_holds_one_of_the_words(words: list[str], caption: str | None, told: bool) -> None:
    """As a person reads them: whatever case, accents and fonts are made of; patterns are but text."""
    posted = row(videos=[("v3", 1_700_000_300), *OLD])
    posted["recent_videos"][0]["description"] = caption
    events = between("new_video", row(), posted, description_contains=words)
    assert len(events) == told


@given(st.lists(st.text().filter(str.strip), min_size=1), st.text())
def test_any_words_can_be_looked_for_in_any_caption(words: list[str], caption: str) -> None:
    """Both are strangers' words; whichever stands in the caption is found there."""
    posted = row(videos=[("v3", 1_700_000_300), *OLD])
    posted["recent_videos"][0]["description"] = f"{caption} {words[0]} {caption}"
    assert len(between("new_video", row(), posted, description_contains=words)) == 1


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        ([], ["profile_gone", "profile_back", "profile_private", "profile_back"]),
        (["gone"], ["profile_gone"]),
        (["private", "gone"], ["profile_gone", "profile_private"]),
        (["back"], ["profile_back", "profile_back"]),
    ],
)
def test_only_the_statuses_that_were_asked_for_are_told(
    statuses: list[str], told: list[str]
) -> None:
    portraits = looks(row(), None, row(), row(privateAccount=True), row())
    events = [
        event.body["event_type"]
        for before, after in pairwise(portraits)
        for event in events_between(
            "profile_unavailable", {"statuses": statuses}, before, after, NOW
        )
    ]
    assert events == told


def test_name_that_went_to_somebody_else_starts_anew() -> None:
    """Nothing of the former user is a change of the new one."""
    other = row(
        id="2", nickname="Bo", stats={"followerCount": 9_000_000}, videos=[("w", 1_800_000_000)]
    )
    for trigger in TRIGGERS:
        assert between(trigger, row(), other, every=10) == []
    *_, after = looks(row(), other)
    assert (after.user_id, after.video_ids) == ("2", ("w",))


def test_same_two_looks_give_the_same_events() -> None:
    """So that a poll that is repeated after a crash tells nothing twice."""
    changed = row(nickname="Bo", videos=[("v3", 1_700_000_300), *OLD])
    for trigger in TRIGGERS:
        assert between(trigger, row(), changed) == between(trigger, row(), changed)


@given(
    st.lists(
        st.sampled_from([None, row(), row(privateAccount=True), row(nickname="Bo")]), min_size=1
    )
)
def test_portrait_survives_the_database(rows: list[dict[str, Any] | None]) -> None:
    portrait = looks(*rows)[-1]
    assert Portrait.from_json(json.loads(json.dumps(portrait.to_json()))) == portrait


def test_watched_keys_are_keys_of_the_row() -> None:
    assert set(WATCHED_KEYS) <= set(declared_fields(EventRow))


def test_console_tells_all_that_needs_no_choice() -> None:
    """A milestone would have to be named, and counts are kept anyway."""
    after = row(
        videos=[("v3", 1_700_000_300), *OLD],
        signature="New",
        stats={"followerCount": 2000},
        privateAccount=True,
    )
    happened = between(
        IN_CONSOLE, row(), row(signature="New", videos=[("v3", 1_700_000_300), *OLD])
    )
    assert [event.body["event_type"] for event in happened] == ["new_video", "profile_changed"]
    happened = between(IN_CONSOLE, row(), after)
    assert [event.body["event_type"] for event in happened] == [
        "profile_changed",
        "profile_private",
    ]


@pytest.mark.parametrize("trigger", ["new_video", "profile_changed", "profile_unavailable"])
def test_console_tells_an_event_by_the_same_id_as_its_trigger(trigger: str) -> None:
    """What several subscriptions are told can be shown once."""
    later = row(videos=[("v3", 1_700_000_300), *OLD], signature="New")
    for after in (later, row(privateAccount=True), None):
        ids = {event.event_id for event in between(IN_CONSOLE, row(), after)}
        assert {event.event_id for event in between(trigger, row(), after)} <= ids


def test_console_does_not_choose() -> None:
    """What its subscription is kept with narrows nothing."""
    after = row(signature="New")
    assert between(IN_CONSOLE, row(), after, watched_fields=["user_nickname"], statuses=["gone"])


def test_console_is_offered_by_no_platform() -> None:
    """So that no poll and no hook can meet its subscriptions."""
    assert IN_CONSOLE not in TRIGGERS

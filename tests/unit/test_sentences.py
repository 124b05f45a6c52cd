"""Events in a person's words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.domain.events import IN_CONSOLE, events_between
from connector.domain.sentences import said_once
from connector.domain.watched import Noticed
from schemas.catalog import CATALOG
from tests.unit.test_events import OLD, looks, row

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)


def noticed(
    *rows: dict[str, Any] | None, trigger: str = IN_CONSOLE, at: datetime = NOW, **inputs: Any
) -> list[Noticed]:
    *_, before, after = looks(*rows)
    events = events_between(trigger, inputs, before, after, at)
    return [Noticed(at, event.event_id, event.body) for event in events]


def texts(*events: Noticed) -> list[str]:
    return [said["text"] for said in said_once(events)]


def video(caption: str | None, name: str = "v3") -> dict[str, Any]:
    found = row(videos=[(name, 1_700_000_300), *OLD])
    found["recent_videos"][0]["description"] = caption
    return found


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"signature": "New"}, "Bio changed"),
        ({"nickname": "Eve"}, "Display name changed"),
        ({"uniqueId": "eve"}, "Username changed"),
        ({"bioLink": {"link": "https://example.org"}}, "Bio link changed"),
        ({"avatarLarger": "https://a.example/path/2.jpeg"}, "Picture changed"),
        ({"verified": True}, "Got the verified badge"),
        ({"privateAccount": True}, "Went private"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_change_is_said_by_the_name_of_its_field(change: dict[str, Any], text: str) -> None:
    assert texts(*noticed(row(), row(**change))) == [text]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((row(), None), ["Not found any more"]),
        ((row(), None, row()), ["Back again"]),
        ((row(), row(privateAccount=True), row()), ["Went public", "Back again"]),
        ((row(verified=True), row(verified=False)), ["Lost the verified badge"]),
    ],
    ids=["gone", "back", "public", "badge"],
)
def test_status_is_said(rows: tuple[dict[str, Any] | None, ...], said: list[str]) -> None:
    assert texts(*noticed(*rows)) == said


@pytest.mark.parametrize(
    ("caption", "text"),
    [
        ("A cake\n with  #cherries", "New video: A cake with #cherries"),
        ("x" * 80, f"New video: {'x' * 80}"),
        ("x" * 81, f"New video: {'x' * 79}…"),
        (f"{'x' * 78}  and more", f"New video: {'x' * 78}…"),
        (" \n ", "New video"),
        (None, "New video"),
    ],
    ids=["lines", "just fits", "too long", "ends with a space", "blank", "none"],
)
def test_video_is_said_with_the_beginning_of_its_caption(caption: str | None, text: str) -> None:
    assert texts(*noticed(row(), video(caption))) == [text]


def test_milestones_and_reports_are_said_with_their_number() -> None:
    before, after = row(), row(stats={"followerCount": 12_345})
    reached = noticed(before, after, trigger="follower_milestone", every=10_000)
    later = NOW + timedelta(days=1)
    reported = noticed(before, after, trigger="stats_snapshot", frequency="daily", at=later)
    assert texts(*reached, *reported) == [
        "Reached 10,000 followers",
        "Counts reported: 12,345 followers",
    ]


def test_every_sample_event_is_said() -> None:
    """Whatever the triggers tell, somebody can read it."""
    for trigger in CATALOG.triggers:
        (said,) = said_once([Noticed(NOW, "e", trigger.sample)])
        assert said["occurred_at"] == NOW.timestamp()
        assert said["event_type"] == trigger.sample["event_type"]
        assert "_" not in said["text"]


def test_same_change_told_with_different_choices_is_said_once() -> None:
    """A Zap that watches the bio alone gives the event another id."""
    before, after = row(), row(signature="New", nickname="Eve")
    bio = noticed(before, after, trigger="profile_changed", watched_fields=["user_signature"])
    both = noticed(before, after)
    assert bio[0].event_id != both[0].event_id
    assert sorted(texts(*bio, *both)) == ["Bio changed", "Display name changed"]


def test_going_private_is_said_once() -> None:
    """It is a change and a status, told by two triggers."""
    events = noticed(row(), row(privateAccount=True))
    assert len(events) == 2
    assert texts(*events) == ["Went private"]


def test_same_words_at_another_time_are_said_again() -> None:
    later = noticed(row(), row(signature="New"), at=NOW + timedelta(minutes=15))
    assert texts(*later, *noticed(row(), row(signature="New"))) == ["Bio changed", "Bio changed"]


def test_two_videos_with_one_caption_are_two() -> None:
    events = noticed(row(), row(videos=[("v4", 1_700_000_400), ("v3", 1_700_000_300), *OLD]))
    assert texts(*events) == ["New video", "New video"]
    assert texts(*events, *events) == ["New video", "New video"]


def test_kind_of_event_that_nobody_knows_yet_is_said_by_its_name() -> None:
    assert texts(Noticed(NOW, "e", {"event_type": "went_live"})) == ["Went live"]

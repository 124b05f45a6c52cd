"""What charts of a watched profile show: its looks, thinned, and what was noticed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select

from connector.adapters.store.tables import Snapshot, Watch
from connector.adapters.store.time import to_ms
from connector.domain.errors import InvalidHandle, InvalidInput, NotWatched
from connector.services.watched import MAX_EVENTS, MAX_POINTS
from tests.watched import Watching, profile
from wire.database import writing

TARGET = "https://hooks.example.com/1"


@pytest.fixture
def watching(watching: Watching) -> Watching:
    """With one profile that was looked at once."""
    watching.profiles.answers |= {"ada": profile(), "bo": profile("bo")}
    watching.watched.watch("ada", watching.caller(), poll_interval_seconds=None)
    watching.look()
    return watching


def see(watching: Watching, **changes: Any) -> int:
    """A look at a changed profile, in Unix seconds."""
    watching.clock.move(minutes=16)
    watching.profiles.answers["ada"] = profile(**changes)
    watching.look()
    return int(watching.clock.now().timestamp())


def series(watching: Watching, handle: str = "ada", *, days: int = 30) -> Any:
    return watching.watched.series(handle, watching.caller(), days=days)


def texts(watching: Watching, handle: str = "ada", *, days: int = 30) -> list[str]:
    return [said["text"] for said in series(watching, handle, days=days)["events"]]


def keep_looks(engine: Engine, watching: Watching, seconds_ago: Sequence[int]) -> list[int]:
    """Keeps looks in this order, with the place of each as its followers; when they were."""
    now = watching.clock.now()
    times = [now - timedelta(seconds=ago) for ago in seconds_ago]
    with writing(engine) as session:
        watch_id = session.execute(select(Watch.id)).scalar_one()
        session.execute(
            insert(Snapshot),
            [
                {"watch_id": watch_id, "seen_at": to_ms(at), "status": "found", "followers": place}
                for place, at in enumerate(times)
            ],
        )
    return [int(at.timestamp()) for at in times]


def test_looks_are_lists_of_each_count_oldest_first(watching: Watching) -> None:
    first = int(watching.clock.now().timestamp())
    second = see(watching, videos=3, stats={"followerCount": 1500, "heartCount": 70})
    assert series(watching)["looks"] == {
        "seen_at": [first, second],
        "followers": [1000, 1500],
        "hearts": [None, 70],
        "videos": [2, 3],
    }


def test_looks_and_events_before_these_days_are_left_out(watching: Watching) -> None:
    see(watching, nickname="Eve")
    watching.clock.move(days=1)
    last = see(watching, nickname="Ada")
    assert series(watching, days=1)["looks"]["seen_at"] == [last]
    assert len(series(watching, days=2)["looks"]["seen_at"]) == 3
    assert len(texts(watching, days=1)) == 1
    assert len(texts(watching, days=2)) == 2


def test_profile_that_was_never_seen_has_an_empty_series(watching: Watching) -> None:
    watching.watched.watch("bo", watching.caller(), poll_interval_seconds=None)
    nothing: dict[str, list[int]] = {"seen_at": [], "followers": [], "hearts": [], "videos": []}
    assert series(watching, "bo") == {"looks": nothing, "events": []}


@pytest.mark.parametrize("number", [MAX_POINTS - 1, MAX_POINTS, 3 * MAX_POINTS])
def test_many_looks_are_thinned_to_the_last_of_equal_spans(
    watching: Watching, engine: Engine, number: int
) -> None:
    with writing(engine) as session:
        session.execute(Snapshot.__table__.delete())
    times = keep_looks(engine, watching, range(900 * number, 0, -900))
    looks = series(watching, days=365)["looks"]
    every = max(1, number // MAX_POINTS)
    assert looks["seen_at"] == times[every - 1 :: every]
    assert looks["followers"] == list(range(number))[every - 1 :: every]


def test_looks_that_fit_are_all_shown_however_close_they_are(
    watching: Watching, engine: Engine
) -> None:
    """As after the first day of a profile, in a chart of a month."""
    keep_looks(engine, watching, [20 * 86400, *range(MAX_POINTS - 2, 0, -1)])
    assert len(series(watching)["looks"]["seen_at"]) == MAX_POINTS


def test_thinned_looks_end_with_the_last_one_whatever_their_pace(
    watching: Watching, engine: Engine
) -> None:
    """A burst is one point or a few, and leaves the rest of the line as it was."""
    with writing(engine) as session:
        session.execute(Snapshot.__table__.delete())
    slow = list(range(20 * 86400, 3600, -7200))
    times = keep_looks(engine, watching, [*slow, *range(3599, 0, -2)])
    shown = series(watching)["looks"]["seen_at"]
    assert len(shown) <= MAX_POINTS
    assert shown == sorted(shown)
    assert shown[-1] == times[-1]
    assert len([at for at in shown if at <= times[len(slow) - 1]]) >= len(slow) - 10


def test_events_are_told_newest_first_as_sentences(watching: Watching) -> None:
    first = see(watching, nickname="Eve")
    second = see(watching, nickname="Eve", videos=3)
    assert series(watching)["events"] == [
        {"occurred_at": second, "event_type": "new_video", "text": "New video"},
        {"occurred_at": first, "event_type": "profile_changed", "text": "Display name changed"},
    ]


def test_event_that_several_are_told_is_shown_once(watching: Watching) -> None:
    """By the console, by a receiver and by a poll, whatever each of them asked for."""
    caller = watching.caller()
    for trigger in ("new_video", "profile_changed"):
        watching.hooks.subscribe(trigger, TARGET, {"handles": ["ada"]}, caller)
        watching.poll(trigger, "ada")
    watching.poll("follower_milestone", "ada", thresholds=[1500], every=None)
    see(watching, nickname="Eve", videos=3, stats={"followerCount": 2000})
    assert sorted(texts(watching)) == [
        "Display name changed",
        "New video",
        "Reached 1,500 followers",
    ]


def test_events_of_others_are_not_shown(watching: Watching) -> None:
    """A subscription may watch several profiles; and tests are of nothing that happened."""
    made = watching.hooks.subscribe(
        "new_video", TARGET, {"handles": ["ada", "bo"]}, watching.caller()
    )
    watching.clock.move(minutes=2)
    watching.look()
    watching.hooks.test(made["id"], watching.caller())
    watching.profiles.answers["bo"] = profile("bo", videos=4)
    see(watching)
    assert texts(watching) == []
    assert texts(watching, "bo") == ["New video", "New video"]


def test_events_of_profiles_without_an_id_are_told_apart_by_handle(watching: Watching) -> None:
    for name in ("eve", "kim"):
        watching.profiles.answers[name] = profile(name, id=None)
    watching.poll("new_video", "eve", "kim")
    watching.clock.move(minutes=16)
    watching.profiles.answers["kim"] = profile("kim", id=None, videos=3)
    watching.poll("new_video", "eve", "kim")
    assert (texts(watching, "eve"), texts(watching, "kim")) == ([], ["New video"])


def test_events_end_at_the_newest_hundred(watching: Watching) -> None:
    last = 0
    for n in range(MAX_EVENTS // 2 + 1):
        last = see(watching, nickname=f"Ada {n}", verified=n % 2 == 0)
    events = series(watching)["events"]
    assert len(events) == MAX_EVENTS
    assert events[0]["occurred_at"] == last


def test_renamed_profile_keeps_its_series(watching: Watching) -> None:
    see(watching, nickname="Eve")
    see(watching, nickname="Eve", uniqueId="eve")
    assert texts(watching, "eve") == ["Username changed", "Display name changed"]
    assert len(series(watching, "eve")["looks"]["seen_at"]) == 3


def test_events_of_which_only_the_id_is_kept_are_left_out(watching: Watching) -> None:
    """What was told stays told, also when its body was deleted."""
    see(watching, nickname="Eve")
    watching.clock.move(days=366)
    while watching.forgetting.run():
        pass
    assert series(watching, days=1000)["events"] == []


@pytest.mark.parametrize("days", [0, -1, 3651, 10**30])
def test_days_that_make_no_sense_are_refused(watching: Watching, days: int) -> None:
    with pytest.raises(InvalidInput, match="days: Must be from 1 to 3650"):
        series(watching, days=days)


def test_what_is_not_watched_has_no_series(watching: Watching) -> None:
    with pytest.raises(NotWatched):
        series(watching, "bo")
    with pytest.raises(InvalidHandle):
        series(watching, "a b")

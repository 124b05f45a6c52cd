"""What was seen of watched profiles: told to those who watch them, kept as long as it was said."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select

from connector.adapters.store.tables import Delivery, Snapshot
from connector.adapters.store.tables import Event as EventRow
from connector.domain.errors import InvalidApiKey, InvalidHandle, NotFound, NotWatched
from connector.services.history import BATCH
from schemas.fields import declared_fields
from schemas.history import HistoryRow
from tests.integration.test_delivering import FAILED, A, listed, post_video, subscribe
from tests.watched import Watching, profile
from wire.database import reading, writing

YEAR = timedelta(days=365)


class Remembering(Watching):
    """Watching with its tables at hand."""

    def rows(self, handle: str = "ada", **asked: Any) -> list[dict[str, Any]]:
        return self.page(handle, **asked)[0]

    def page(
        self, handle: str = "ada", *, api_key: str = "sk_a", platform: str = "zapier", **asked: Any
    ) -> tuple[list[dict[str, Any]], int | None]:
        given = {"since": None, "until": None, "limit": 1000, "cursor": None, **asked}
        return self.history.of(handle, self.caller(api_key, platform), **given)

    def see(self, followers: int, **changes: Any) -> None:
        """A look, an hour after the last one, at which there were so many followers."""
        stats = {"followerCount": followers, "heartCount": 7 * followers}
        self.profiles.answers["ada"] = profile(stats=stats, **changes)
        self.clock.move(hours=1)
        assert self.look() == 1

    def forget(self) -> int:
        """As a worker does, until there is nothing more."""
        forgotten = 0
        while found := self.forgetting.run():
            forgotten += found
        return forgotten

    def count(self, table: Any, *where: Any) -> int:
        with reading(self.engine) as session:
            return session.execute(
                select(func.count()).select_from(table).where(*where)
            ).scalar_one()


@pytest.fixture
def watching(engine: Engine) -> Remembering:
    return Remembering(engine)


def test_every_look_is_told_newest_first(watching: Remembering) -> None:
    subscribe(watching)
    assert watching.rows() == []
    for followers in (1000, 1200, 1100):
        watching.see(followers)
    del watching.profiles.answers["ada"]
    watching.clock.move(hours=1)
    watching.look()
    watching.see(900, privateAccount=True)
    rows = watching.rows()
    assert [list(row) for row in rows] == [list(declared_fields(HistoryRow))] * 5
    assert [
        (row["status"], row["stats_follower_count"], row["stats_video_count"]) for row in rows
    ] == [
        ("private", 900, 2),
        ("not_found", 1100, 2),
        ("found", 1100, 2),
        ("found", 1200, 2),
        ("found", 1000, 2),
    ]
    assert rows[-1]["hearts"] == 7000
    assert rows[-1]["seen_at"] == "2026-11-24T13:30:00.000Z"
    assert {(row["handle"], row["user_id"]) for row in rows} == {("ada", "id-ada")}
    assert len({row["id"] for row in rows}) == 5


def test_pages_follow_each_other_without_a_gap(watching: Remembering) -> None:
    """Also while looks are added in front."""
    subscribe(watching)
    for followers in range(7):
        watching.see(followers + 1)
    found, cursor = watching.page(limit=3)
    watching.see(100)
    while cursor is not None:
        rows, cursor = watching.page(limit=3, cursor=cursor)
        found += rows
    assert [row["stats_follower_count"] for row in found] == [7, 6, 5, 4, 3, 2, 1]
    assert watching.page(limit=8)[1] is None


def test_span_of_time_has_its_start_and_not_its_end(watching: Remembering) -> None:
    subscribe(watching)
    start = watching.clock.now()
    for followers in (1, 2, 3, 4):
        watching.see(followers)
    hours = [start + timedelta(hours=n) for n in range(6)]
    assert [row["stats_follower_count"] for row in watching.rows(since=hours[2])] == [4, 3, 2]
    assert [row["stats_follower_count"] for row in watching.rows(until=hours[2])] == [1]
    span = watching.rows(since=hours[2], until=hours[4])
    assert [row["stats_follower_count"] for row in span] == [3, 2]
    assert watching.rows(since=hours[5]) == []


@pytest.mark.parametrize("handle", ["ada", "@Ada", " ADA "])
def test_handle_is_read_as_everywhere(watching: Remembering, handle: str) -> None:
    subscribe(watching)
    watching.see(5)
    assert len(watching.rows(handle)) == 1
    with pytest.raises(InvalidHandle):
        watching.rows("not a handle!")


def test_what_is_not_watched_has_no_history(watching: Remembering) -> None:
    """Another key's, and another platform's, is as little one's own; the sentence says what to do."""
    subscribe(watching)
    watching.see(5)
    for asked in (
        {"handle": "bo"},
        {"api_key": "sk_b"},
        {"platform": "api"},
    ):
        with pytest.raises(NotWatched) as refused:
            watching.page(**asked)
        platform = asked.get("platform", "zapier")
        named = f"GET /{platform}/triggers/new_video?handles={asked.get('handle', 'ada')}"
        assert named in refused.value.message
    watching.profiles.bad_keys["sk_bad"] = InvalidApiKey()
    with pytest.raises(InvalidApiKey):
        watching.rows(api_key="sk_bad")


def test_polled_profile_has_a_history_too(watching: Remembering) -> None:
    watching.profiles.answers["ada"] = profile()
    watching.poll("new_video", "ada")
    assert len(watching.rows()) == 1


def test_renamed_profile_keeps_its_history(watching: Remembering) -> None:
    """Under its new name, by which it is watched from then on."""
    subscribe(watching)
    watching.see(1)
    watching.see(2, uniqueId="Ada.New")
    rows = watching.rows("ada.new")
    assert [(row["handle"], row["stats_follower_count"]) for row in rows] == [
        ("ada.new", 2),
        ("ada.new", 1),
    ]


def test_name_that_went_to_somebody_else_is_told_by_the_user(watching: Remembering) -> None:
    """Its looks stay in the list; the id says whose they are."""
    subscribe(watching)
    watching.see(1)
    watching.see(9_000_000, id="id-other")
    assert [row["user_id"] for row in watching.rows()] == ["id-other", "id-ada"]


def test_ended_subscription_leaves_no_history(watching: Remembering) -> None:
    """Its looks go with the last subscription, and not before."""
    first, second = subscribe(watching), subscribe(watching, trigger="stats_snapshot")
    watching.see(1)
    watching.hooks.unsubscribe(first["id"], watching.caller())
    assert len(watching.rows()) == 1
    watching.hooks.unsubscribe(second["id"], watching.caller())
    with pytest.raises(NotWatched):
        watching.rows()
    assert watching.count(Snapshot) == 0


def test_old_looks_are_forgotten_and_young_ones_kept(watching: Remembering) -> None:
    """To the second; in pieces, however many there are."""
    subscribe(watching)
    watching.see(1)
    seen_at = watching.clock.now()
    with writing(watching.engine) as session:
        old = session.execute(select(Snapshot.__table__)).one()._asdict()
        old = {**old, "seen_at": old["seen_at"] - 1000}
        copies = [{**old, "id": old["id"] + n} for n in range(1, BATCH + 6)]
        session.execute(Snapshot.__table__.insert(), copies)
    watching.clock.time = seen_at + YEAR
    assert watching.forgetting.run() == BATCH
    assert watching.forgetting.run() == 5
    assert watching.forgetting.run() == 0
    assert [row["stats_follower_count"] for row in watching.rows()] == [1]
    watching.clock.move(seconds=1)
    assert watching.forget() == 1
    assert watching.rows() == []


def test_old_events_are_forgotten_with_their_deliveries(watching: Remembering) -> None:
    """Delivered or dead; what is dead can't be replayed any more then."""
    subscribe(watching)
    post_video(watching)
    watching.deliver()
    watching.clock.move(days=364)
    assert watching.forget() == 0
    assert len(listed(watching)) == 1
    (row,) = listed(watching)
    watching.clock.move(days=2)
    assert watching.forget() > 0
    assert listed(watching) == []
    assert (watching.count(Delivery), watching.count(EventRow, EventRow.body != "")) == (0, 0)
    with pytest.raises(NotFound):
        watching.hooks.replay(int(row["id"]), watching.caller())


def test_what_is_on_its_way_is_never_forgotten(watching: Remembering) -> None:
    """However old the event is; and what ended lately can still be replayed."""
    subscribe(watching)
    watching.receivers.answers[A] = FAILED
    post_video(watching)
    watching.deliver()
    watching.clock.move(days=366)
    watching.forget()
    assert [row["state"] for row in listed(watching)] == ["pending"]
    watching.receivers.answers.clear()
    (sent,) = watching.deliver()
    assert sent.body["latest_video_id"] == "ada-v3"
    watching.forget()
    (row,) = listed(watching, state="delivered")
    watching.hooks.replay(int(row["id"]), watching.caller())
    watching.clock.move(seconds=1)
    assert [one.body["latest_video_id"] for one in watching.deliver()] == ["ada-v3"]


def test_replay_while_old_events_are_forgotten_is_not_lost(watching: Remembering) -> None:
    """It comes between the choice and the deletion: what it sends again is whole."""
    subscribe(watching)
    post_video(watching)
    watching.deliver()
    (row,) = listed(watching)
    watching.clock.move(days=366)

    def replay(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM events" in statement and listed(watching, state="delivered"):
            watching.hooks.replay(int(row["id"]), watching.caller())

    event.listen(watching.engine, "after_cursor_execute", replay)
    watching.forgetting.run()
    assert [one.body["latest_video_id"] for one in watching.deliver()] == ["ada-v3"]


def test_forgotten_event_is_not_told_again(watching: Remembering) -> None:
    """A milestone that is reached again years later was told; neither polled nor sent is it twice."""
    subscribe(watching, trigger="follower_milestone", thresholds=[1500])
    watching.profiles.answers["ada"] = profile()
    watching.poll("follower_milestone", "ada", thresholds=[1500])
    watching.see(1000)
    watching.see(1600)
    assert len(watching.deliver()) == 1
    assert len(watching.poll("follower_milestone", "ada", thresholds=[1500])) == 1
    watching.clock.move(days=366)
    watching.forget()
    assert watching.poll("follower_milestone", "ada", thresholds=[1500]) == []
    watching.see(1000)
    watching.see(1700)
    assert watching.deliver() == []
    assert watching.poll("follower_milestone", "ada", thresholds=[1500]) == []


def test_polled_events_are_kept_as_long(watching: Remembering) -> None:
    """They have no delivery that could end."""
    watching.profiles.answers["ada"] = profile()
    watching.poll("new_video", "ada")
    watching.profiles.answers["ada"] = profile(videos=3)
    watching.clock.move(minutes=16)
    assert len(watching.poll("new_video", "ada")) == 1
    watching.clock.move(days=364)
    watching.forget()
    assert len(watching.poll("new_video", "ada")) == 1
    watching.clock.move(days=2)
    watching.forget()
    assert watching.poll("new_video", "ada") == []

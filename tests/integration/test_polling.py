"""Polled triggers on a real database: what a poll looks at, keeps and answers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from connector.domain.answers import Page
from connector.domain.errors import (
    BudgetExceeded,
    InvalidApiKey,
    InvalidHandle,
    ProfileNotFound,
    RateLimited,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from connector.domain.subscriptions import ClaimedWatch
from schemas.catalog import CATALOG
from schemas.events import EventRow
from schemas.fields import declared_fields
from tests.watched import LEASE, Watching, profile

KEYS = list(declared_fields(EventRow))


@pytest.mark.parametrize("trigger", [trigger.key for trigger in CATALOG.triggers])
def test_first_poll_answers_a_sample_and_later_ones_what_happened(
    watching: Watching, trigger: str
) -> None:
    """The sample is an event of the real profile; nothing that was there before is an event."""
    watching.profiles.answers["ada"] = profile()
    (sample,) = watching.poll(trigger, "@Ada", thresholds=[500], every=None)
    assert list(sample)[: len(KEYS)] == KEYS
    assert sample["user_nickname"] == "ada"
    watching.clock.move(minutes=16)
    assert watching.poll(trigger, "@Ada", thresholds=[500], every=None) == []
    assert len(watching.profiles.asked) == 2


def test_events_come_newest_first_and_stay(watching: Watching) -> None:
    """Zapier tells new ones by id; a poll that it missed loses nothing."""
    watching.profiles.answers["ada"] = profile()
    watching.poll("new_video", "ada")
    for videos in (3, 5):
        watching.clock.move(minutes=16)
        watching.profiles.answers["ada"] = profile(videos=videos)
        rows = watching.poll("new_video", "ada")
    assert [row["latest_video_id"] for row in rows] == ["ada-v5", "ada-v4", "ada-v3"]
    assert len({row["id"] for row in rows}) == 3
    assert watching.poll("new_video", "ada") == rows


def test_poll_before_its_time_costs_nothing(watching: Watching) -> None:
    """Platforms poll as often as their plan allows; each look costs 2 credits."""
    watching.profiles.answers["ada"] = profile()
    for _ in range(5):
        watching.poll("new_video", "ada")
        watching.clock.move(minutes=2)
    assert len(watching.profiles.asked) == 1


def test_one_look_serves_every_trigger(watching: Watching) -> None:
    watching.profiles.answers["ada"] = profile()
    watching.poll("new_video", "ada")
    watching.poll("profile_changed", "ada")
    watching.poll("follower_milestone", "ada", thresholds=[1500], every=None)
    asked = len(watching.profiles.asked)
    watching.clock.move(minutes=16)
    watching.profiles.answers["ada"] = profile(
        videos=3, signature="New", stats={"followerCount": 2000}
    )
    assert len(watching.poll("new_video", "ada")) == 1
    assert len(watching.poll("follower_milestone", "ada", thresholds=[1500], every=None)) == 1
    assert len(watching.profiles.asked) == asked + 1


def test_connections_know_nothing_of_each_other(watching: Watching) -> None:
    """Another key, or another platform, pays for its own looks."""
    watching.profiles.answers["ada"] = profile()
    watching.poll("new_video", "ada", api_key="sk_a")
    watching.poll("new_video", "ada", api_key="sk_b")
    assert len(watching.profiles.asked) == 2


def test_pages_lead_to_older_events(watching: Watching) -> None:
    watching.profiles.answers["ada"] = profile()
    watching.poll("new_video", "ada")
    watching.clock.move(minutes=16)
    watching.profiles.answers["ada"] = profile(videos=7)
    caller, inputs = watching.caller(), {"handles": ["ada"]}
    found: list[str] = []
    cursor: int | None = None
    for _ in range(3):
        rows, cursor = watching.polling.poll("new_video", inputs, caller, Page(2, cursor))
        found += [row["latest_video_id"] for row in rows]
    assert found == ["ada-v7", "ada-v6", "ada-v5", "ada-v4", "ada-v3"]
    assert cursor is None


def test_sample_is_shown_in_the_editor_until_there_is_an_event(watching: Watching) -> None:
    watching.profiles.answers["ada"] = profile()
    watching.poll("new_video", "ada")
    page = Page(100, sample=True)
    assert [r["latest_video_id"] for r in watching.poll("new_video", "ada", page=page)] == [
        "ada-v2"
    ]
    assert len(watching.profiles.asked) == 1


@pytest.mark.parametrize(
    "error",
    [InvalidApiKey(), ProfileNotFound(), UpstreamUnavailable(), UpstreamTimeout()],
    ids=lambda error: error.code,
)
def test_first_poll_that_sees_nothing_says_why_and_keeps_nothing(
    watching: Watching, error: Exception
) -> None:
    watching.profiles.answers["ada"] = error  # type: ignore[assignment]  # one of ours
    with pytest.raises(type(error)):
        watching.poll("new_video", "ada")
    watching.profiles.answers["ada"] = profile()
    watching.clock.move(seconds=61)  # a miss is remembered for a minute
    assert len(watching.poll("new_video", "ada")) == 1


def test_bad_key_is_refused_before_anything_is_kept(watching: Watching) -> None:
    watching.profiles.bad_keys["sk_bad"] = InvalidApiKey()
    with pytest.raises(InvalidApiKey):
        watching.poll("new_video", "ada", api_key="sk_bad")
    assert watching.profiles.asked == []


def test_bad_handle_is_refused(watching: Watching) -> None:
    with pytest.raises(InvalidHandle):
        watching.poll("new_video", "ada", "b o")


def test_failed_look_changes_nothing_and_is_tried_again(watching: Watching) -> None:
    """A scrape that failed is neither a change nor a profile that is gone."""
    watching.profiles.answers["ada"] = profile()
    for trigger in ("profile_unavailable", "new_video"):
        watching.poll(trigger, "ada")
    watching.clock.move(minutes=16)
    watching.profiles.answers["ada"] = UpstreamUnavailable()
    assert watching.poll("profile_unavailable", "ada") == []
    watching.profiles.answers["ada"] = {"user": None}
    watching.clock.move(minutes=2)
    assert watching.poll("profile_unavailable", "ada") == []
    watching.profiles.answers["ada"] = profile(videos=3)
    watching.clock.move(minutes=10)
    assert len(watching.poll("new_video", "ada")) == 1


def test_rate_limit_is_waited_for(watching: Watching) -> None:
    watching.profiles.answers["ada"] = profile()
    watching.poll("new_video", "ada")
    watching.clock.move(minutes=16)
    watching.profiles.answers["ada"] = RateLimited(retry_after_seconds=300)
    watching.poll("new_video", "ada")
    watching.clock.move(seconds=290)
    watching.poll("new_video", "ada")
    assert len(watching.profiles.asked) == 2
    watching.clock.move(seconds=20)
    watching.poll("new_video", "ada")
    assert len(watching.profiles.asked) == 3


def test_gone_profile_is_told_and_so_is_its_return(watching: Watching) -> None:
    watching.profiles.answers["ada"] = profile()
    watching.poll("profile_unavailable", "ada")
    watching.clock.move(minutes=16)
    watching.profiles.answers["ada"] = ProfileNotFound()
    (gone,) = watching.poll("profile_unavailable", "ada")
    assert (gone["event_type"], gone["user_nickname"]) == ("profile_gone", "ada")
    watching.clock.move(minutes=16)
    watching.profiles.answers["ada"] = profile()
    assert watching.poll("profile_unavailable", "ada")[0]["event_type"] == "profile_back"


def test_renamed_user_is_followed(watching: Watching) -> None:
    """Its old name may be nobody's tomorrow."""
    watching.profiles.answers["ada"] = profile()
    watching.poll("profile_changed", "ada")
    watching.clock.move(minutes=16)
    watching.profiles.answers["ada"] = profile() | {"user": {**profile()["user"], "uniqueId": "Bo"}}
    (event,) = watching.poll("profile_changed", "ada")
    assert event["changed_fields"] == ["user_unique_id"]
    watching.clock.move(minutes=16)
    watching.poll("profile_changed", "ada")
    assert watching.profiles.asked[-1][0] == "bo"


def test_several_profiles_are_watched_at_once(watching: Watching) -> None:
    for name in ("ada", "bo"):
        watching.profiles.answers[name] = profile(name)
    assert len(watching.poll("new_video", "ada", "@bo", "ada")) == 2
    assert len(watching.profiles.asked) == 2
    watching.clock.move(minutes=16)
    watching.profiles.answers["bo"] = profile("bo", videos=3)
    (row,) = watching.poll("new_video", "ada", "@bo", "ada")
    assert row["handle"] == "bo"


def test_budget_ends_looks_before_it_is_overspent(engine: Engine) -> None:
    """Five credits are two looks; the next day they are there again."""
    watching = Watching(engine, watch_daily_credits=5)
    watching.profiles.answers["ada"] = profile()
    for _ in range(2):
        watching.poll("new_video", "ada")
        watching.clock.move(minutes=16)
    for _ in range(3):
        with pytest.raises(BudgetExceeded, match="5 credits for today"):
            watching.poll("new_video", "ada")
        watching.clock.move(minutes=45)
    assert len(watching.profiles.asked) == 2
    assert watching.stores.watches.spent(watching.caller().connection, "2026-11-24") == 4
    watching.clock.move(hours=12)
    watching.poll("new_video", "ada")
    assert len(watching.profiles.asked) == 3


@pytest.mark.parametrize("limit", ["watch_daily_credits", "daily_credits"])
def test_budget_that_is_raised_counts_within_an_hour(engine: Engine, limit: str) -> None:
    """To ask again whether there is any costs nothing."""
    watching = Watching(engine, **{limit: 2})
    watching.profiles.answers["ada"] = profile()
    watching.poll("new_video", "ada")
    watching.clock.move(minutes=16)
    with pytest.raises(BudgetExceeded):
        watching.poll("new_video", "ada")
    raised = Watching(engine, **{limit: 1000})
    raised.profiles.answers["ada"] = profile(videos=3)
    raised.clock.time = watching.clock.now() + timedelta(hours=1)
    assert len(raised.poll("new_video", "ada")) == 1


@pytest.mark.parametrize(
    ("answer", "spent"),
    [
        (profile(), 4),
        (ProfileNotFound(), 2),
        (UpstreamUnavailable(), 2),
        (UpstreamTimeout(), 4),
        ({"user": None}, 4),
    ],
    ids=["found", "missing", "down", "late", "odd"],
)
def test_only_what_may_have_been_charged_counts(
    watching: Watching, answer: object, spent: int
) -> None:
    watching.profiles.answers["ada"] = profile()
    watching.poll("new_video", "ada")
    watching.clock.move(minutes=16)
    watching.profiles.answers["ada"] = answer  # type: ignore[assignment]  # as parametrised
    watching.poll("new_video", "ada")
    assert watching.stores.watches.spent(watching.caller().connection, "2026-11-24") == spent


def test_profile_that_a_worker_is_seeing_first_is_waited_for(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Zap that is switched on looks at once; its editor asks for a sample in the same second."""
    claimed = claimed_by_a_worker(watching)
    watching.profiles.answers["ada"] = profile()
    monkeypatch.setattr(watching.clock, "sleep", lambda _: watching.watcher.look(claimed))
    (sample,) = watching.poll("new_video", "ada", page=Page(100, sample=True))
    assert sample["latest_video_id"] == "ada-v2"
    assert len(watching.profiles.asked) == 1


@pytest.mark.parametrize(("look_ends", "message"), [(False, "not done yet"), (True, "It is down")])
def test_profile_that_nobody_has_seen_yet_is_not_called_missing(
    watching: Watching, look_ends: bool, message: str
) -> None:
    claimed = claimed_by_a_worker(watching)
    if look_ends:
        watching.profiles.answers["ada"] = UpstreamUnavailable("It is down.")
        watching.watcher.look(claimed)
    with pytest.raises(UpstreamUnavailable, match=message):
        watching.poll("new_video", "ada", page=Page(100, sample=True))


def test_profile_whose_first_look_was_cut_off_is_not_called_missing(watching: Watching) -> None:
    """Its holder died, and the poll has no time left to look itself."""
    claimed_by_a_worker(watching)
    watching.clock.time += LEASE
    caller = watching.caller()
    watching.clock.move(seconds=0.9 * caller.deadline.seconds)
    with pytest.raises(UpstreamUnavailable, match="not done yet"):
        watching.polling.poll("new_video", {"handles": ["ada"]}, caller, Page(100, sample=True))


def claimed_by_a_worker(watching: Watching) -> ClaimedWatch:
    """The watch of a subscription that was just made, in the middle of its first look."""
    caller = watching.caller()
    inputs = {"handles": ["ada"]}
    watching.hooks.subscribe("new_video", "https://hooks.example.com/1", inputs, caller)
    (claimed,) = watching.stores.watches.claim_due(watching.clock.now(), lease=LEASE, limit=1)
    return claimed

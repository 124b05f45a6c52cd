"""What a person watches in the console: told apart from what others asked for, paused, ended."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select, update

from connector.adapters.store.migrate import MIGRATIONS
from connector.adapters.store.tables import Delivery, Subscription, Watch
from connector.domain.answers import Page
from connector.domain.errors import (
    ConnectorError,
    InvalidApiKey,
    InvalidHandle,
    InvalidInput,
    NotFound,
    NotWatched,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from connector.domain.events import IN_CONSOLE
from connector.domain.subscriptions import PAUSED
from tests.watched import LEASE, Watching, database, profile
from wire.database import reading, writing

SAMPLE = Page(100, sample=True)
TARGET = "https://hooks.example.com/1"


@pytest.fixture
def watching(watching: Watching) -> Watching:
    for name in ("ada", "bo"):
        watching.profiles.answers[name] = profile(name)
    return watching


def watch(watching: Watching, handle: str = "ada", **caller: str) -> Any:
    return watching.watched.watch(handle, watching.caller(**caller), poll_interval_seconds=None)


def subscribe(watching: Watching, *handles: str, trigger: str = "new_video") -> dict[str, Any]:
    inputs = {"handles": list(handles or ["ada"])}
    return watching.hooks.subscribe(trigger, TARGET, inputs, watching.caller())


def one(watching: Watching, handle: str = "ada") -> Any:
    return watching.watched.one(handle, watching.caller())


def count(engine: Engine, table: Any) -> int:
    with reading(engine) as session:
        return session.execute(select(func.count()).select_from(table)).scalar_one()


# Watching


def test_worker_looks_at_what_only_the_console_watches(watching: Watching, engine: Engine) -> None:
    """It keeps the events, and sends none: there is no receiver."""
    watch(watching, "@Ada")
    assert watching.look() == 1
    assert watching.look() == 0
    watching.clock.move(minutes=16)
    watching.profiles.answers["ada"] = profile(videos=3, nickname="Eve")
    assert watching.look() == 1
    series = watching.watched.series("ada", watching.caller(), days=1)
    assert len(series["events"]) == 2
    assert (watching.deliver(), count(engine, Delivery)) == ([], 0)


def test_watching_wakes_a_worker(watching: Watching) -> None:
    watch(watching)
    ((kind, number),) = watching.wakeups.sent
    assert kind == "watch"
    assert watching.stores.watches.claim_one(number, watching.clock.now(), lease=LEASE)


def test_watching_twice_makes_nothing_and_costs_nothing(watching: Watching, engine: Engine) -> None:
    """Somebody who clicks again pays for no other look."""
    first = watch(watching)
    watching.look()
    watching.clock.move(minutes=5)
    again = watch(watching, "@Ada")
    assert [w["subscription_id"] for w in again["watched_by"]] == [
        w["subscription_id"] for w in first["watched_by"]
    ]
    assert count(engine, Subscription) == 1
    assert watching.look() == 0
    assert len(watching.wakeups.sent) == 1


@pytest.fixture
def processes(database_url: str) -> Iterator[list[Watching]]:
    """Several on one database, each with connections of its own."""
    with ExitStack() as until:
        yield [Watching(until.enter_context(database(database_url))) for _ in range(4)]


def test_watching_at_once_from_several_processes_makes_one(processes: list[Watching]) -> None:
    """On PostgreSQL several find that there is none, and all want to make it."""
    for round_ in range(6):
        if round_ % 2:
            subscribe(processes[0], f"ada{round_}")
        together = Barrier(8)

        def begin(n: int, handle: str = f"ada{round_}", together: Barrier = together) -> Any:
            together.wait(30)
            return watch(processes[n % 4], handle)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(begin, range(8)))
    found = processes[0].watched.listed(processes[0].caller())
    assert [sum(w["in_console"] for w in row["watched_by"]) for row in found] == [1] * 6


def test_watching_while_the_last_subscription_ends_leaves_it_watched(
    processes: list[Watching],
) -> None:
    """The watch that is found there may be deleted before it is ours."""
    mine, theirs = processes[:2]
    for round_ in range(15):
        handle, together = f"ada{round_}", Barrier(2)
        made = subscribe(theirs, handle)

        def end(made: dict[str, Any] = made, together: Barrier = together) -> None:
            together.wait(30)
            theirs.hooks.unsubscribe(made["id"], theirs.caller())

        with ThreadPoolExecutor(1) as pool:
            ending = pool.submit(end)
            together.wait(30)
            shown = watch(mine, handle)
            ending.result()
        assert shown["handle"] == handle
        assert [w["in_console"] for w in one(mine, handle)["watched_by"]] == [True]


def test_bad_key_and_bad_input_are_refused_before_anything_is_kept(
    watching: Watching, engine: Engine
) -> None:
    watching.profiles.bad_keys["sk_bad"] = InvalidApiKey()
    with pytest.raises(InvalidApiKey):
        watch(watching, api_key="sk_bad")
    with pytest.raises(InvalidHandle):
        watch(watching, "a b")
    for seconds in (-1, 10**30):
        with pytest.raises(InvalidInput, match="poll_interval_seconds"):
            watching.watched.watch("ada", watching.caller(), poll_interval_seconds=seconds)
    assert (count(engine, Watch), watching.profiles.asked) == (0, [])


def test_looks_come_as_often_as_the_most_eager_of_all_asks(watching: Watching) -> None:
    """And no oftener: what was asked for less often, or not any more, costs less from then on."""

    def every(seconds: int) -> int:
        watched = watching.watched.watch("ada", watching.caller(), poll_interval_seconds=seconds)
        return int(watched["interval_seconds"])

    assert every(86400) == 86400
    assert every(3600) == 3600
    assert every(7200) == 7200
    hook = subscribe(watching)
    assert one(watching)["interval_seconds"] == 900
    watching.hooks.unsubscribe(hook["id"], watching.caller())
    assert one(watching)["interval_seconds"] == 7200
    subscribe(watching)
    assert every(86400) == 900
    watching.watched.stop("ada", watching.caller())
    assert one(watching)["interval_seconds"] == 900


def test_version_before_the_console_keeps_all_but_what_only_it_knows(
    watching: Watching, engine: Engine
) -> None:
    """Taken back, the tables lose no look, and no link of a hook to what it watches."""
    subscribe(watching)
    watch(watching, "ada")
    watch(watching, "bo")
    watching.look()
    MIGRATIONS.down(engine, "0007")
    MIGRATIONS.up(engine)
    (left,) = watching.watched.listed(watching.caller())
    assert (left["handle"], [by["trigger"] for by in left["watched_by"]]) == ("ada", ["new_video"])
    assert len(watching.watched.series("ada", watching.caller(), days=1)["looks"]["seen_at"]) == 1


def test_neither_polls_nor_hooks_meet_what_the_console_watches(watching: Watching) -> None:
    """It has nothing to send, nothing to sign and nothing to poll."""
    (mine,) = watch(watching)["watched_by"]
    assert watching.hooks.listed(watching.caller()) == []
    for ask in (watching.hooks.test, watching.hooks.rotate):
        with pytest.raises(NotFound):
            ask(mine["subscription_id"], watching.caller())
    watching.poll("new_video", "ada")
    assert len(one(watching)["watched_by"]) == 2


def test_console_needs_a_worker(watching: Watching) -> None:
    """Who runs the connector is told where there is none."""
    assert watching.stores.workers.problem(watching.clock.now()) is None
    watch(watching)
    assert "No worker is alive" in (watching.stores.workers.problem(watching.clock.now()) or "")


# Lists


def test_list_says_how_each_profile_stands_and_who_watches_it(watching: Watching) -> None:
    watching.profiles.answers["ada"] = profile(
        nickname="Ada L.", stats={"followerCount": 1500, "heartCount": 77}
    )
    watch(watching, "bo")
    watch(watching, "ada")
    hook = subscribe(watching)
    watching.poll("profile_changed", "ada")
    looked_at = int(watching.clock.now().timestamp())
    ada, bo = watching.watched.listed(watching.caller())
    assert ada == {
        "handle": "ada",
        "nickname": "Ada L.",
        "user_id": "id-ada",
        "status": "found",
        "followers": 1500,
        "hearts": 77,
        "videos": 2,
        "seen_at": looked_at,
        "due_at": looked_at + 900,
        "interval_seconds": 900,
        "paused": False,
        "problem": None,
        "credits_a_day": 192,
        "watched_by": ada["watched_by"],
    }
    kinds = {(w["trigger"], w["delivered"], w["in_console"], w["state"]) for w in ada["watched_by"]}
    assert kinds == {
        (IN_CONSOLE, False, True, "active"),
        ("new_video", True, False, "active"),
        ("profile_changed", False, False, "active"),
    }
    assert hook["id"] in {w["subscription_id"] for w in ada["watched_by"]}
    assert (bo["status"], bo["nickname"], bo["followers"], bo["seen_at"]) == (None,) * 4
    assert one(watching, "@Ada") == ada


def test_list_is_two_statements_however_long_and_ends_at_200(
    watching: Watching, engine: Engine
) -> None:
    for start in range(0, 201, 50):
        subscribe(watching, *[f"p{n:03}" for n in range(start, min(start + 50, 201))])
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    found = watching.watched.listed(watching.caller())
    assert [row["handle"] for row in found] == [f"p{n:03}" for n in range(200)]
    assert all(len(row["watched_by"]) == 1 for row in found)
    assert len([text for text in asked if text.startswith("SELECT")]) == 2


def test_credits_count_what_workers_look_at(watching: Watching) -> None:
    """Polls are paid as they come; a receiver that was given up asks for nothing."""
    watching.poll("new_video", "ada")
    assert one(watching)["credits_a_day"] == 0
    made = watching.watched.watch("bo", watching.caller(), poll_interval_seconds=7000)
    assert made["credits_a_day"] == 25  # 24.7
    budget = watching.watched.budget(watching.caller())
    assert budget == {"spent_today": 2, "daily_budget": 1000, "credits_a_day": 25}
    watching.watched.pause("bo", watching.caller())
    assert one(watching, "bo")["credits_a_day"] == 0
    assert watching.watched.budget(watching.caller())["credits_a_day"] == 0


def test_receiver_that_was_given_up_costs_nothing(watching: Watching, engine: Engine) -> None:
    subscribe(watching)
    assert one(watching)["credits_a_day"] == 192
    with writing(engine) as session:
        session.execute(update(Subscription).values(state="disabled"))
    shown = one(watching)
    assert (shown["credits_a_day"], shown["watched_by"][0]["state"]) == (0, "disabled")
    assert watching.watched.budget(watching.caller())["credits_a_day"] == 0


def test_key_that_was_refused_is_the_problem_of_all_its_profiles(watching: Watching) -> None:
    """Nobody looks at any of them, for an hour or until it is connected again."""
    for name in ("ada", "bo"):
        watch(watching, name)
    watching.profiles.bad_keys["sk_a"] = InvalidApiKey("The key was refused.")
    (due,) = watching.stores.watches.claim_due(watching.clock.now(), lease=LEASE, limit=1)
    watching.watcher.look(due)
    watching.profiles.bad_keys.clear()
    assert one(watching, "ada")["problem"] == "The key was refused."
    assert one(watching, "bo")["problem"] == "The key was refused."
    assert watching.look() == 0
    assert watch(watching, "bo")["problem"] is None


@pytest.mark.parametrize(
    "stranger", [{"api_key": "sk_b"}, {"platform": "make"}], ids=["another key", "another platform"]
)
def test_nobody_else_sees_or_changes_what_is_watched(
    watching: Watching, stranger: dict[str, str]
) -> None:
    watch(watching)
    watching.look()
    watching.watched.pause("ada", watching.caller())
    before = one(watching)
    other, told = watching.caller(**stranger), watching.watched
    for ask in (told.one, told.pause, told.resume, told.stop):
        with pytest.raises(NotWatched, match="@ada is not watched with this API key"):
            ask("ada", other)
    with pytest.raises(NotWatched):
        told.series("ada", other, days=1)
    assert told.listed(other) == []
    assert told.budget(other) == {"spent_today": 0, "daily_budget": 1000, "credits_a_day": 0}
    assert one(watching) == before


# Pauses


def test_nobody_looks_at_what_is_paused(watching: Watching) -> None:
    """Neither a worker, nor a wake-up, nor a poll; nothing is spent."""
    watch(watching)
    ((_, number),) = watching.wakeups.sent
    watching.watched.pause("ada", watching.caller())
    now = watching.clock.now()
    assert watching.look() == 0
    assert watching.stores.watches.claim_one(number, now, lease=LEASE) is None
    with pytest.raises(UpstreamUnavailable, match=PAUSED):
        watching.poll("new_video", "ada")
    assert watching.profiles.asked == []
    assert watching.watched.budget(watching.caller())["spent_today"] == 0


def test_poll_of_a_paused_profile_answers_what_is_known(watching: Watching) -> None:
    """At once: the first one samples, later ones what was noticed before the pause."""
    watching.poll("new_video", "ada")
    watching.clock.move(minutes=16)
    watching.profiles.answers["ada"] = profile(videos=3)
    told = watching.poll("new_video", "ada")
    watching.watched.pause("ada", watching.caller())
    watching.clock.move(minutes=16)
    begun = watching.clock.now()
    assert watching.poll("new_video", "ada") == told
    assert watching.poll("new_video", "ada", page=SAMPLE) == told
    (sample,) = watching.poll("profile_changed", "ada")
    assert sample["handle"] == "ada"
    assert watching.clock.now() == begun
    assert len(watching.profiles.asked) == 2


def test_poll_of_a_paused_profile_that_was_never_seen_says_why(watching: Watching) -> None:
    """At once, and as often as it is asked; a form that asks for a sample is told so."""
    watch(watching)
    watching.watched.pause("ada", watching.caller())
    begun = watching.clock.now()
    for page in (Page(100), SAMPLE, Page(100)):
        with pytest.raises(UpstreamUnavailable, match=PAUSED):
            watching.poll("new_video", "ada", page=page)
    assert len(one(watching)["watched_by"]) == 1
    assert watching.clock.now() == begun
    assert watching.profiles.asked == []


def test_poll_that_knows_another_profile_is_answered(watching: Watching) -> None:
    watch(watching)
    watching.watched.pause("ada", watching.caller())
    (sample,) = watching.poll("new_video", "ada", "bo")
    assert sample["handle"] == "bo"
    assert watching.poll("new_video", "ada", "bo") == []


def test_hook_says_that_its_profile_is_paused(watching: Watching) -> None:
    subscribe(watching)
    watching.watched.pause("ada", watching.caller())
    (hook,) = watching.hooks.listed(watching.caller())
    assert hook["problems"] == [PAUSED]
    assert one(watching)["problem"] == PAUSED


@pytest.mark.parametrize(
    "answer", [profile(), UpstreamTimeout(), UpstreamUnavailable()], ids=["seen", "late", "down"]
)
def test_look_under_way_keeps_its_result_and_the_pause(
    watching: Watching, answer: dict[str, Any] | ConnectorError
) -> None:
    watch(watching)
    watching.profiles.answers["ada"] = answer
    (claimed,) = watching.stores.watches.claim_due(watching.clock.now(), lease=LEASE, limit=1)
    watching.watched.pause("ada", watching.caller())
    watching.watcher.look(claimed)
    shown = one(watching)
    assert (shown["paused"], shown["problem"]) == (True, PAUSED)
    assert (shown["status"] == "found") == isinstance(answer, dict)
    watching.clock.move(days=1)
    assert watching.look() == 0
    resumed = watching.watched.resume("ada", watching.caller())
    assert (resumed["paused"], resumed["problem"]) == (False, None)


def test_resumed_profile_is_looked_at_now(watching: Watching) -> None:
    watch(watching)
    watching.look()
    caller = watching.caller()
    assert watching.watched.pause("ada", caller)["paused"]
    watching.clock.move(minutes=2)
    assert watching.watched.pause("@Ada", caller)["paused"]
    sent = len(watching.wakeups.sent)
    shown = watching.watched.resume("ada", caller)
    assert shown["due_at"] == int(watching.clock.now().timestamp())
    assert len(watching.wakeups.sent) == sent + 1
    assert watching.look() == 1


def test_resuming_what_is_not_paused_changes_nothing(watching: Watching) -> None:
    """A second click pays for no second look."""
    before = watch(watching)
    watching.look()
    shown = watching.watched.resume("ada", watching.caller())
    assert shown["due_at"] == before["due_at"] + 900
    assert watching.look() == 0


def test_subscribing_again_does_not_end_a_pause(watching: Watching) -> None:
    watch(watching)
    watching.look()
    watching.watched.pause("ada", watching.caller())
    watching.clock.move(minutes=2)
    subscribe(watching)
    watching.poll("new_video", "ada")
    assert watch(watching)["paused"]
    assert watching.look() == 0
    assert len(watching.profiles.asked) == 1


# Ends


def test_stop_ends_the_consoles_own_and_says_what_still_watches(watching: Watching) -> None:
    watch(watching)
    hook = subscribe(watching)
    watching.poll("profile_changed", "ada")
    ended = watching.watched.stop("@Ada", watching.caller())
    assert (ended["handle"], ended["stopped"]) == ("ada", True)
    assert {w["trigger"] for w in ended["watched_by"]} == {"new_video", "profile_changed"}
    assert hook["id"] in {w["subscription_id"] for w in ended["watched_by"]}
    assert one(watching)["watched_by"] == ended["watched_by"]
    again = watching.watched.stop("ada", watching.caller())
    assert again == {**ended, "stopped": False}


def test_last_stop_ends_watching(watching: Watching, engine: Engine) -> None:
    watch(watching)
    ended = watching.watched.stop("ada", watching.caller())
    assert ended == {"handle": "ada", "stopped": True, "watched_by": []}
    assert (count(engine, Watch), count(engine, Subscription)) == (0, 0)
    for ask in (watching.watched.one, watching.watched.stop, watching.watched.pause):
        with pytest.raises(NotWatched):
            ask("ada", watching.caller())


def test_renamed_profile_is_watched_and_ended_under_its_new_name(watching: Watching) -> None:
    watch(watching)
    watching.look()
    watching.clock.move(minutes=16)
    renamed = profile() | {"user": {**profile()["user"], "uniqueId": "eve"}}
    watching.profiles.answers |= {"ada": renamed, "eve": renamed}
    watching.look()
    assert len(watch(watching, "eve")["watched_by"]) == 1
    assert watching.watched.stop("eve", watching.caller())["stopped"]


def test_empty_list_with_a_bad_key_says_so(watching: Watching) -> None:
    watching.profiles.bad_keys["sk_bad"] = InvalidApiKey()
    bad = watching.caller("sk_bad")
    with pytest.raises(InvalidApiKey):
        watching.watched.listed(bad)
    with pytest.raises(InvalidApiKey):
        watching.watched.one("ada", bad)

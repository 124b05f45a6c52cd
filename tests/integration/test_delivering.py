"""Instant triggers on a real database: what is subscribed, claimed, tried, ended and sent again."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import SQLAlchemyError

from connector.adapters.store.deliveries import MAX_AT_ONCE
from connector.adapters.store.workers import Workers
from connector.domain.deliveries import SCHEDULE, Outcome
from connector.domain.errors import InvalidApiKey, InvalidHandle, InvalidInput, NotFound
from schemas.catalog import CATALOG
from schemas.events import EventRow
from schemas.fields import declared_fields
from schemas.hooks import Hook
from tests.postgres import Reused
from tests.watched import Sent, Watching, database, profile
from wire.database import writing

A, B = "https://a.example.com/hook", "https://b.example.com/hook"
FAILED = Outcome(500, "The receiver answered 500.")


def subscribe(
    watching: Watching, target: str = A, *, trigger: str = "new_video", **changes: Any
) -> dict[str, Any]:
    api_key = changes.pop("api_key", "sk_a")
    inputs = {"handles": ["ada"], **changes}
    return watching.hooks.subscribe(trigger, target, inputs, watching.caller(api_key))


def post_video(watching: Watching, videos: int = 3) -> None:
    """After the baseline, the profile has so many videos; it had 2."""
    watching.profiles.answers["ada"] = profile()
    watching.look()
    watching.profiles.answers["ada"] = profile(videos=videos)
    watching.clock.move(minutes=16)
    watching.look()


def listed(watching: Watching, **changes: str) -> list[dict[str, Any]]:
    caller = watching.caller(changes.get("api_key", "sk_a"))
    return watching.hooks.on_their_way(changes.get("state"), caller)


def test_event_is_told_once_with_every_field(watching: Watching) -> None:
    """The body is the flat row itself; the first look is the baseline."""
    made = subscribe(watching)
    assert list(made) == list(declared_fields(Hook))
    post_video(watching)
    (sent,) = watching.deliver()
    assert sent.target_url == A
    keys = list(declared_fields(EventRow))
    assert list(sent.body)[: len(keys)] == keys
    assert sent.body["latest_video_id"] == "ada-v3"
    assert watching.deliver() == []
    (row,) = listed(watching)
    assert (row["state"], row["attempts"], row["last_status"]) == ("delivered", 1, 200)
    assert (row["subscription_id"], row["event_id"]) == (made["id"], sent.body["event_id"])


def test_secret_is_shown_once_and_kept_sealed(watching: Watching) -> None:
    secret = subscribe(watching)["secret"]
    assert secret.startswith("whsec_")
    assert [row["secret"] for row in watching.hooks.listed(watching.caller())] == [None]


@pytest.mark.parametrize("trigger", [trigger.key for trigger in CATALOG.triggers])
def test_every_trigger_can_be_subscribed_to(watching: Watching, trigger: str) -> None:
    subscribe(watching, trigger=trigger, thresholds=[1], every=None)
    assert [row["trigger"] for row in watching.hooks.listed(watching.caller())] == [trigger]


def test_one_look_serves_every_subscription(watching: Watching) -> None:
    """However many there are; a try that is repeated looks at nothing, and costs nothing."""
    for n in range(20):
        subscribe(watching, f"{A}/{n}")
    post_video(watching)
    assert len(watching.profiles.asked) == 2
    watching.receivers.answers = dict.fromkeys((f"{A}/{n}" for n in range(20)), FAILED)
    assert len(watching.deliver()) == 20
    for pause in SCHEDULE[:3]:
        watching.clock.move(seconds=pause.total_seconds())
        assert len(watching.deliver()) == 20
    assert len(watching.profiles.asked) == 2


def test_bad_key_or_target_leaves_nothing_behind(watching: Watching) -> None:
    watching.profiles.bad_keys["sk_bad"] = InvalidApiKey()
    with pytest.raises(InvalidApiKey):
        subscribe(watching, api_key="sk_bad")
    for target in ("http://a.example.com", "https://127.0.0.1/x", "https://localhost/", "nonsense"):
        with pytest.raises(InvalidInput, match="target_url"):
            subscribe(watching, target)
    with pytest.raises(InvalidHandle):
        subscribe(watching, handles=["not a handle!"])
    assert watching.hooks.listed(watching.caller()) == []
    assert watching.look() == 0


def test_nothing_is_not_the_answer_to_a_key_that_does_not_work(watching: Watching) -> None:
    watching.profiles.bad_keys["sk_bad"] = InvalidApiKey()
    caller = watching.caller("sk_bad")
    for ask in (
        lambda: watching.hooks.listed(caller),
        lambda: watching.hooks.on_their_way(None, caller),
        lambda: watching.hooks.unsubscribe("x", caller),
        lambda: watching.hooks.replay(1, caller),
    ):
        with pytest.raises(InvalidApiKey):
            ask()


def test_connections_see_and_end_only_their_own(watching: Watching) -> None:
    made = subscribe(watching)
    post_video(watching)
    watching.deliver()
    stranger = watching.caller("sk_b")
    assert watching.hooks.listed(stranger) == []
    assert watching.hooks.on_their_way(None, stranger) == []
    assert watching.hooks.unsubscribe(made["id"], stranger)["deleted"] is False
    with pytest.raises(NotFound):
        watching.hooks.replay(int(listed(watching)[0]["id"]), stranger)
    assert len(watching.hooks.listed(watching.caller())) == 1


def test_ended_subscription_is_looked_at_and_told_no_more(watching: Watching) -> None:
    """With what was on its way; ending it twice is no error."""
    made = subscribe(watching)
    post_video(watching)
    assert watching.hooks.unsubscribe(made["id"], watching.caller())["deleted"] is True
    assert watching.hooks.unsubscribe(made["id"], watching.caller())["deleted"] is False
    watching.clock.move(days=1)
    assert watching.look() == 0
    assert watching.deliver() == []


def test_failures_are_repeated_on_schedule_then_kept_to_be_replayed(watching: Watching) -> None:
    """Ten tries with one id; each not a second before its time; the replay has the same id."""
    subscribe(watching)
    post_video(watching)
    watching.receivers.answers[A] = FAILED
    tries = watching.deliver()
    for pause in SCHEDULE:
        watching.clock.move(seconds=pause.total_seconds() - 1)
        assert watching.deliver() == []
        watching.clock.move(seconds=1)
        tries += watching.deliver()
    assert len(tries) == 10
    (row,) = listed(watching, state="dead")
    assert (row["attempts"], row["last_status"]) == (10, 500)
    watching.clock.move(days=30)
    assert watching.deliver() == []
    del watching.receivers.answers[A]
    watching.hooks.replay(int(row["id"]), watching.caller())
    tries += watching.deliver()
    assert len({one.webhook_id for one in tries}) == 1
    assert [row["state"] for row in listed(watching)] == ["delivered"]


def test_replay_of_what_is_on_its_way_is_refused(watching: Watching) -> None:
    """Or a second try would run beside the first."""
    subscribe(watching)
    post_video(watching)
    (row,) = listed(watching, state="pending")
    with pytest.raises(NotFound):
        watching.hooks.replay(int(row["id"]), watching.caller())


def test_gone_ends_the_subscription_after_one_try(watching: Watching) -> None:
    """410 is what Zapier and Make answer when they want no more; other receivers go on."""
    subscribe(watching, A)
    subscribe(watching, B)
    post_video(watching, videos=9)
    watching.receivers.answers[A] = Outcome(410, "The receiver answered 410.")
    claimed = next(one for one in watching.claim() if one.target_url == A)
    watching.courier.deliver(claimed)
    rows = {row["target_url"]: row for row in watching.hooks.listed(watching.caller())}
    assert (rows[A]["state"], rows[B]["state"]) == ("disabled", "active")
    assert "410" in rows[A]["reason"]
    watching.clock.move(minutes=2)
    assert {one.target_url for one in watching.deliver()} == {B}
    assert len(listed(watching, state="dead")) == 7


def test_try_that_is_under_way_when_its_subscription_ends_is_dead_too(watching: Watching) -> None:
    """Nobody would try it again, nor could replay it."""
    subscribe(watching)
    post_video(watching, videos=4)
    first, second = watching.claim()
    watching.receivers.answers[A] = Outcome(410, "The receiver answered 410.")
    watching.courier.deliver(first)
    watching.receivers.answers[A] = FAILED
    watching.courier.deliver(second)
    rows = listed(watching, state="dead")
    assert [row["attempts"] for row in rows] == [1, 1]
    assert all("410" in row["last_error"] for row in rows)
    watching.hooks.replay(second.sequence, watching.caller())
    watching.clock.move(seconds=1)
    assert len(watching.deliver()) == 1


@pytest.mark.parametrize(
    "then", [Outcome(200), FAILED, Outcome(429, "Busy.", 5)], ids=["well", "failed", "sooner"]
)
def test_busy_receiver_is_left_alone_whatever_else_was_under_way(
    watching: Watching, then: Outcome
) -> None:
    """What it answers to tries from before takes nothing back."""
    subscribe(watching)
    post_video(watching, videos=12)
    first, second, *_ = watching.claim()
    watching.receivers.answers[A] = Outcome(429, "Busy.", 9)
    watching.courier.deliver(first)
    watching.receivers.answers[A] = then
    watching.courier.deliver(second)
    watching.clock.move(seconds=8)
    assert watching.claim() == []
    watching.clock.move(seconds=1)
    assert watching.claim() != []


@pytest.mark.parametrize("status", [429, 502, 504])
def test_busy_receiver_is_left_alone_and_no_other(watching: Watching, status: int) -> None:
    """What is due to it waits as a whole; what is due elsewhere does not."""
    subscribe(watching, A)
    subscribe(watching, B)
    post_video(watching, videos=12)
    watching.receivers.answers[A] = Outcome(status, "Busy.", 9)
    sent = Counter(one.target_url for one in watching.deliver())
    assert sent[B] == 10
    assert sent[A] <= MAX_AT_ONCE
    del watching.receivers.answers[A]
    watching.clock.move(seconds=8)
    assert watching.deliver() == []
    watching.clock.move(seconds=1)
    assert len(watching.deliver()) == 10


def test_nothing_but_failures_for_five_days_ends_it_and_one_success_resets(
    watching: Watching,
) -> None:
    subscribe(watching)
    watching.receivers.answers[A] = FAILED
    post_video(watching)
    watching.deliver()
    watching.clock.move(days=4)
    watching.receivers.answers.clear()
    watching.deliver()
    watching.receivers.answers[A] = FAILED
    watching.profiles.answers["ada"] = profile(videos=4)
    watching.look()
    watching.deliver()
    watching.clock.move(days=4, hours=23)
    watching.deliver()
    assert watching.hooks.listed(watching.caller())[0]["state"] == "active"
    watching.clock.move(days=1)
    watching.deliver()
    (row,) = watching.hooks.listed(watching.caller())
    assert row["state"] == "disabled"
    assert "5 days" in row["reason"]
    watching.receivers.answers.clear()
    watching.hooks.replay(int(listed(watching, state="dead")[0]["id"]), watching.caller())
    watching.clock.move(seconds=1)
    assert len(watching.deliver()) == 1
    assert watching.hooks.listed(watching.caller())[0]["state"] == "active"


def test_receiver_that_hangs_holds_up_only_its_own(watching: Watching) -> None:
    """A few tries at once go to each; the places of the worker stay free for the others."""
    subscribe(watching, A)
    subscribe(watching, B)
    post_video(watching, videos=22)
    hanging = [one for one in watching.claim() if one.target_url == A]
    assert len(hanging) == MAX_AT_ONCE
    watching.clock.move(seconds=1)
    assert {one.target_url for one in watching.claim()} <= {B}


def test_backlog_of_one_receiver_hides_no_other(watching: Watching) -> None:
    """However long it is, and however few are claimed at a time."""
    subscribe(watching, A)
    post_video(watching, videos=22)
    watching.clock.move(
        seconds=61
    )  # within a minute, the next look would be answered from this one
    assert {one.target_url for one in watching.claim(limit=4)} == {A}
    subscribe(watching, B)
    watching.profiles.answers["ada"] = profile(videos=23)
    watching.clock.move(seconds=30)
    watching.look()
    assert [one.target_url for one in watching.claim(limit=4)] == [B]


def test_try_that_can_not_be_judged_is_counted(watching: Watching) -> None:
    """Not sent again every minute without end, as one that nobody completes."""
    subscribe(watching)
    post_video(watching)
    watching.receivers.answers[A] = Outcome(503, "Later.", retry_after_seconds=10**14)
    assert len(watching.deliver()) == 1
    watching.clock.move(minutes=2)
    assert len(watching.deliver()) == 1
    (row,) = listed(watching)
    assert (row["state"], row["attempts"]) == ("pending", 2)


def test_target_of_a_trial_is_judged_again(watching: Watching) -> None:
    """Made while this machine was allowed; nothing is sent there now."""
    trial = replace(watching.hooks, allow_local=True)
    inputs = {"handles": ["ada"]}
    trial.subscribe("new_video", "http://127.0.0.1:9/x", inputs, watching.caller())
    post_video(watching)
    assert watching.deliver() == []
    assert "https" in listed(watching)[0]["last_error"]


def test_lost_claim_completes_nothing(watching: Watching) -> None:
    """Its holder was silent for so long that another one took over, with the same id."""
    subscribe(watching)
    post_video(watching)
    (stale,) = watching.claim()
    assert watching.claim() == []
    watching.clock.move(seconds=61)
    (again,) = watching.claim()
    assert again.webhook_id == stale.webhook_id
    watching.receivers.answers[A] = FAILED
    watching.courier.deliver(stale)
    assert listed(watching)[0]["attempts"] == 0
    watching.receivers.answers.clear()
    watching.courier.deliver(again)
    assert listed(watching)[0]["state"] == "delivered"


def test_workers_never_claim_the_same(database_url: str, watching: Watching) -> None:
    """1,000 deliveries, two workers of two threads: each is claimed by one, and none is left over."""
    for n in range(100):
        subscribe(watching, f"https://host{n}.example.com/hook")
    post_video(watching, videos=12)
    with database(database_url) as other:
        rival = Watching(other)
        rival.clock.time = watching.clock.time
        all_claimed = Barrier(4)

        def work(worker: Watching) -> list[int]:
            mine: list[int] = []
            claimed = worker.claim(limit=32)
            all_claimed.wait()
            while claimed:
                for one in claimed:
                    mine.append(one.sequence)
                    worker.courier.deliver(one)
                claimed = worker.claim(limit=32)
            return mine

        with ThreadPoolExecutor(4) as pool:
            shares = list(pool.map(work, [watching, rival, watching, rival]))
    claims = [sequence for mine in shares for sequence in mine]
    assert len(claims) == 1000
    assert len(set(claims)) == 1000
    assert all(shares)


def test_delivery_that_another_worker_finished_meanwhile_is_not_claimed(
    migrated_database: Reused,
) -> None:
    """One that outlived its lease completes what it holds; between choosing and taking, it may be done."""
    finished: list[Sent] = []

    def finish(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "row_number" in statement and not finished:
            rival.courier.deliver(held)
            finished.extend(rival.receivers.sent)

    with migrated_database.database() as url, database(url) as engine, database(url) as other:
        watching, rival = Watching(engine), Watching(other)
        subscribe(watching)
        post_video(watching)
        rival.clock.time = watching.clock.time
        (held,) = rival.claim()
        watching.clock.move(seconds=61)
        event.listen(engine, "after_cursor_execute", finish)
        assert watching.claim() == []
        assert len(finished) == 1


def test_look_and_its_events_are_kept_together_or_not_at_all(
    database_url: str, watching: Watching
) -> None:
    """A crash while deliveries are written leaves the watch where it was: the next look tells all."""
    subscribe(watching)
    watching.profiles.answers["ada"] = profile()
    watching.look()
    watching.profiles.answers["ada"] = profile(videos=5)
    watching.clock.move(minutes=16)
    with database(database_url) as broken, writing(broken) as session:
        session.exec_driver_sql("ALTER TABLE deliveries RENAME TO gone")
    with pytest.raises(SQLAlchemyError, match="deliveries"):
        watching.look()
    with database(database_url) as mended, writing(mended) as session:
        session.exec_driver_sql("ALTER TABLE gone RENAME TO deliveries")
    assert watching.deliver() == []
    watching.clock.move(minutes=16)
    watching.look()
    told = [one.body["latest_video_id"] for one in watching.deliver()]
    assert sorted(told) == ["ada-v3", "ada-v4", "ada-v5"]


def test_missing_worker_is_told_where_somebody_waits(watching: Watching, engine: Engine) -> None:
    workers, now = Workers(engine), watching.clock.now()
    assert workers.problem(now) is None
    subscribe(watching)
    assert "connector work" in (workers.problem(now) or "")
    workers.beat("w", now)
    assert workers.problem(now) is None
    assert workers.problem(now + timedelta(minutes=2)) is not None
    workers.leave("w")
    assert workers.problem(now) is not None


def test_sent_is_ordered_by_a_count(watching: Watching) -> None:
    """Order of arrival is not promised; the count tells which came later."""
    subscribe(watching)
    post_video(watching, videos=6)
    sent: list[Sent] = watching.deliver()
    counts = {one.body["latest_video_id"]: one.body["event_sequence"] for one in sent}
    assert counts["ada-v3"] < counts["ada-v4"] < counts["ada-v5"] < counts["ada-v6"]

"""Tries of deliveries on each database: what is kept of them, who sees it, what failed sent again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from connector.adapters.store.tables import Attempt
from connector.domain.deliveries import SCHEDULE, Outcome
from connector.domain.errors import InvalidApiKey, NotFound
from schemas.fields import declared_fields
from schemas.hooks import Attempt as AttemptMade
from schemas.hooks import Delivery, DeliveryRow, Hook
from tests.integration.test_delivering import A, B, listed, post_video, subscribe
from tests.integration.test_history import Remembering
from tests.watched import Watching, database

ANSWERED = Outcome(500, "The receiver answered 500.", answer='{"token": "abc", "why": "full"}')


@pytest.fixture
def watching(engine: Engine) -> Remembering:
    return Remembering(engine)


def whole(watching: Watching, **changes: Any) -> dict[str, Any]:
    """The newest delivery with all that is known of it."""
    newest = listed(watching)[0]["id"]
    return watching.hooks.delivery(int(newest), watching.caller(**changes))


def fail_for_good(watching: Watching, *targets: str) -> None:
    """Every try of what is on its way to these, until none is left."""
    watching.receivers.answers |= dict.fromkeys(targets, ANSWERED)
    for pause in (timedelta(), *SCHEDULE):
        watching.clock.move(seconds=pause.total_seconds())
        watching.deliver()
    watching.receivers.answers.clear()


def test_each_try_is_told_newest_first(watching: Watching) -> None:
    """With what was answered to it, so that whoever mends a receiver knows why."""
    made = subscribe(watching)
    post_video(watching)
    watching.receivers.takes_seconds = 1.5
    watching.receivers.answers[A] = ANSWERED
    began = watching.clock.now()
    watching.deliver()
    watching.receivers.answers[A] = Outcome(None, "The receiver can't be reached.")
    watching.clock.move(seconds=5)
    watching.deliver()
    watching.receivers.answers[A] = Outcome(200, answer="OK")
    watching.clock.move(minutes=5)
    (sent,) = watching.deliver()
    found = whole(watching)
    assert list(found) == list(declared_fields(Delivery))
    assert {key: found[key] for key in declared_fields(DeliveryRow)} == listed(watching)[0]
    assert (found["subscription_id"], found["target"]) == (
        made["id"],
        "https://a.example.com/…hook",
    )
    assert (found["body"], found["webhook_id"]) == (sent.body, sent.webhook_id)
    tries = found["attempts_made"]
    assert [list(one) for one in tries] == [list(declared_fields(AttemptMade))] * 3
    assert [(one["status"], one["error"], one["answer"]) for one in tries] == [
        (200, None, "OK"),
        (None, "The receiver can't be reached.", None),
        (500, "The receiver answered 500.", '{"token": "***", "why": "full"}'),
    ]
    assert {one["milliseconds"] for one in tries} == {1500}
    assert datetime.fromisoformat(tries[-1]["tried_at"]) == began


def test_newest_fifty_are_told(watching: Watching) -> None:
    """Those before a replay, too: only the count of the schedule begins anew."""
    subscribe(watching)
    post_video(watching)
    for n in range(52):
        watching.receivers.answers[A] = Outcome(200, answer=f"answer {n}")
        watching.deliver()
        watching.hooks.replay(int(listed(watching)[0]["id"]), watching.caller())
        watching.clock.move(seconds=2)
    tries = whole(watching)["attempts_made"]
    assert [one["answer"] for one in tries] == [f"answer {n}" for n in range(51, 1, -1)]


def test_try_is_kept_only_where_the_claim_was_ours(watching: Watching) -> None:
    """Whoever came too late says nothing of what another did."""
    subscribe(watching)
    post_video(watching)
    (stale,) = watching.claim()
    watching.clock.move(seconds=61)
    (again,) = watching.claim()
    watching.receivers.answers[A] = ANSWERED
    watching.courier.deliver(stale)
    assert whole(watching)["attempts_made"] == []
    watching.courier.deliver(again)
    assert len(whole(watching)["attempts_made"]) == 1


def test_tries_go_with_their_delivery(watching: Remembering) -> None:
    """When it is forgotten, and when its subscription ends."""
    made, other = subscribe(watching, A), subscribe(watching, B)
    post_video(watching)
    watching.deliver()
    assert watching.count(Attempt) == 2
    watching.hooks.unsubscribe(other["id"], watching.caller())
    assert watching.count(Attempt) == 1
    watching.clock.move(days=366)
    watching.forget()
    assert listed(watching) == []
    assert watching.count(Attempt) == 0
    assert watching.hooks.one(made["id"], watching.caller())["state"] == "active"


def test_only_the_owner_sees_a_delivery(watching: Watching) -> None:
    made = subscribe(watching)
    post_video(watching)
    watching.profiles.bad_keys["sk_bad"] = InvalidApiKey()
    for api_key, error in (("sk_b", NotFound), ("sk_bad", InvalidApiKey)):
        stranger = watching.caller(api_key)
        for ask in (
            lambda who: whole(watching, api_key=who.api_key),
            lambda who: watching.hooks.one(made["id"], who),
            lambda who: watching.hooks.on_their_way(None, who, made["id"]),
            lambda who: watching.hooks.replay_dead(who, made["id"]),
        ):
            with pytest.raises(error):
                ask(stranger)
    with pytest.raises(NotFound):
        whole(watching, platform="make")


def test_one_subscription_is_as_in_the_list(watching: Watching) -> None:
    made = subscribe(watching)
    one = watching.hooks.one(made["id"], watching.caller())
    assert list(one) == list(declared_fields(Hook))
    assert [one] == watching.hooks.listed(watching.caller())
    assert one["secret"] is None


def test_deliveries_of_one_subscription_are_told(watching: Watching) -> None:
    """Nobody's is not the same as one that has none yet."""
    first, second, idle = (
        subscribe(watching, target, handles=[handle])
        for target, handle in ((A, "ada"), (B, "ada"), (B, "bo"))
    )
    post_video(watching, videos=4)
    caller = watching.caller()
    for made in (first, second):
        found = watching.hooks.on_their_way("pending", caller, made["id"])
        assert [row["subscription_id"] for row in found] == [made["id"]] * 2
        assert watching.hooks.on_their_way("dead", caller, made["id"]) == []
    assert watching.hooks.on_their_way(None, caller, idle["id"]) == []
    for unknown in ("x", "a\0b"):
        with pytest.raises(NotFound):
            watching.hooks.on_their_way(None, caller, unknown)


def test_all_that_is_dead_goes_again_at_once(watching: Watching) -> None:
    """With the same ids, on the whole schedule; and the receivers' subscriptions are active again."""
    first, _ = subscribe(watching, A), subscribe(watching, B)
    post_video(watching, videos=5)
    watching.deliver()
    watching.receivers.answers |= dict.fromkeys((A, B), Outcome(410))
    for made in watching.hooks.listed(watching.caller()):
        watching.clock.move(seconds=10)
        watching.hooks.test(made["id"], watching.caller())
        watching.deliver()
    dead = {row["id"] for row in listed(watching, state="dead")}
    assert len(dead) == 2
    watching.receivers.answers.clear()
    watching.wakeups.sent.clear()
    answer = watching.hooks.replay_dead(watching.caller(), first["id"])
    assert answer == {"replayed": 1, "remaining": 0}
    states = {row["target_url"]: row["state"] for row in watching.hooks.listed(watching.caller())}
    assert states == {A: "active", B: "disabled"}
    assert watching.hooks.replay_dead(watching.caller()) == {"replayed": 1, "remaining": 0}
    assert sorted(watching.wakeups.sent) == sorted(("delivery", int(number)) for number in dead)
    watching.clock.move(seconds=1)
    assert len(watching.deliver()) == 2
    assert listed(watching, state="dead") == []
    assert {row["state"] for row in watching.hooks.listed(watching.caller())} == {"active"}
    assert watching.hooks.replay_dead(watching.caller()) == {"replayed": 0, "remaining": 0}


def test_nobody_elses_goes_again(watching: Watching) -> None:
    """Nor what was delivered, or is on its way."""
    subscribe(watching, A)
    subscribe(watching, B, api_key="sk_b")
    post_video(watching)
    fail_for_good(watching, A, B)
    post_video(watching, videos=4)
    before = len(watching.receivers.sent)
    assert watching.hooks.replay_dead(watching.caller())["replayed"] == 1
    watching.deliver()
    sent = [one.target_url for one in watching.receivers.sent[before:]]
    assert sorted(sent) == [A, A, B]
    assert len(listed(watching, state="dead", api_key="sk_b")) == 1


def test_so_many_go_in_one_call_the_oldest_first(watching: Watching) -> None:
    """And it says how many are left."""
    subscribe(watching)
    post_video(watching, videos=9)
    fail_for_good(watching, A)
    dead = sorted(int(row["id"]) for row in listed(watching, state="dead"))
    mine, now = watching.caller().connection, watching.clock.now()
    parts = [
        watching.stores.deliveries.replay_dead(mine, now, subscription_id=None, limit=3)
        for _ in range(4)
    ]
    assert parts == [(dead[:3], 4), (dead[3:6], 1), (dead[6:], 0), ([], 0)]


def test_many_replays_at_once_are_one(watching: Watching, database_url: str) -> None:
    """Beside workers that complete tries of the same subscriptions: nobody waits in a circle."""
    for n in range(8):
        subscribe(watching, f"https://host{n}.example.com/hook")
    post_video(watching, videos=8)
    fail_for_good(watching, *(f"https://host{n}.example.com/hook" for n in range(8)))
    post_video(watching, videos=14)
    with database(database_url) as engine, ThreadPoolExecutor(8) as pool:
        rival = Watching(engine)
        rival.clock.time = watching.clock.time
        working = [pool.submit(one.deliver) for one in (watching, rival, watching, rival)]
        asking = [pool.submit(one.hooks.replay_dead, one.caller()) for one in (watching, rival) * 2]
        for done in working:
            done.result(timeout=120)
        assert sum(done.result(timeout=120)["replayed"] for done in asking) == 48
    watching.clock.move(seconds=2)
    watching.deliver()
    assert {row["state"] for row in listed(watching)} == {"delivered"}

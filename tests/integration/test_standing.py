"""What operators are told of the whole database, on SQLite and PostgreSQL."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select, update

from connector.adapters.store.deliveries import MAX_A_SECOND, MAX_AT_ONCE
from connector.adapters.store.standing import Standing
from connector.adapters.store.tables import Delivery, Job, Subscription, Watch
from connector.adapters.store.workers import Workers
from connector.domain.answers import Page
from connector.domain.deliveries import DEAD, Outcome
from connector.domain.events import Event
from connector.domain.metrics import METRICS
from connector.domain.subscriptions import DISABLED
from tests.watched import Watching, profile
from wire.database import writing


def standing(watching: Watching, engine: Engine) -> dict[str, float]:
    found = Standing(engine, now=watching.clock.now).read()
    assert {metric for metric, _, _ in found} <= {m for m in METRICS if m.kind == "gauge"}
    return {
        " ".join([metric.name.removeprefix("connector_"), *labels]): value
        for metric, labels, value in found
    }


def test_an_empty_database_stands_still(watching: Watching, engine: Engine) -> None:
    assert set(standing(watching, engine).values()) == {0}


@pytest.mark.parametrize(
    ("asked", "needed"), [("poll", False), ("hook", True), ("console", True), ("batch", True)]
)
def test_worker_is_needed_where_readiness_says_so(
    watching: Watching, engine: Engine, asked: str, needed: bool
) -> None:
    """Who polls needs none; what goes on without a caller does."""
    watching.profiles.answers["one"] = profile("one")
    caller = watching.caller()
    if asked == "poll":
        watching.poll("new_video", "one")
    elif asked == "hook":
        target = "https://receiver.example.com/x"
        watching.hooks.subscribe("new_video", target, {"handles": ["one"]}, caller)
    elif asked == "console":
        watching.watched.watch("one", caller, poll_interval_seconds=None)
    else:
        watching.jobs.look_up([f"h{n}" for n in range(30)], caller, max_age_seconds=0)
    found = standing(watching, engine)
    assert (found["workers_needed"], found["workers_alive"]) == (needed, 0)
    assert (watching.worker_problem() is not None) == needed
    Workers(engine).beat("w", watching.clock.now())
    assert watching.worker_problem() is None


def test_what_is_due_pending_and_dead_is_told(watching: Watching, engine: Engine) -> None:
    """Of watches, those that workers look at; of deliveries, those that nothing holds back."""
    watching.profiles.answers["one"] = profile("one")
    caller, target = watching.caller(), "https://receiver.example.com/x"
    hook = watching.hooks.subscribe("new_video", target, {"handles": ["one"]}, caller)
    # Looked at when it is polled, so never due for a worker.
    watching.polling.poll("new_video", {"handles": ["one"]}, caller, Page(10))
    Workers(engine).beat("w", watching.clock.now())
    watching.clock.move(seconds=1800)
    found = standing(watching, engine)
    assert (found["subscriptions_active"], found["watches_due"]) == (2, 1)
    assert 0 < found["watch_oldest_due_age_seconds"] <= 1800
    assert found["workers_alive"] == 0
    Workers(engine).beat("w", watching.clock.now())
    watching.profiles.answers["one"] = profile("one", videos=4)
    watching.look()
    watching.clock.move(seconds=30)
    found = standing(watching, engine)
    assert (found["watches_due"], found["workers_alive"]) == (0, 1)
    pending = found["deliveries_pending"]
    assert pending > 1
    assert found["delivery_oldest_due_age_seconds"] == 30
    assert found["credits_today watching charged"] > 0
    with writing(engine) as session:
        (first, *_) = session.execute(select(Delivery.sequence)).scalars().all()
        session.execute(update(Delivery).where(Delivery.sequence == first).values(state=DEAD))
        session.execute(
            update(Subscription).where(Subscription.id == hook["id"]).values(state=DISABLED)
        )
        session.execute(update(Watch).values(paused_at=1))
        session.execute(update(Job).values(ended_at=1))
    watching.clock.move(seconds=3600)
    found = standing(watching, engine)
    assert (found["dead_letters"], found["deliveries_pending"]) == (1, pending - 1)
    assert found["delivery_oldest_due_age_seconds"] == found["watches_due"] == 0


def send(watching: Watching, target: str, *, subscriptions: int = 1, events: int = 1) -> None:
    inputs = {"handles": ["one"]}
    made = [
        watching.hooks.subscribe("new_video", target, inputs, watching.caller())["id"]
        for _ in range(subscriptions)
    ]
    for number in range(events):
        for of in made:
            event = Event(f"{of} {number}", {})
            watching.stores.deliveries.send(of, event, watching.clock.now())


def test_what_a_slow_receiver_holds_back_is_not_late(watching: Watching, engine: Engine) -> None:
    """More workers would send none of it sooner; what is for others counts all the same."""

    def late() -> float:
        return standing(watching, engine)["delivery_oldest_due_age_seconds"]

    slow = "https://slow.example.com/x"
    watching.receivers.answers[slow] = Outcome(None, "The receiver did not answer in time.")
    send(watching, slow, events=3 * MAX_AT_ONCE)
    watching.clock.move(seconds=600)
    assert late() == 600
    under_way = watching.claim()
    assert (len(under_way), late()) == (MAX_AT_ONCE, 0)
    send(watching, "https://quick.example.com/x")
    watching.clock.move(seconds=15)
    assert late() == 15
    assert (len(watching.claim()), late()) == (1, 0)
    for delivery in under_way:
        watching.courier.deliver(delivery)
    assert late() == 0
    watching.clock.move(seconds=1)
    assert late() == 616


def test_what_waits_for_the_pace_of_a_host_is_not_late(watching: Watching, engine: Engine) -> None:
    target = "https://hooks.zapier.com/hooks/standard/1/x/"
    send(watching, target, subscriptions=MAX_A_SECOND // 2, events=3)
    watching.clock.move(seconds=600)
    assert len(watching.claim()) == MAX_A_SECOND
    assert standing(watching, engine)["delivery_oldest_due_age_seconds"] == 0
    watching.clock.move(seconds=1)
    assert standing(watching, engine)["delivery_oldest_due_age_seconds"] == 601

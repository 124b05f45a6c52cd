"""Celery on Redis carries the wake-ups, PostgreSQL keeps the work: with real processes of each."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connector.adapters.clock import SystemClock
from connector.adapters.queue import Queue
from connector.adapters.store.tables import Delivery
from connector.domain.ports import Due
from tests.e2e.test_instant import KEY, Product, running_product, subscribe
from tests.postgres import Postgres
from tests.redis import Redis, running_redis
from tests.running import (
    FakeUpstream,
    Received,
    fake_upstream,
    free_port,
    reply,
    until,
)
from tests.watched import profile

WORK = """
import os, signal
from connector.bootstrap import make_worker
from connector.config import Settings
worker = make_worker(Settings.from_env(os.environ))
{change}
signal.signal(signal.SIGTERM, lambda *_: worker.stop())
worker.run()
"""
# Does what it is told of, and finds nothing by itself.
UNSWEPT = WORK.format(
    change="worker.deliveries.claim_due = worker.watches.claim_due = lambda *_, **__: []"
)
# Finds soon what it is not told of.
HASTY = WORK.format(change="worker.sweep_seconds = 0.5")


@pytest.fixture(scope="module")
def receiver() -> Iterator[FakeUpstream]:
    with fake_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="module")
def web(
    tmp_path_factory: pytest.TempPathFactory, upstream: FakeUpstream, database: str, redis: Redis
) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("broker")
    settings = {"DATABASE_URL": database, "CONNECTOR_BROKER_URL": redis.url}
    with running_product(folder, upstream, **settings) as product:
        yield product


@pytest.fixture
def product(web: Product, redis: Redis) -> Iterator[Product]:
    """Without a worker, and with an empty broker."""
    redis.wipe()
    yield web
    for process in web.started:
        process.kill()
        process.wait()


def notice(
    product: Product, upstream: FakeUpstream, receiver: FakeUpstream, *names: str
) -> list[Any]:
    """Subscriptions with an event each, which a poll notices: no worker is needed for it."""
    for name in names:
        receiver.scripts.setdefault(name, lambda connection, _: connection.sendall(reply(200, {})))
        upstream.answers(name, reply(200, profile(name)))
    polled = f"/api/triggers/new_video?handles={','.join(names)}"
    product.call("GET", polled)
    made = [subscribe(product, upstream, "api", name, receiver.url) for name in names]
    for name in names:
        upstream.answers(name, reply(200, profile(name, videos=3)))
    until(lambda: len(product.call("GET", polled)) == len(names))
    return made


def of(product: Product, made: Any, state: str = "") -> list[Any]:
    """The deliveries of a subscription, in a state where one is given."""
    rows = product.call("GET", "/api/deliveries")
    return [
        row
        for row in rows
        if row["subscription_id"] == made["id"] and row["state"].startswith(state)
    ]


def hold(receiver: FakeUpstream, name: str) -> tuple[threading.Event, threading.Event]:
    """Set when the receiver has an event; to be set when it may answer."""
    held, go = threading.Event(), threading.Event()

    def script(connection: socket.socket, _request: Received) -> None:
        held.set()
        go.wait(20)
        connection.sendall(reply(200, {}))

    receiver.scripts[name] = script
    return held, go


def say(redis: Redis, kind: Due, *numbers: int) -> None:
    Queue(redis.url, SystemClock()).send(kind, numbers)


def test_wake_ups_alone_carry_looks_deliveries_and_replays(
    product: Product, upstream: FakeUpstream, receiver: FakeUpstream
) -> None:
    """Each is sent by whoever commits what is due; a worker that finds nothing by itself does it."""
    product.start("-c", UNSWEPT)
    upstream.answers("woken_look", reply(200, profile("woken_look")))
    subscribe(product, upstream, "api", "woken_look", receiver.url)
    until(lambda: upstream.asked_for("woken_look"))
    (made,) = notice(product, upstream, receiver, "woken")
    (row,) = until(lambda: of(product, made, "delivered"))
    time.sleep(1)  # a delivery is not tried twice in a second, so that tries can be counted
    product.call("POST", f"/api/deliveries/{row['id']}/replay")
    until(lambda: len(receiver.asked_for("woken")) == 2)


def test_workers_share_a_batch_and_pay_for_each_row_once(
    product: Product, upstream: FakeUpstream
) -> None:
    """It is begun by wake-ups, long before a sweep would find it."""
    names = [f"batched.{n}" for n in range(60)]
    for name in names:
        upstream.answers(name, reply(200, profile(name)))
    for _ in range(2):
        product.start()
    job = product.call("POST", "/api/actions/get_profiles", handles=names, max_age_seconds=0)
    assert job["state"] == "running"
    path = f"/api/jobs/{job['id']}"
    until(lambda: product.call("GET", path)["ended_at"])
    ended = product.call("GET", path)
    assert (ended["found_count"], ended["credits_used"]) == (60, 120)
    assert [len(upstream.asked_for(name)) for name in names] == [1] * 60


def test_wiped_broker_loses_nothing(
    product: Product, upstream: FakeUpstream, receiver: FakeUpstream, redis: Redis
) -> None:
    """Between the commit and the delivery: the first sweep finds what no message tells of."""
    names = [f"wiped{n}" for n in range(5)]
    made = notice(product, upstream, receiver, *names)
    assert redis.ask("LLEN", "connector") != ":0"
    redis.wipe()
    with product.worker():
        for one in made:
            until(lambda one=one: of(product, one, "delivered"))
    assert [len(receiver.asked_for(name)) for name in names] == [1] * 5


def test_workers_share_the_work_and_send_each_event_once(
    product: Product, upstream: FakeUpstream, receiver: FakeUpstream, redis: Redis
) -> None:
    """Two of them, each woken and sweeping; and each wake-up comes ten times."""
    names = [f"shared{n}" for n in range(8)]
    with product.worker(), product.worker():
        made = notice(product, upstream, receiver, *names)
        for one in made:
            say(redis, "delivery", *[int(row["id"]) for row in of(product, one)] * 10)
        for one in made:
            until(lambda one=one: of(product, one, "delivered"))
        until(lambda: redis.ask("LLEN", "connector") == ":0")
    assert Counter(len(receiver.asked_for(name)) for name in names) == {1: 8}
    assert [row["attempts"] for one in made for row in of(product, one)] == [1] * 8


def test_ten_wake_ups_make_one_attempt(
    product: Product, upstream: FakeUpstream, receiver: FakeUpstream, redis: Redis
) -> None:
    """All at once, while the receiver holds the first."""
    held, go = hold(receiver, "ten")
    (made,) = notice(product, upstream, receiver, "ten")
    (row,) = of(product, made)
    say(redis, "delivery", *[int(row["id"])] * 10)
    product.start("-c", UNSWEPT)
    assert held.wait(60)
    until(lambda: redis.ask("LLEN", "connector") == ":0")
    go.set()
    (row,) = until(lambda: of(product, made, "delivered"))
    assert row["attempts"] == 1
    assert len(receiver.asked_for("ten")) == 1


def test_work_goes_on_without_redis_and_with_it_again(
    tmp_path: Path, upstream: FakeUpstream, receiver: FakeUpstream, postgres: Postgres
) -> None:
    """Down at the start, there, killed, and there again; its password is in no log."""
    with postgres.database() as database:
        lose_redis_twice(tmp_path, upstream, receiver, database)


def lose_redis_twice(
    folder: Path, upstream: FakeUpstream, receiver: FakeUpstream, database: str
) -> None:
    redis = Redis(free_port(), "s3cret-of-the-broker")
    settings = {"DATABASE_URL": database, "CONNECTOR_BROKER_URL": redis.url, "LOG_LEVEL": "DEBUG"}

    def deliver(name: str) -> None:
        (made,) = notice(product, upstream, receiver, name)
        until(lambda: of(product, made, "delivered"))
        assert len(receiver.asked_for(name)) == 1

    @contextmanager
    def there() -> Iterator[None]:
        with running_redis(redis):
            say(redis, "delivery", 1)
            until(lambda: redis.ask("LLEN", "connector") == ":0")
            yield

    with running_product(folder, upstream, **settings) as product:
        process = product.start("-c", HASTY)
        deliver("without")
        with there():
            deliver("with_it")
        deliver("killed_broker")
        with there():
            deliver("again")
            process.terminate()
            assert process.wait(60) == 0
        said = product.log.read_text() + product.server.log.read_text()
    assert "Cannot connect to redis://" in said
    assert "no wake-ups go out" in product.server.log.read_text()
    assert redis.password is not None
    assert redis.password not in said
    assert KEY not in said


def test_sigterm_finishes_what_a_wake_up_began(
    product: Product, upstream: FakeUpstream, receiver: FakeUpstream
) -> None:
    """The receiver answers after the signal; the answer counts, and nobody sends it again."""
    held, go = hold(receiver, "finished")
    process = product.start("-c", UNSWEPT)
    (made,) = notice(product, upstream, receiver, "finished")
    assert held.wait(60)
    process.terminate()
    go.set()
    assert process.wait(60) == 0, product.log.read_text()
    (row,) = of(product, made)
    assert (row["state"], row["attempts"]) == ("delivered", 1)


def test_killed_worker_s_delivery_is_sent_by_another(
    product: Product, upstream: FakeUpstream, receiver: FakeUpstream, database: str
) -> None:
    """Once its claim has run out, with the same id; the message is gone, and not needed."""
    held, _ = hold(receiver, "taken")
    process = product.start("-c", UNSWEPT)
    (made,) = notice(product, upstream, receiver, "taken")
    assert held.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    receiver.answers("taken", reply(200, {}))
    product.end_claims(Delivery)
    with product.worker():
        until(lambda: of(product, made, "delivered"))
    first, second = receiver.asked_for("taken")
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.raw == second.raw

"""How fast tries go to a host, whoever subscribed there and whichever worker sends."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine, event, update

from connector.adapters.store.deliveries import MAX_A_SECOND
from connector.adapters.store.migrate import MIGRATIONS
from connector.adapters.store.subscriptions import Subscriptions
from connector.adapters.store.tables import Subscription
from connector.adapters.store.time import to_ms
from connector.domain.subscriptions import Terms
from tests.integration.test_delivering import FAILED, listed, post_video, subscribe
from tests.postgres import Reused
from tests.watched import Watching, database
from wire.database import open_engine, reading, writing

ZAPIER = "hooks.zapier.com"
SECOND = timedelta(seconds=1)


class Worker(Watching):
    """One of several; what it sends is written into the `book` that all of them share."""

    def __init__(self, url: str, book: list[tuple[datetime, str, int]]) -> None:
        self.engine = open_engine(url)
        super().__init__(self.engine)
        self.book = book

    def work(self) -> None:
        for one in self.claim(limit=20):
            host = urlsplit(one.target_url).hostname or ""
            self.book.append((self.clock.now(), host, one.sequence))
            self.courier.deliver(one)


@pytest.fixture
def workers(database_url: str) -> Iterator[list[Worker]]:
    """Two of them, by one clock."""
    book: list[tuple[datetime, str, int]] = []
    workers = [Worker(database_url, book) for _ in range(2)]
    for worker in workers[1:]:
        worker.clock.time = workers[0].clock.time
    yield workers
    for worker in workers:
        worker.engine.dispose()


def work_for(workers: list[Worker], duration: timedelta) -> None:
    """All of them, again and again, every 200 ms."""
    end = workers[0].clock.now() + duration
    while workers[0].clock.now() < end:
        for worker in workers:
            worker.work()
        for worker in workers:
            worker.clock.move(seconds=0.2)


def most_in_a_second(moments: list[datetime]) -> int:
    return max(sum(begin <= other < begin + SECOND for other in moments) for begin in moments)


def test_no_host_gets_more_than_it_takes(workers: list[Worker]) -> None:
    """200 are due to Zapier: at most 30 in any second, all of them at last, and nobody else waits."""
    first = workers[0]
    for n in range(50):
        subscribe(first, f"https://{ZAPIER}/hooks/{n}")
    for n in range(10):
        subscribe(first, f"https://{n}.example.com/hook")
    post_video(first, videos=6)
    for worker in workers:
        worker.clock.time = first.clock.time
    due_at = first.clock.now()
    work_for(workers, timedelta(seconds=8))
    sent = [sequence for _, _, sequence in first.book]
    assert len(sent) == len(set(sent)) == 240
    slow = [at for at, host, _ in first.book if host == ZAPIER]
    assert len(slow) == 200
    assert most_in_a_second(slow) == MAX_A_SECOND
    assert max(slow) - due_at < timedelta(seconds=8)
    others = [at for at, host, _ in first.book if host != ZAPIER]
    assert (len(others), max(others) - due_at < SECOND) == (40, True)


def test_this_machine_takes_what_it_takes(workers: list[Worker]) -> None:
    """In trials the receiver is one's own; whether it is fast enough, one wants to see."""
    first = workers[0]
    hooks = replace(first.hooks, allow_local=True)
    for n in range(20):
        target = f"http://127.0.0.1:9/{n}"
        hooks.subscribe("new_video", target, {"handles": ["ada"]}, first.caller())
    post_video(first, videos=6)
    assert len(first.claim()) == 80


def test_tries_that_failed_count_too(workers: list[Worker]) -> None:
    """Sixty that are repeated after 5 seconds come on top of nothing."""
    first = workers[0]
    for n in range(15):
        subscribe(first, f"https://{ZAPIER}/hooks/{n}")
        for worker in workers:
            worker.receivers.answers[f"https://{ZAPIER}/hooks/{n}"] = FAILED
    post_video(first, videos=6)
    for worker in workers:
        worker.clock.time = first.clock.time
    work_for(workers, timedelta(seconds=8))
    moments = [at for at, _, _ in first.book]
    assert len(moments) == 120
    assert most_in_a_second(moments) <= MAX_A_SECOND


def test_what_is_replayed_at_once_waits_for_its_second(workers: list[Worker]) -> None:
    """Or whoever replays as fast as it can would get past the count."""
    first = workers[0]
    subscribe(first, f"https://{ZAPIER}/hooks/1")
    post_video(first)
    assert len(first.deliver()) == 1
    (row,) = listed(first)
    first.hooks.replay(int(row["id"]), first.caller())
    first.clock.move(seconds=0.9)
    assert first.deliver() == []
    first.clock.move(seconds=0.1)
    assert len(first.deliver()) == 1


def test_claims_of_two_workers_are_counted_together(migrated_database: Reused) -> None:
    """On PostgreSQL they could run beside each other, and each find the host unused."""
    claimed: list[int] = []
    with migrated_database.database() as url, database(url) as engine, database(url) as other:
        watching, rival = Watching(engine), Watching(other)
        busy = [subscribe(watching, f"https://{ZAPIER}/hooks/{n}")["id"] for n in range(5)]
        for n in range(5, 15):
            subscribe(watching, f"https://{ZAPIER}/hooks/{n}")
        post_video(watching, videos=6)
        rival.clock.time = watching.clock.time + timedelta(seconds=0.5)
        # Due like the rest, but only the rival may have them already.
        until = {"throttled_until": to_ms(rival.clock.time)}
        with writing(other) as session:
            session.execute(update(Subscription).where(Subscription.id.in_(busy)).values(until))
        claim = threading.Thread(target=lambda: claimed.append(len(rival.claim())))

        def let_the_rival_in(_connection: object, _cursor: object, said: str, *_: object) -> None:
            if "row_number" in said and not claim.ident:
                claim.start()
                claim.join(0.5)

        event.listen(engine, "after_cursor_execute", let_the_rival_in)
        claimed.append(len(watching.claim()))
        claim.join()
    assert Counter(claimed) == {30: 1, 0: 1}


def test_subscriptions_from_before_are_paced_too(watching: Watching, engine: Engine) -> None:
    """Their hosts are named by the migration, which can be taken back."""
    subscribe(watching, f"https://{ZAPIER}/hooks/1")
    store = Subscriptions(engine)
    polled = Terms("new_video", {"handles": ["ada"]})
    connection = watching.caller().connection
    now = watching.clock.now()
    store.subscribe(connection, polled, interval_seconds=900, due_at=[now], now=now)
    post_video(watching)
    MIGRATIONS.down(engine, "0001")
    assert MIGRATIONS.problem(engine) is not None
    MIGRATIONS.up(engine)
    with reading(engine) as session:
        hosts = {
            row.target_url: row.target_host
            for row in session.execute(Subscription.__table__.select())
        }
    assert hosts == {f"https://{ZAPIER}/hooks/1": ZAPIER, None: None}
    assert len(watching.deliver()) == 1

"""Keys, credits and migrations when many come at once, and when they grow, on each database."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from sqlalchemy import Engine, event, insert, select

from connector.adapters.store.subscriptions import Subscriptions
from connector.adapters.store.tables import Connection, CreditDay
from connector.adapters.store.watches import Watches
from connector.domain.deliveries import Outcome
from connector.domain.events import Event
from profile_api.store import Store
from tests.postgres import Reused
from tests.running import ROOT, clean_environment
from tests.watched import Watching, database, profile
from wire.database import reading, writing

NOW = datetime(2026, 11, 24, tzinfo=UTC)
MIGRATE_WHEN_TOLD = """
import os, sys
from connector.databases import migrate_database
from connector.config import Settings
print("ready", flush=True)
sys.stdin.readline()
migrate_database(Settings.from_env(os.environ))
"""


@pytest.fixture
def store(engine: Engine) -> Store:
    return Store(engine)


def test_migrations_at_the_same_time_do_not_collide(new_database_url: str) -> None:
    """Machines that start together all migrate: one does it, the others wait and find it done."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE_WHEN_TOLD],
            cwd=ROOT,
            env=clean_environment(DATABASE_URL=new_database_url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("now\n")
        process.stdin.flush()
    assert [process.communicate()[1] for process in started] == [""] * 4
    assert [process.returncode for process in started] == [0] * 4


def test_credits_never_fall_below_zero(store: Store) -> None:
    """Fifty at once on 20 credits: ten are charged, and each has its line in the log."""
    key_id = store.create_key("sk_x", name="x", credits=20, now=NOW)
    assert key_id is not None

    def charge(_: int) -> bool:
        return store.charge(key_id, request_source="API", handle="x", now=NOW)

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(charge, range(50))) == 10
    assert store.list_keys()[0].credits == 0
    assert len(store.latest_requests(1000)) == 10


def test_requests_at_once_are_all_counted(store: Store) -> None:
    """Fifty at once on a limit of ten: each of the ten is told another number of what is left."""
    key_id = store.create_key("sk_x", name="x", credits=1, rate_limit=10, now=NOW)
    assert key_id is not None
    with ThreadPoolExecutor(50) as pool:
        left = list(pool.map(lambda _: store.count_request(key_id, now=NOW), range(50)))
    assert sorted(n for n in left if n is not None) == list(range(10))


def test_minute_that_ended_does_not_begin_again(store: Store) -> None:
    """Of requests around a minute's end the earlier may come last, or by a clock that is behind."""
    key_id = store.create_key("sk_x", name="x", credits=1, rate_limit=10, now=NOW)
    assert key_id is not None
    before = NOW - timedelta(minutes=1)
    left = [store.count_request(key_id, now=now) for now in [NOW, before] * 10]
    assert left == [*range(9, -1, -1)] + [None] * 10
    key = store.find_key("sk_x", now=before)
    assert key is not None
    assert key.remaining == 0
    # A clock that ran ahead, and was set right, locks nobody out.
    assert store.count_request(key_id, now=NOW - timedelta(minutes=2)) == 9


def test_key_made_by_many_at_once_is_stored_once(store: Store) -> None:
    """As the test key is, which the first requests make."""

    def create(_: int) -> int | None:
        return store.create_key("sk_x", name="x", credits=1, now=NOW)

    with ThreadPoolExecutor(20) as pool:
        made = [key_id for key_id in pool.map(create, range(20)) if key_id is not None]
    assert [row.id for row in store.list_keys()] == made


def test_connection_made_by_many_at_once_is_kept_once(engine: Engine) -> None:
    """As when somebody switches on several triggers with a new key."""
    subscriptions = Subscriptions(engine)

    def connect(connection_id: str) -> None:
        subscriptions.connect(connection_id, platform="zapier", sealed_key="sealed", now=NOW)

    with ThreadPoolExecutor(5) as pool:
        for n in range(20):
            list(pool.map(connect, [f"c{n}"] * 5))
    with reading(engine) as session:
        assert len(session.execute(select(Connection.id)).all()) == 20


def test_numbers_may_pass_32_bits(store: Store) -> None:
    """Times do in 2038, and credits by many a top-up."""
    later = datetime(2040, 1, 1, tzinfo=UTC)
    key_id = store.create_key("sk_x", name="x", credits=2**31, now=later)
    assert key_id is not None
    assert store.top_up(key_id, 2**31, now=NOW) == 2**32
    assert store.charge(key_id, request_source="API", handle="a\0b", now=later)
    assert store.latest_requests(1)[0].at == later.timestamp()
    assert store.top_up(2**63 - 1, 1, now=NOW) is None


def test_day_that_two_processes_begin_at_once_is_not_spent(migrated_database: Reused) -> None:
    """One found no budget of the day; before it looks again, the other has made it."""
    with migrated_database.database() as url, database(url) as mine, database(url) as theirs:
        owner = {"id": "c", "platform": "api", "sealed_key": "s", "created_at": 0}
        with writing(mine) as session:
            session.execute(insert(Connection).values(owner))
        begun: list[bool] = []

        def begin(_session: object, _cursor: object, statement: str, *_: object) -> None:
            if statement.startswith("SELECT credit_days") and not begun:
                begun.append(Watches(theirs).set_aside("c", "2026-11-24", 2, budget=10))

        event.listen(mine, "before_cursor_execute", begin)
        assert Watches(mine).set_aside("c", "2026-11-24", 2, budget=10)
        assert begun == [True]
        assert spent(mine) == 4


def spent(engine: Engine) -> int:
    with reading(engine) as session:
        return session.execute(select(CreditDay.credits)).scalar_one()


class Meanwhile:
    """Does `what` before the first statement on `engine` that begins so, unless it has to wait for that."""

    def __init__(self, engine: Engine, statement: str, what: Callable[[], object]) -> None:
        self.statement = statement
        self.other = Thread(target=what)
        event.listen(engine, "before_cursor_execute", self.before)

    def before(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if self.other.ident is None and statement.startswith(self.statement):
            self.other.start()
            self.other.join(1)


@pytest.mark.parametrize("moment", ["UPDATE watches", "INSERT INTO subscribed_watches"])
def test_profile_is_watched_whose_only_other_subscription_ends_just_then(
    watching: Watching, database_url: str, moment: str
) -> None:
    """As when one Zap is turned on and another off: it was answered 500, and nothing was made."""
    watching.profiles.answers["ada"] = profile()
    target, inputs = "https://hooks.example.com/1", {"handles": ["ada"]}
    old = watching.hooks.subscribe("new_video", target, inputs, watching.caller())["id"]
    with database(database_url) as engine:
        other = Watching(engine)
        end = Meanwhile(
            watching.engine, moment, lambda: other.hooks.unsubscribe(old, other.caller())
        )
        watching.hooks.subscribe("new_video", target, inputs, watching.caller())
        end.other.join(60)
    assert len(watching.hooks.listed(watching.caller())) == 1
    watching.clock.move(minutes=1)
    assert watching.look() == 1


def test_receiver_that_is_mended_just_as_it_is_given_up_gets_all(
    watching: Watching, database_url: str
) -> None:
    watching.profiles.answers["ada"] = profile()
    target, inputs = "https://hooks.example.com/1", {"handles": ["ada"]}
    hook = watching.hooks.subscribe("new_video", target, inputs, watching.caller())["id"]
    watching.receivers.answers[target] = Outcome(410)
    watching.hooks.test(hook, watching.caller())
    watching.deliver()
    # As a look that was under way when it was disabled.
    watching.stores.deliveries.send(hook, Event("late", {}), watching.clock.now())
    watching.clock.move(minutes=1)
    watching.receivers.answers.clear()
    with database(database_url) as engine:
        other = Watching(engine)
        other.clock.time = watching.clock.now()
        replay = Meanwhile(
            watching.engine,
            "UPDATE deliveries SET state",
            lambda: other.hooks.replay_dead(other.caller(), hook),
        )
        assert watching.stores.deliveries.give_up(watching.clock.now(), limit=10) == 1
        replay.other.join(60)
    assert len(watching.deliver()) == 2

"""Writes of many threads in one transaction, on real databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from tests.postgres import Postgres
from tests.running import until
from tests.watched import database
from wire.database import reading, writing
from wire.together import MAX_TOGETHER, Together


@pytest.fixture
def engine(new_database_url: str) -> Iterator[Engine]:
    with database(new_database_url) as engine:
        with writing(engine) as session:
            session.execute(
                text("CREATE TABLE notes (id INTEGER PRIMARY KEY, count INTEGER NOT NULL)")
            )
        yield engine


def note(number: int) -> Any:
    """Writes a row of its own; answers its number."""

    def work(session: Connection) -> int:
        session.execute(text("INSERT INTO notes VALUES (:id, 1)"), {"id": number})
        return number

    return work


def noted(engine: Engine) -> list[int]:
    with reading(engine) as session:
        return list(session.execute(text("SELECT id FROM notes ORDER BY id")).scalars())


@contextmanager
def commits(engine: Engine) -> Iterator[list[int]]:
    """How many transactions were kept: one item each."""
    seen: list[int] = []

    def keep(_session: Connection) -> None:
        seen.append(1)

    event.listen(engine, "commit", keep)
    yield seen
    event.remove(engine, "commit", keep)


class Crowd:
    """Threads that come while one write is under way, in the order in which they are asked."""

    def __init__(self, engine: Engine, pool: ThreadPoolExecutor) -> None:
        self.together = Together(engine)
        self._pool = pool
        self._begun, self._goes_on = Event(), Event()
        self.first = pool.submit(self.together.write, self._hold, locks=())
        self._begun.wait()

    def _hold(self, _session: Connection) -> str:
        self._begun.set()
        self._goes_on.wait()
        return "first"

    def comes(self, work: Any, *locks: str) -> Future[Any]:
        before = len(self.together._waiting)
        coming = self._pool.submit(self.together.write, work, locks=locks)
        until(lambda: len(self.together._waiting) > before)
        return coming

    def go(self) -> None:
        self._goes_on.set()


@pytest.fixture
def crowd(engine: Engine) -> Iterator[Crowd]:
    with ThreadPoolExecutor(MAX_TOGETHER * 3) as pool:
        crowd = Crowd(engine, pool)
        yield crowd
        crowd.go()


def test_those_who_wait_are_kept_with_one_commit(engine: Engine, crowd: Crowd) -> None:
    coming = [crowd.comes(note(number)) for number in range(10)]
    with commits(engine) as seen:
        crowd.go()
        assert [c.result(30) for c in coming] == list(range(10))
        assert crowd.first.result(30) == "first"
    assert len(seen) == 2
    assert noted(engine) == list(range(10))


def test_no_transaction_grows_without_an_end(engine: Engine, crowd: Crowd) -> None:
    """Others wait for its rows."""
    coming = [crowd.comes(note(number)) for number in range(2 * MAX_TOGETHER)]
    with commits(engine) as seen:
        crowd.go()
        assert [c.result(30) for c in coming] == list(range(2 * MAX_TOGETHER))
    assert len(seen) == 3
    assert noted(engine) == list(range(2 * MAX_TOGETHER))


def test_one_that_fails_takes_nobody_with_it(engine: Engine, crowd: Crowd) -> None:
    def fail(session: Connection) -> None:
        note(7)(session)
        raise LookupError("mine alone")

    before, failing, after = (crowd.comes(work) for work in (note(1), fail, note(2)))
    crowd.go()
    with pytest.raises(LookupError, match="mine alone"):
        failing.result(30)
    assert (before.result(30), after.result(30)) == (1, 2)
    assert noted(engine) == [1, 2]


def test_failed_commit_is_told_to_all_and_not_repeated(engine: Engine, crowd: Crowd) -> None:
    """It may have been carried out: what is counted would be counted twice."""
    calls: list[int] = []
    coming = [crowd.comes(lambda _, n=n: calls.append(n)) for n in range(3)]

    def fail(_session: Connection) -> None:
        if calls:
            raise OSError("the line is dead")

    event.listen(engine, "commit", fail)
    crowd.go()
    for failed in coming:
        with pytest.raises(OSError, match="the line is dead"):
            failed.result(30)
    event.remove(engine, "commit", fail)
    assert calls == [0, 1, 2]
    assert crowd.together.write(note(1), locks=()) == 1


def test_rows_are_taken_in_one_order(crowd: Crowd) -> None:
    """Whatever the order in which threads came, so that two processes never wait for each other."""
    taken: list[str] = []
    coming = [crowd.comes(lambda _, n=n: taken.append(n), n) for n in ("c", "a", "b")]
    crowd.go()
    for c in coming:
        c.result(30)
    assert taken == ["a", "b", "c"]


def test_victim_of_deadlocks_is_written_again(postgres: Postgres) -> None:
    """PostgreSQL drops one of those who wait in a circle, and others who write don't know our order.

    It drops the first whose patience ends: here that is never one of the others.
    """
    with (
        postgres.database() as url,
        database(url) as engine,
        ThreadPoolExecutor(1) as pool,
    ):
        with writing(engine) as session:
            session.execute(text("CREATE TABLE notes (id INTEGER PRIMARY KEY, count INTEGER)"))
            session.execute(text("INSERT INTO notes VALUES (1, 0), (2, 0), (3, 0)"))
        calls: list[int] = []
        ended = [Event(), Event()]

        def count(session: Connection, number: int) -> None:
            session.execute(text("UPDATE notes SET count = count + 1 WHERE id = :n"), {"n": number})

        def three_then_another(session: Connection) -> None:
            if calls:
                # Else it may take the row before whoever was waiting for it wakes.
                ended[len(calls) - 1].wait(60)
            count(session, 3)
            calls.append(len(calls) + 1)
            if calls[-1] <= 2:
                until(lambda: _waits(engine))
            count(session, min(calls[-1], 2))

        with patient(engine) as second:
            count(second, 2)
            with patient(engine) as first:
                count(first, 1)
                ours = pool.submit(Together(engine).write, three_then_another, locks=())
                until(lambda: calls == [1])
                count(first, 3)
            ended[0].set()
            until(lambda: calls == [1, 2])
            count(second, 3)
        ended[1].set()
        ours.result(30)
        assert calls == [1, 2, 3]
        with reading(engine) as session:
            counted = session.execute(text("SELECT count FROM notes ORDER BY id"))
            assert counted.scalars().all() == [1, 2, 3]


@contextmanager
def patient(engine: Engine) -> Iterator[Connection]:
    """A transaction on PostgreSQL that looks for no circle it may be in."""
    with writing(engine) as session:
        session.execute(text("SET LOCAL deadlock_timeout = '1h'"))
        yield session


def _waits(engine: Engine) -> bool:
    with reading(engine) as session:
        return bool(session.execute(text("SELECT 1 FROM pg_locks WHERE NOT granted")).first())

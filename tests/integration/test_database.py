"""Engines on both databases: what a transaction keeps, who waits for whom, what text survives."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from tests.postgres import Postgres
from tests.watched import database
from wire.database import reading, writing

ADD_ONE = "UPDATE counted SET n = n + 1"


@pytest.fixture
def engine(new_database_url: str) -> Iterator[Engine]:
    with database(new_database_url) as engine:
        with writing(engine) as session:
            session.exec_driver_sql("CREATE TABLE counted (n INTEGER UNIQUE, t VARCHAR(64))")
            session.exec_driver_sql("INSERT INTO counted VALUES (0, '')")
        yield engine


def count(engine: Engine) -> int:
    with reading(engine) as session:
        return int(session.exec_driver_sql("SELECT n FROM counted").scalar_one())


def test_transaction_is_kept_as_a_whole_or_not_at_all(engine: Engine) -> None:
    def add_and_fail() -> None:
        with writing(engine) as session:
            session.exec_driver_sql(ADD_ONE)
            session.exec_driver_sql("INSERT INTO counted VALUES (1, '')")

    with pytest.raises(IntegrityError):
        add_and_fail()
    assert count(engine) == 0
    with writing(engine) as session:
        session.exec_driver_sql(ADD_ONE)
    assert count(engine) == 1


def test_failure_does_not_tell_what_was_written(engine: Engine) -> None:
    """It is logged, and what was written may be a secret."""
    statement = text("INSERT INTO counted VALUES (0, :secret)")
    with pytest.raises(IntegrityError) as failed, writing(engine) as session:
        session.execute(statement, {"secret": "s3cret"})
    assert "s3cret" not in str(failed.value)


def test_reader_waits_for_no_writer_and_sees_nothing_unfinished(engine: Engine) -> None:
    with writing(engine) as session:
        session.exec_driver_sql(ADD_ONE)
        assert count(engine) == 0
    assert count(engine) == 1


def test_writers_that_read_first_wait_rather_than_fail(engine: Engine) -> None:
    """More at once than there are connections; on SQLite two that began as readers would deadlock."""

    def add(_: int) -> None:
        with writing(engine) as session:
            session.exec_driver_sql("SELECT n FROM counted").scalar_one()
            session.exec_driver_sql(ADD_ONE)

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(add, range(200)))
    assert count(engine) == 200


def test_text_with_a_nul_is_kept_without_it_or_with_it(engine: Engine) -> None:
    """A bio may hold one; PostgreSQL's text can't."""
    with writing(engine) as session:
        session.execute(text("UPDATE counted SET t = :bio"), {"bio": "a\0b ü 🎈"})
    with reading(engine) as session:
        kept = session.exec_driver_sql("SELECT t FROM counted").scalar_one()
    assert kept.replace("\0", "\ufffd") == "a\ufffdb ü 🎈"


def test_process_holds_few_connections_however_many_threads(postgres: Postgres) -> None:
    """Hosts count them over all processes, and refuse the ones beyond."""
    held = (
        "SELECT pg_sleep(0.01), count(*) FROM pg_stat_activity WHERE datname = current_database()"
    )

    def count_held(_: int) -> int:
        with reading(engine) as session:
            return int(session.exec_driver_sql(held).one()[1])

    with postgres.database() as url, database(url) as engine, ThreadPoolExecutor(100) as pool:
        most = max(pool.map(count_held, range(200)))
    assert most == 5


def test_connections_that_the_server_ended_cost_no_transaction(postgres: Postgres) -> None:
    """As when a host restarts or replaces its database."""
    with postgres.database() as url, database(url) as engine:
        _select(engine)
        with postgres.connect() as connection:
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            assert connection.execute(query, [engine.url.database]).fetchall() == [(True,)]
        _select(engine)


def _select(engine: Engine) -> None:
    with reading(engine) as session:
        assert session.exec_driver_sql("SELECT 1").scalar_one() == 1


def test_new_file_that_another_process_reads_is_waited_for(tmp_path: Path) -> None:
    """SQLite makes it one of a log only for whoever is alone, and waits for nobody there."""
    file = tmp_path / "new.db"
    with (
        closing(sqlite3.connect(file)) as other,
        database(f"sqlite:///{file}") as engine,
        ThreadPoolExecutor(1) as pool,
    ):
        other.execute("CREATE TABLE counted (n INTEGER)")
        other.execute("INSERT INTO counted VALUES (1)")
        coming = pool.submit(count, engine)
        with pytest.raises(TimeoutError):
            coming.result(1)
        other.commit()
        assert coming.result(60) == 1

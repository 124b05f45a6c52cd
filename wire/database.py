"""Engines that behave alike on SQLite and PostgreSQL. Knows no table."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from threading import Lock
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Engine,
    Executable,
    create_engine,
    event,
    func,
    make_url,
    select,
)
from sqlalchemy.exc import IntegrityError

# How long one who wants to write waits for another.
_BUSY_SECONDS: Final = 30
_WRITES: Final = "writes"
_TURN: Final = "turn"
# A failure is logged with its statement; keys and callbacks' addresses are in the parameters.
_ALWAYS: Final[dict[str, Any]] = {"hide_parameters": True}


def open_engine(url: str) -> Engine:
    """An engine for `url`. On SQLite readers never wait; on PostgreSQL connections are few and kept."""
    address = make_url(url)
    if address.get_backend_name() == "postgresql":
        # Here, as its driver takes 6 MB, and SQLite does without.
        from wire.postgresql import open_postgresql

        engine = open_postgresql(address, **_ALWAYS)
    else:
        engine = create_engine(address, **_ALWAYS)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        # SQLite itself lets who waits sleep and try again; threads hand over to each other at once.
        engine.update_execution_options(**{_TURN: Lock()})
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes: kept as a whole when the block ends, dropped when it raises.

    SQLite lets one in at a time. PostgreSQL lets them in together, each statement seeing what
    others have committed before it.
    """
    turn = engine.get_execution_options().get(_TURN, nullcontext())
    with (
        turn,
        engine.connect().execution_options(**{_WRITES: True}) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads, and never waits for one that writes."""
    with engine.connect() as connection:
        yield connection


def one_at_a_time(session: Connection, lock: int) -> None:
    """Waits for every other transaction that holds `lock`, and holds it until this one ends."""
    # SQLite's own lock is held already. Freed at the end also where a pooler is in between.
    if session.dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(lock)))


def is_new(session: Connection, statement: Executable) -> bool:
    """Carries `statement` out, whose row has to be the only one of its key; false where there is one.

    Another process may have been first between asking and writing. The transaction goes on.
    """
    try:
        with session.begin_nested():
            session.execute(statement)
    except IntegrityError:
        return False
    return True


def clock_of(engine: Engine) -> datetime | None:
    """What time it is on the server, aware; null for SQLite, which has no clock of its own."""
    if engine.dialect.name != "postgresql":
        return None
    with reading(engine) as session:
        there: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
        return there


def without_password(text: str, url: str) -> str:
    """`text`, such as a driver's reason, with no password of `url` in it."""
    address = make_url(url)
    given = [address.password, *(v for k, v in address.query.items() if "password" in k)]
    for password in map(str, filter(None, given)):
        text = text.replace(password, "***")
    return text


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own idea of when a transaction begins would keep ours from holding.
    connection.isolation_level = None
    cursor = connection.cursor()
    # First, as the next line may have to wait for another process.
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")
    _log_ahead(cursor)
    # FULL: what was answered or claimed must survive a power cut.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _log_ahead(cursor: sqlite3.Cursor) -> None:
    """Sets WAL. Of those who open a new file at once SQLite lets one do so, and others don't wait."""
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE takes the lock at once: two readers that both want to write would deadlock.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

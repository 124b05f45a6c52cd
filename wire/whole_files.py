"""SQLite databases as whole files: copied while others write, put in another's place. Knows no table."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

Progress = Callable[[int, int, int], object]
"""Told after each step: SQLite's own status, the pages that are left, and all of them."""
_PAGES: Final = 256
_WRITING: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_DIR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    }
)


class Unfit(Exception):
    """The file can't be read or written as a whole database. Says why."""


class Unwritable(Unfit):
    """The disk doesn't take what is written, whatever the file holds."""


class InUse(Exception):
    """Another process has the database open."""


def copy_whole(source: Path, target: Path, progress: Progress | None = None) -> None:
    """Copies what `source` holds at one moment into the empty file `target`; it is sound, and on the disk.

    Others go on writing meanwhile. Raises `Unfit`.
    """
    try:
        with closing(_opened(source, "ro")) as connection:
            copy_opened(connection, target, progress)
    except sqlite3.Error as exc:
        raise unfit(exc, str(exc)) from exc


def copy_opened(source: sqlite3.Connection, target: Path, progress: Progress | None = None) -> None:
    """The same from a connection."""
    with closing(_opened(target, "rw")) as copy:
        # One snapshot up to the end: SQLite would begin again whenever another process commits.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        source.backup(copy, pages=_PAGES, progress=progress)
        source.execute("COMMIT")
        # All in one file, which can be read where nothing can be written beside it.
        copy.execute("PRAGMA journal_mode=DELETE")
        _check(copy)
    sync(target)


@contextmanager
def alone_with(path: Path) -> Iterator[sqlite3.Connection]:
    """The database at `path`, a new one where there is none; whoever opens it meanwhile waits.

    Raises `InUse` and `Unfit`.
    """
    try:
        with closing(_opened(path, "rwc")) as connection:
            # Once it is taken, it is held until the connection ends; a connection of others prevents it,
            # also an idle one.
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
            yield connection
    except sqlite3.Error as exc:
        if exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise InUse from exc
        raise unfit(exc, str(exc)) from exc


def holds_something(connection: sqlite3.Connection) -> bool:
    """Whether there is a table in it."""
    return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def put_in_place(source: Path, target: sqlite3.Connection) -> None:
    """Makes `target` hold what `source` does: one transaction, of which a kill leaves all or nothing."""
    with closing(_opened(source, "ro")) as new:
        new.backup(target)


def unfit(exc: object, reason: str) -> Unfit:
    """`reason`, as what SQLite's error `exc` says of the file or of its disk."""
    is_of_disk = getattr(exc, "sqlite_errorcode", None) in _WRITING
    return Unwritable(str(exc)) if is_of_disk else Unfit(reason)


def sync(path: Path) -> None:
    """Returns when what was written to the file or folder would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=1)


def _check(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise Unfit("its pages don't fit together")

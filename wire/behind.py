"""Writes behind an answer: nobody waits for them, and what a commit costs is paid once for many."""

from __future__ import annotations

import atexit
import logging
import time
from collections.abc import Callable, Sequence
from threading import Event, Lock, Thread
from typing import Any, Final, Generic, TypeVar
from weakref import WeakSet

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

log = logging.getLogger(__name__)
T = TypeVar("T")

# How long the first waits for company; a killed process loses what came within it.
GATHER_SECONDS: Final = 0.05
MAX_TOGETHER: Final = 200
# While the database is gone. What would not fit any more is dropped, the oldest first.
PAUSE_SECONDS: Final = 1.0
MAX_WAITING: Final = 10_000
_GONE: Final = (OperationalError, InterfaceError, NoConnection)

_ALL: WeakSet[Behind[Any]] = WeakSet()


def write_all() -> None:
    """Writes what waits anywhere in this process, which is about to end."""
    for behind in list(_ALL):
        try:
            behind.flush()
        except _GONE as exc:
            # By its kind only: what is written is not for the log.
            log.error("writes end with this process (%s)", type(exc).__name__)


atexit.register(write_all)


class Behind(Generic[T]):
    """Hands items to `write`, many at a time and in their order, in a thread of its own.

    At a regular exit of the process what still waits is written. Items are kept while the database is
    gone; one that it refuses is dropped, and the log says so.
    """

    def __init__(self, write: Callable[[Sequence[T]], None]) -> None:
        self._write = write
        self._waiting: list[T] = []
        self._lock = Lock()
        self._writing = Lock()
        self._some = Event()
        self._thread: Thread | None = None
        _ALL.add(self)

    def add(self, item: T) -> None:
        """Returns at once."""
        with self._lock:
            self._waiting.append(item)
            if len(self._waiting) > MAX_WAITING:
                log.error("a write was dropped: more than %d wait for the database", MAX_WAITING)
                del self._waiting[0]
            # Not before there is something to do: a process that forks later would be without it.
            if self._thread is None:
                self._thread = Thread(target=self._run, name="behind", daemon=True)
                self._thread.start()
        self._some.set()

    def flush(self) -> None:
        """Returns when all that was added before is written. Raises where the database is gone."""
        with self._writing:
            while batch := self._take():
                try:
                    self._write(batch)
                except _GONE:
                    self._put_back(batch)
                    raise
                except Exception:  # noqa: BLE001  # whichever it was is logged by itself
                    self._write_singly(batch)

    def _run(self) -> None:
        gone = False
        while True:
            self._some.wait()
            time.sleep(PAUSE_SECONDS if gone else GATHER_SECONDS)
            self._some.clear()
            try:
                self.flush()
                gone = False
            except _GONE as exc:
                # By its kind only: what is written is not for the log.
                if not gone:
                    log.warning("writes wait for the database (%s)", type(exc).__name__)
                gone = True
                self._some.set()

    def _take(self) -> list[T]:
        with self._lock:
            batch, self._waiting = self._waiting[:MAX_TOGETHER], self._waiting[MAX_TOGETHER:]
        return batch

    def _put_back(self, batch: list[T]) -> None:
        with self._lock:
            self._waiting = batch + self._waiting

    def _write_singly(self, batch: list[T]) -> None:
        """One that can't be written takes nobody with it."""
        for number, item in enumerate(batch):
            try:
                self._write([item])
            except _GONE:
                self._put_back(batch[number:])
                raise
            except Exception:
                log.exception("a write was dropped")

"""Writes of many threads in one transaction: what a commit costs is paid once for all that wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from operator import attrgetter
from threading import Event, Lock
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from wire.database import writing

T = TypeVar("T")
Item = TypeVar("Item")
Locks = tuple[str, ...]
_DEADLOCK: Final = "40P01"
_SHARED: Final = "together"
_SHARING: Final = Lock()
# Others wait for the rows that a transaction has written, until it ends.
MAX_TOGETHER: Final = 100
# How often one that another process's deadlock drops is written once more.
MAX_VICTIM: Final = 5


@dataclass(eq=False)
class _Write:
    """One thread's item. Once it may go, the thread finishes or, where there is nothing to, leads."""

    work: Callable[[Connection, Sequence[Any]], Sequence[Any]]
    item: Any
    locks: Locks
    go: Event = field(default_factory=Event)
    finish: Callable[[], Any] | None = None


class Together:
    """Writes to the database of `engine`. Whoever comes while another writes waits, and is written next.

    A thread that is alone writes at once: nobody waits for company.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = Lock()
        self._waiting: list[_Write] = []
        self._led = False

    @classmethod
    def on(cls, engine: Engine) -> Together:
        """The one that all who ask for it share: different writes wait for the same commit."""
        with _SHARING:
            shared: Together | None = engine.get_execution_options().get(_SHARED)
            if shared is None:
                shared = cls(engine)
                engine.update_execution_options(**{_SHARED: shared})
            return shared

    def write(self, work: Callable[[Connection], T], *, locks: Locks) -> T:
        """What `work` answers, once it is kept; nothing of it is where it raises.

        It may be called again, each time before in a transaction that is dropped. `locks` names the row
        that others want to write too, by table and key: processes that take rows in one order don't
        wait for each other in a circle.
        """
        return self.write_each(_once, work, locks=locks)

    def write_each(
        self, work: Callable[[Connection, Sequence[Item]], Sequence[T]], item: Item, *, locks: Locks
    ) -> T:
        """The same for `work` that takes the items of many threads at once, and answers for each."""
        mine = _Write(work, item, locks)
        with self._lock:
            self._waiting.append(mine)
            if not self._led:
                self._led = True
                mine.go.set()
        mine.go.wait()
        if mine.finish is None:
            self._lead()
        assert mine.finish is not None  # noqa: S101  # who leads is the first that is written
        answer: T = mine.finish()
        return answer

    def _lead(self) -> None:
        """Writes what waits, the longest first, and lets the next lead."""
        with self._lock:
            batch, self._waiting = self._waiting[:MAX_TOGETHER], self._waiting[MAX_TOGETHER:]
        for write in batch:
            write.finish = partial(self._alone, write)
        try:
            self._write(batch)
        finally:
            for write in batch:
                write.go.set()
            with self._lock:
                self._led = bool(self._waiting)
                if self._led:
                    self._waiting[0].go.set()

    def _write(self, batch: list[_Write]) -> None:
        answers: list[tuple[_Write, Any]] = []
        begun = False
        try:
            with writing(self._engine) as session:
                begun = True
                ordered = sorted(batch, key=attrgetter("locks"))
                for work, writes in groupby(ordered, key=attrgetter("work")):
                    group = list(writes)
                    done = work(session, [write.item for write in group])
                    answers += zip(group, done, strict=True)
        except Exception as exc:  # noqa: BLE001  # it is raised by whom it concerns
            # One that failed takes nobody with it: each is written alone. A commit that failed may
            # have been carried out all the same, so nothing is written again; nor is it where the
            # database let nobody in.
            failed_alone = len(batch) == 1 and not _is_deadlock(exc)
            if len(answers) == len(batch) or failed_alone or not begun:
                for write in batch:
                    write.finish = partial(_fail, exc)
            return
        for write, answer in answers:
            write.finish = partial(_same, answer)

    def _alone(self, write: _Write) -> Any:
        for _ in range(MAX_VICTIM):
            try:
                return self._try(write)
            except DBAPIError as exc:
                if not _is_deadlock(exc):
                    raise
        return self._try(write)

    def _try(self, write: _Write) -> Any:
        with writing(self._engine) as session:
            return write.work(session, [write.item])[0]


def _once(session: Connection, works: Sequence[Callable[[Connection], T]]) -> list[T]:
    return [work(session) for work in works]


def _is_deadlock(exc: Exception) -> bool:
    """Whether PostgreSQL dropped the transaction so that another, which waited for it, could go on."""
    return getattr(getattr(exc, "orig", None), "sqlstate", None) == _DEADLOCK


def _same(answer: T) -> T:
    return answer


def _fail(exc: Exception) -> None:
    raise exc

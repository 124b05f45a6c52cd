"""Which workers are alive, for those who ask whether events are delivered."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine, case, delete, exists, func, insert, or_, select, update

from connector.adapters.store.tables import Job
from connector.adapters.store.tables import Worker as Row
from connector.adapters.store.time import to_ms
from connector.adapters.store.watches import BY_WORKERS
from wire.database import reading, writing

SILENT_AFTER: Final = timedelta(seconds=60)


class Workers:
    """The part of the store that knows its workers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def beat(self, name: str, now: datetime) -> None:
        """Says that the worker is alive; forgets those that have been silent for a day."""
        with writing(self._engine) as session:
            old = to_ms(now - timedelta(days=1))
            session.execute(delete(Row).where(Row.beat_at < old))
            alive = update(Row).where(Row.id == name).values(beat_at=to_ms(now))
            if session.execute(alive).rowcount == 0:
                session.execute(insert(Row).values(id=name, beat_at=to_ms(now)))

    def leave(self, name: str) -> None:
        """Says that the worker has ended."""
        with writing(self._engine) as session:
            session.execute(delete(Row).where(Row.id == name))

    def are_alive(self, now: datetime) -> bool:
        """Whether one has been heard of lately."""
        alive = select(func.count()).where(Row.beat_at > to_ms(now - SILENT_AFTER))
        with reading(self._engine) as session:
            return session.execute(alive).scalar_one() > 0

    def problem(self, now: datetime) -> str | None:
        """Why events are not delivered, as a sentence; null where they are, or none are asked for."""
        with reading(self._engine) as session:
            needed = session.execute(NEEDED).scalar_one()
        if not needed or self.are_alive(now):
            return None
        return (
            "No worker is alive to deliver events; start 'python -m connector work', or the service"
            " that runs it."
        )


# 1 where somebody waits for what only workers do, else 0.
NEEDED: Final = select(
    case(
        (or_(exists().where(BY_WORKERS), exists().where(Job.ended_at.is_(None))), 1),
        else_=0,
    )
)

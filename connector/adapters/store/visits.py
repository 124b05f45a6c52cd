"""Visits to the console, by the hash of their token."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, delete, insert, select

from connector.adapters.store.pieces import delete_piece
from connector.adapters.store.tables import Visit
from connector.adapters.store.time import to_ms
from wire.database import reading, writing


class KeptVisits:
    """The part of the store that knows who is signed in."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(
        self,
        visit_id: str,
        connection_id: str,
        sealed_key: str,
        now: datetime,
        *,
        until: datetime,
        at_most: int,
    ) -> None:
        """Keeps a visit; those that are over go, and of `at_most` with one key the oldest."""
        values = {
            "id": visit_id,
            "connection_id": connection_id,
            "sealed_key": sealed_key,
            "expires_at": to_ms(until),
        }
        newest = (
            select(Visit.id)
            .where(Visit.connection_id == connection_id)
            .order_by(Visit.expires_at.desc())
            .limit(at_most)
        )
        with writing(self._engine) as session:
            session.execute(delete(Visit).where(Visit.expires_at <= to_ms(now)))
            session.execute(insert(Visit).values(values))
            kept = session.execute(newest).scalars().all()
            others = (Visit.connection_id == connection_id, Visit.id.not_in([visit_id, *kept]))
            session.execute(delete(Visit).where(*others))

    def find(self, visit_id: str, now: datetime) -> str | None:
        """The sealed key of a visit that is not over."""
        mine = (Visit.id == visit_id, Visit.expires_at > to_ms(now))
        with reading(self._engine) as session:
            return session.execute(select(Visit.sealed_key).where(*mine)).scalar_one_or_none()

    def end(self, visit_id: str) -> None:
        """Forgets a visit."""
        with writing(self._engine) as session:
            session.execute(delete(Visit).where(Visit.id == visit_id))

    def forget(self, now: datetime, *, limit: int) -> int:
        """Deletes visits that are over, with their keys; how many that was, `limit` at most."""
        return delete_piece(self._engine, Visit.id, Visit.expires_at <= to_ms(now), limit=limit)

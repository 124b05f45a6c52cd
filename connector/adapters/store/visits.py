"""Visits to the console, by the hash of their token."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, delete, insert, select

from connector.adapters.store.tables import Visit
from connector.adapters.store.time import to_ms
from wire.database import reading, writing


class KeptVisits:
    """The part of the store that knows who is signed in."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, visit_id: str, sealed_key: str, now: datetime, *, until: datetime) -> None:
        """Keeps a visit; those that are over go."""
        values = {"id": visit_id, "sealed_key": sealed_key, "expires_at": to_ms(until)}
        with writing(self._engine) as session:
            session.execute(delete(Visit).where(Visit.expires_at <= to_ms(now)))
            session.execute(insert(Visit).values(values))

    def find(self, visit_id: str, now: datetime) -> str | None:
        """The sealed key of a visit that is not over."""
        mine = (Visit.id == visit_id, Visit.expires_at > to_ms(now))
        with reading(self._engine) as session:
            return session.execute(select(Visit.sealed_key).where(*mine)).scalar_one_or_none()

    def end(self, visit_id: str) -> None:
        """Forgets a visit."""
        with writing(self._engine) as session:
            session.execute(delete(Visit).where(Visit.id == visit_id))

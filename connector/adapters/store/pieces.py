"""Deleting what is old a piece at a time, so that nobody waits for it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Engine, delete, select

from wire.database import reading, writing


def delete_piece(engine: Engine, key: Any, old: ColumnElement[bool], *, limit: int) -> int:
    """Deletes up to `limit` rows that are `old`, by their primary `key`; how many there were."""
    with reading(engine) as session:
        found = session.execute(select(key).where(old).limit(limit)).scalars().all()
    if found:
        with writing(engine) as session:
            # Asked again: one of them may have come to new life in between.
            session.execute(delete(key.class_).where(key.in_(found), old))
    return len(found)

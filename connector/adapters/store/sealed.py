"""Every sealed value of the database, sealed anew a few rows at a time while others work on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Engine, select, update

from connector.adapters.store.audit import audited
from connector.adapters.store.tables import SEALED, Base
from connector.domain.acting import acting
from connector.domain.errors import Unreadable
from wire.database import reading, writing

# So that nobody waits for it, nor is memory short: most take a tenth of a millisecond, but an answer that
# was kept may hold some megabytes.
_AT_A_TIME: Final = 20


def sealed_columns() -> list[Column[Any]]:
    """Every column whose text is sealed, as the tables say."""
    tables = Base.metadata.sorted_tables
    return [column for table in tables for column in table.columns if column.info == SEALED]


@dataclass(frozen=True)
class Piece:
    """A few rows of a column: how many were looked at, sealed anew, can't be opened, or just changed."""

    column: str
    seen: int = 0
    renewed: int = 0
    lost: int = 0
    changed: int = 0


class SealedValues:
    """The part of the store that knows what is sealed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def renew(self, renewed: Callable[[str], str | None], now: datetime) -> Iterator[Piece]:
        """Puts what `renewed` makes of each value in its place, unless somebody has just changed it.

        `renewed` answers null for what may stay, and raises `Unreadable` for what stays as it is. It may
        be ended at any time and begun again. One line of the audit log tells of all of it.
        """
        told = False
        for column in sealed_columns():
            (key,) = column.table.primary_key
            last = None
            while rows := self._rows(column, key, last):
                piece = self._renew(column, key, rows, renewed, None if told else now)
                told = told or piece.renewed > 0
                yield piece
                last = rows[-1][0]

    def _rows(self, column: Column[Any], key: Column[Any], last: Any) -> list[tuple[Any, str]]:
        # A connection that is being deleted has no key any more.
        query = select(key, column).where(column.is_not(None), column != "")
        if last is not None:
            query = query.where(key > last)
        with reading(self._engine) as session:
            rows = session.execute(query.order_by(key).limit(_AT_A_TIME)).all()
        return [(row[0], row[1]) for row in rows]

    def _renew(
        self,
        column: Column[Any],
        key: Column[Any],
        rows: list[tuple[Any, str]],
        renewed: Callable[[str], str | None],
        tell_at: datetime | None,
    ) -> Piece:
        piece = Piece(f"{column.table.name}.{column.name}", seen=len(rows))
        fresh = []
        for of, sealed in rows:
            try:
                value = renewed(sealed)
            except Unreadable:
                piece = replace(piece, lost=piece.lost + 1)
                continue
            if value is not None:
                same = update(column.table).where(key == of, column == sealed)
                fresh.append(same.values({column: value}))
        if not fresh:
            return piece
        with writing(self._engine) as session:
            done = sum(session.execute(statement).rowcount for statement in fresh)
            if done and tell_at:
                rotated = "encryption_keys.rotated"
                audited(session, acting(), rotated, tell_at, connection_id=None, object_id=None)
        return replace(piece, renewed=done, changed=len(fresh) - done)

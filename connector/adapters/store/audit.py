"""The audit log: a line for each change, written in the change's own transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection as Session
from sqlalchemy import Engine, insert, select

from connector.adapters.store.idempotency import takes_effect
from connector.adapters.store.pieces import delete_piece
from connector.adapters.store.tables import AuditLine
from connector.adapters.store.time import from_ms, to_ms
from connector.domain.acting import Acting, Line
from wire.database import reading

_LINE: Final = insert(AuditLine)


def audited(
    session: Session,
    by: Acting,
    what: str,
    now: datetime,
    *,
    connection_id: str | None,
    object_id: str | None,
) -> None:
    """Says that `by` did `what`, as part of the transaction with which it takes effect."""
    line = {
        "at": to_ms(now),
        "who": by.who,
        "what": what,
        "connection_id": connection_id,
        "object_id": object_id,
        "request_id": by.request_id,
    }
    session.execute(_LINE, line)
    takes_effect(session, by.effect)


class AuditLog:
    """The part of the store that knows who changed what."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def lines(self, *, since: datetime | None, connection_id: str | None, limit: int) -> list[Line]:
        """The newest lines, newest first."""
        query = select(AuditLine.__table__).order_by(AuditLine.id.desc()).limit(limit)
        if since is not None:
            query = query.where(AuditLine.at >= to_ms(since))
        if connection_id is not None:
            query = query.where(AuditLine.connection_id == connection_id)
        with reading(self._engine) as session:
            return [_line(row) for row in session.execute(query)]

    def forget(self, before: datetime, *, limit: int) -> int:
        """Deletes lines that are older; how many that was, `limit` at most."""
        return delete_piece(self._engine, AuditLine.id, AuditLine.at < to_ms(before), limit=limit)


def _line(row: Any) -> Line:
    return Line(
        at=from_ms(row.at),
        who=row.who,
        what=row.what,
        connection_id=row.connection_id,
        object_id=row.object_id,
        request_id=row.request_id,
    )

"""Connections that something new is made for: there, and not being deleted."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection as Session
from sqlalchemy import bindparam, select

from connector.adapters.store.tables import Connection
from connector.domain.errors import BeingDeleted

_HELD: Final = (
    select(Connection.id)
    .where(Connection.id == bindparam("of"), Connection.ending_at.is_(None))
    .with_for_update(read=True, key_share=True)
)


def hold(session: Session, connection_id: str) -> None:
    """Keeps the connection from going before the transaction ends. Raises `BeingDeleted`."""
    if session.execute(_HELD, {"of": connection_id}).first() is None:
        raise BeingDeleted

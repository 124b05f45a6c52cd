"""What has to be there until a transaction ends: a connection that is not being deleted, and watches."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection as Session
from sqlalchemy import bindparam, insert, select

from connector.adapters.store.tables import Connection, Watch
from connector.domain.errors import BeingDeleted
from wire.database import is_new

_HELD: Final = (
    select(Connection.id)
    .where(Connection.id == bindparam("of"), Connection.ending_at.is_(None))
    .with_for_update(read=True, key_share=True)
)


def hold(session: Session, connection_id: str) -> None:
    """Keeps the connection from going before the transaction ends. Raises `BeingDeleted`."""
    if session.execute(_HELD, {"of": connection_id}).first() is None:
        raise BeingDeleted


def hold_watch(
    session: Session, connection_id: str, handle: str, *, interval_seconds: int, due_at: int
) -> int:
    """The id of the watch of `handle`, made where there is none. `due_at` is in milliseconds.

    Of two who ask at once, the second sees what the first made.
    """
    mine = {"of": connection_id, "called": handle}
    values = {
        "connection_id": connection_id,
        "handle": handle,
        "interval_seconds": interval_seconds,
        "due_at": due_at,
        "attempt": 0,
    }
    # One that is found there may be deleted, with its last subscription, before it is locked.
    while (found := session.execute(_WATCH, mine).scalar_one_or_none()) is None:
        is_new(session, insert(Watch).values(values))
    watch_id: int = found
    return watch_id


_WATCH: Final = (
    select(Watch.id)
    .where(Watch.connection_id == bindparam("of"), Watch.handle == bindparam("called"))
    .with_for_update()
)

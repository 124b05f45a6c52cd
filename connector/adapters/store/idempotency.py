"""What was answered to requests with an Idempotency-Key, and which are being done."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection as Session
from sqlalchemy import Engine, and_, bindparam, delete, event, insert, or_, select, update

from connector.adapters.store.pieces import delete_piece
from connector.adapters.store.tables import IdempotentRequest as Row
from connector.adapters.store.time import from_ms, to_ms
from connector.domain.idempotency import REMEMBERED, Attempt, Claim, Effect, Remembered
from wire.database import is_new, reading, writing


class IdempotentRequests:
    """The part of the store that knows requests by their keys."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def claim(self, attempt: Attempt, now: datetime, *, lease: timedelta) -> str | None:
        """The token of who is to do it; null where it is done, or being done, or another request."""
        token = secrets.token_hex(16)
        values = {
            "fingerprint": attempt.fingerprint,
            "token": token,
            "lease_until": to_ms(now + lease),
            "status": None,
            "sealed": None,
            "created_at": to_ms(now),
            "connection_id": attempt.connection_id,
        }
        old = Row.created_at <= to_ms(now - REMEMBERED)
        died = and_(
            Row.status.is_(None),
            Row.lease_until <= to_ms(now),
            Row.fingerprint == attempt.fingerprint,
        )
        again = update(Row).where(Row.id == attempt.id, or_(old, died)).values(values)
        with writing(self._engine) as session:
            if session.execute(again).rowcount:
                return token
            made = is_new(session, insert(Row).values(id=attempt.id, **values))
        return token if made else None

    def known(self, attempt_id: str) -> Remembered | None:
        """What is known of the key."""
        with reading(self._engine) as session:
            row = session.execute(select(Row.__table__).where(Row.id == attempt_id)).one_or_none()
        if row is None:
            return None
        return Remembered(row.fingerprint, row.status, row.sealed, from_ms(row.created_at))

    def finish(self, claim: Claim, status: int, sealed: str) -> None:
        """Keeps the answer, where the claim is still held."""
        ours = update(Row).where(Row.id == claim.attempt.id, Row.token == claim.token)
        with writing(self._engine) as session:
            session.execute(ours.values(status=status, sealed=sealed))

    def release(self, claim: Claim) -> None:
        """Forgets the attempt, where the claim is still held."""
        ours = delete(Row).where(Row.id == claim.attempt.id, Row.token == claim.token)
        with writing(self._engine) as session:
            session.execute(ours)

    def forget(self, before: datetime, *, limit: int) -> int:
        """Deletes what was begun before; how much that was, `limit` at most."""
        old = Row.created_at < to_ms(before)
        return delete_piece(self._engine, Row.id, old, limit=limit)


def takes_effect(session: Session, of: Effect) -> None:
    """Says that the transaction does what a request asks for: from its commit on, nobody does it again.

    Also where no answer to the commit comes, or the process ends before it can answer.
    """
    if of.claim:
        session.execute(_HELD_ON, {"of": of.claim.attempt.id, "held_by": of.claim.token})
    # Just before: a commit that fails may have been carried out all the same.
    event.listen(session, "commit", lambda _: of.begins())


_HELD_ON: Final = (
    update(Row)
    .where(Row.id == bindparam("of"), Row.token == bindparam("held_by"))
    .values(lease_until=Row.created_at + REMEMBERED // timedelta(milliseconds=1))
)

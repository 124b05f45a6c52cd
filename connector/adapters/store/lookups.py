"""What look-ups brought, by connection and handle, and which are under way."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection as Session
from sqlalchemy import Engine, bindparam, delete, insert, or_, select, update

from connector.adapters.store.pieces import delete_piece
from connector.adapters.store.tables import Lookup
from connector.adapters.store.time import from_ms, to_ms
from connector.adapters.store.usage import count, row_of
from connector.domain import errors
from connector.domain.errors import ConnectorError, InvalidApiKey
from connector.domain.lookups import Known
from connector.domain.usage import PAID, Asked
from wire.database import is_new, reading, writing
from wire.json_text import parse_json, to_json
from wire.together import Together

_KINDS: Final = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ConnectorError) and "code" in vars(kind)
}


class KnownProfiles:
    """The part of the store that knows what was looked up, for as long as that may be asked for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._together = Together(engine)

    def known(self, connection_id: str, handle: str) -> Known:
        """What the last look-up brought; empty where there was none."""
        with reading(self._engine) as session:
            row = session.execute(_KNOWN, _same(connection_id, handle)).one_or_none()
        return Known() if row is None else _known(row)

    def claim(
        self, connection_id: str, handle: str, now: datetime, *, lease: timedelta, known: Known
    ) -> str | None:
        """The token of who looks up for all that ask; null where another was first.

        Or where another has just been: then there is more than what was `known`.
        """
        token = secrets.token_hex(16)
        claim = {
            "claim_token": token,
            "lease_until": to_ms(now + lease),
            "touched_at": to_ms(now),
        }
        taken = {
            **_same(connection_id, handle),
            "now": to_ms(now),
            "was_fetched": _ms(known.fetched_at),
            "had_failed": _ms(known.failed_at),
            **claim,
        }
        made = insert(Lookup).values(connection_id=connection_id, handle=handle, **claim)

        def take(session: Session) -> bool:
            return session.execute(_TAKE, taken).rowcount > 0 or is_new(session, made)

        ours = self._together.write(take, locks=(Lookup.__tablename__, connection_id, handle))
        return token if ours else None

    def keep(
        self,
        connection_id: str,
        handle: str,
        now: datetime,
        row: Mapping[str, Any],
        *,
        token: str | None,
        asked: Asked,
    ) -> None:
        """Keeps a row for whoever asks next and for those who wait, and counts what it cost."""
        values = {
            "touched_at": to_ms(now),
            "fetched_at": to_ms(now),
            "row": to_json(row).decode(),
            "failed_at": None,
            "failure": None,
        }

        def keep(session: Session) -> None:
            _end(session, connection_id, handle, values, token)
            count(session, asked, PAID)

        self._together.write(keep, locks=row_of(asked))

    def fail(
        self,
        connection_id: str,
        handle: str,
        now: datetime,
        error: ConnectorError,
        *,
        token: str | None,
    ) -> None:
        """Keeps why there is no row; what was known stays known, but for a key that is no good."""
        if isinstance(error, InvalidApiKey):
            # Anybody can make up keys: they leave nothing behind.
            with writing(self._engine) as session:
                session.execute(delete(Lookup).where(*_SAME), _same(connection_id, handle))
            return
        failure = {
            "code": error.code,
            "message": error.message,
            "retry_after_seconds": error.retry_after_seconds,
        }
        values = {
            "touched_at": to_ms(now),
            "failed_at": to_ms(now),
            "failure": json.dumps(failure),
        }
        with writing(self._engine) as session:
            _end(session, connection_id, handle, values, token)

    def forget(self, before: datetime, *, limit: int) -> int:
        """Deletes what nobody may ask for any more; how much that was, `limit` at most."""
        old = Lookup.touched_at < to_ms(before)
        return delete_piece(self._engine, Lookup.id, old, limit=limit)


def _end(
    session: Session, connection_id: str, handle: str, values: dict[str, Any], token: str | None
) -> None:
    same = _same(connection_id, handle)
    if token:
        ended = {**values, "claim_token": None, "lease_until": None}
        # A claim that was lost is another's to end; what it brought is as good.
        if session.execute(_OURS, {**same, "token": token, **ended}).rowcount:
            return
    if session.execute(_CHANGE, {**same, **values}).rowcount:
        return
    made = insert(Lookup).values(connection_id=connection_id, handle=handle, **values)
    if not is_new(session, made):
        session.execute(_CHANGE, {**same, **values})


def _same(connection_id: str, handle: str) -> dict[str, Any]:
    return {"of": connection_id, "name": handle}


# Said once each: to put a statement together takes many times as long as to carry it out.
_SAME: Final = (Lookup.connection_id == bindparam("of"), Lookup.handle == bindparam("name"))
_KNOWN: Final = select(Lookup.__table__).where(*_SAME)
_CHANGE: Final = update(Lookup).where(*_SAME)
_OURS: Final = _CHANGE.where(Lookup.claim_token == bindparam("token"))
_TAKE: Final = _CHANGE.where(
    or_(Lookup.lease_until.is_(None), Lookup.lease_until <= bindparam("now")),
    Lookup.fetched_at.is_not_distinct_from(bindparam("was_fetched")),
    Lookup.failed_at.is_not_distinct_from(bindparam("had_failed")),
)


def _known(row: Any) -> Known:
    return Known(
        fetched_at=_moment(row.fetched_at),
        row=parse_json(row.row.encode()) if row.row else None,
        failed_at=_moment(row.failed_at),
        failure=_failure(json.loads(row.failure)) if row.failure else None,
        busy_until=_moment(row.lease_until),
    )


def _failure(kept: Mapping[str, Any]) -> ConnectorError:
    return _KINDS[kept["code"]](kept["message"], retry_after_seconds=kept["retry_after_seconds"])


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else to_ms(moment)


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else from_ms(milliseconds)

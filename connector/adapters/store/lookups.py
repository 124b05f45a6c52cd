"""What look-ups brought, by connection and handle, and which are under way."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Engine,
    String,
    and_,
    bindparam,
    case,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import Connection as Session
from sqlalchemy.dialects import postgresql, sqlite

from connector.adapters.store.pieces import delete_piece
from connector.adapters.store.recent import Recent
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

_ClaimAll = Callable[[Session, Sequence[dict[str, Any]]], list[bool]]


_Keep = tuple[Mapping[str, Any], Asked]
"""The columns of what a look-up brought, and what asked for it."""


class KnownProfiles:
    """The part of the store that knows what was looked up, for as long as that may be asked for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._claims = Together.on(engine)
        # Apart from claims, as these write counts as well: each kind takes its rows in one order.
        self._brought = Together(engine)
        self._recent = Recent()
        made = _upsert(engine)
        self._claim_known: Final = _claiming(made, _AS_KNOWN)
        self._claim_stale: Final = _claiming(made, _STALE)
        self._keep: Final = _keeping(made)

    def known(self, connection_id: str, handle: str) -> Known:
        """What the last look-up brought; empty where there was none."""
        key = connection_id, handle
        if known := self._recent.known(key):
            return known
        began = self._recent.moment()
        with reading(self._engine) as session:
            row = session.execute(_KNOWN, _same(connection_id, handle)).one_or_none()
        if row is None:
            return Known()
        known = _known(row)
        if row.row and known.failure is None and known.busy_until is None:
            self._recent.put(key, known, size=len(row.row), began=began)
        return known

    def claim(
        self, connection_id: str, handle: str, now: datetime, *, lease: timedelta, known: Known
    ) -> str | None:
        """The token of who looks up for all that ask; null where another was first.

        Or where another has just been: then there is more than what was `known`.
        """
        claim = _claim(connection_id, handle, now, lease) | {
            "was_fetched": _ms(known.fetched_at),
            "had_failed": _ms(known.failed_at),
        }
        return self._claimed(self._claim_all_known, claim)

    def claim_stale(
        self,
        connection_id: str,
        handle: str,
        now: datetime,
        *,
        lease: timedelta,
        max_age: timedelta,
    ) -> str | None:
        """The same for what nobody knows, or knew only before `max_age`; null where one has to look."""
        key = connection_id, handle
        # One that this process has just seen is there: to look costs less than to try to write.
        if self._recent.saw(key):
            return None
        claim = _claim(connection_id, handle, now, lease) | {"stale_before": to_ms(now - max_age)}
        return self._claimed(self._claim_all_stale, claim)

    def _claimed(self, claim_all: _ClaimAll, claim: dict[str, Any]) -> str | None:
        locks = Lookup.__tablename__, claim["connection_id"], claim["handle"]
        ours = self._claims.write_each(claim_all, claim, locks=locks)
        return str(claim["claim_token"]) if ours else None

    def _claim_all_known(self, session: Session, claims: Sequence[dict[str, Any]]) -> list[bool]:
        return _claim_all(session, self._claim_known, claims)

    def _claim_all_stale(self, session: Session, claims: Sequence[dict[str, Any]]) -> list[bool]:
        return _claim_all(session, self._claim_stale, claims)

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
        text = to_json(row).decode()
        values = {
            "connection_id": connection_id,
            "handle": handle,
            "touched_at": to_ms(now),
            "fetched_at": to_ms(now),
            "row": text,
            "token": token,
        }
        locks = Lookup.__tablename__, connection_id, handle
        began = self._recent.moment()
        self._brought.write_each(self._keep_all, (values, asked), locks=locks)
        known = Known(fetched_at=now, row=row)
        self._recent.put((connection_id, handle), known, size=len(text), began=began)

    def _keep_all(self, session: Session, brought: Sequence[_Keep]) -> list[None]:
        session.execute(self._keep, [values for values, _ in brought])
        paid = Counter(asked for _, asked in brought)
        for asked in sorted(paid, key=row_of):
            count(session, asked, PAID * paid[asked])
        return [None] * len(brought)

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
        same = _same(connection_id, handle)
        if isinstance(error, InvalidApiKey):
            # Anybody can make up keys: they leave nothing behind.
            with writing(self._engine) as session:
                session.execute(delete(Lookup).where(*_SAME), same)
            self._recent.drop((connection_id, handle))
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
        self._recent.drop((connection_id, handle))

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

_TOKENS: Final = select(Lookup.claim_token).where(
    Lookup.connection_id.in_(bindparam("of", expanding=True)),
    Lookup.handle.in_(bindparam("names", expanding=True)),
)
_AS_KNOWN: Final = and_(
    Lookup.fetched_at.is_not_distinct_from(bindparam("was_fetched", type_=BigInteger)),
    Lookup.failed_at.is_not_distinct_from(bindparam("had_failed", type_=BigInteger)),
)
# A failure has to be looked at: some last for a while.
_STALE: Final = and_(
    Lookup.failed_at.is_(None),
    or_(
        Lookup.fetched_at.is_(None),
        Lookup.fetched_at < bindparam("stale_before", type_=BigInteger),
    ),
)
_NEW: Final = ("connection_id", "handle", "touched_at")


def _upsert(engine: Engine) -> Any:
    """An insert of either database, which may say what to do where there is such a row."""
    dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
    return dialect.insert(Lookup)


def _claiming(made: Any, free: ColumnElement[bool]) -> Any:
    return made.values(
        {name: bindparam(name) for name in (*_NEW, "claim_token", "lease_until")}
    ).on_conflict_do_update(
        index_elements=["connection_id", "handle"],
        set_={name: made.excluded[name] for name in ("claim_token", "lease_until", "touched_at")},
        where=and_(
            or_(Lookup.lease_until.is_(None), Lookup.lease_until <= made.excluded.touched_at), free
        ),
    )


def _claim(connection_id: str, handle: str, now: datetime, lease: timedelta) -> dict[str, Any]:
    return {
        "connection_id": connection_id,
        "handle": handle,
        "claim_token": secrets.token_hex(16),
        "lease_until": to_ms(now + lease),
        "touched_at": to_ms(now),
    }


def _claim_all(session: Session, claiming: Any, claims: Sequence[dict[str, Any]]) -> list[bool]:
    """Which of the claims are ours now."""
    session.execute(claiming, claims)
    asked = {
        "of": list({claim["connection_id"] for claim in claims}),
        "names": list({claim["handle"] for claim in claims}),
    }
    tokens = set(session.execute(_TOKENS, asked).scalars())
    return [claim["claim_token"] in tokens for claim in claims]


def _keeping(made: Any) -> Any:
    # A claim that was lost is another's to end; what it brought is as good.
    ours = Lookup.claim_token == bindparam("token", type_=String)
    return made.values(
        {name: bindparam(name) for name in (*_NEW, "fetched_at", "row")}
    ).on_conflict_do_update(
        index_elements=["connection_id", "handle"],
        set_={
            **{name: made.excluded[name] for name in ("touched_at", "fetched_at", "row")},
            "failed_at": None,
            "failure": None,
            "claim_token": case((ours, None), else_=Lookup.claim_token),
            "lease_until": case((ours, None), else_=Lookup.lease_until),
        },
        # What another process has seen later stays.
        where=or_(ours, Lookup.fetched_at.is_(None), Lookup.fetched_at <= made.excluded.fetched_at),
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

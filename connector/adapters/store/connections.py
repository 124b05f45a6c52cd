"""Connections as a whole: what is kept for each, and the end of all of it, a piece at a time.

First its key goes and nothing new is made for it, so that no worker claims any of its work. What is
just being looked at is waited for: what it brings is deleted with the rest, and nothing comes after.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Engine,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy import Connection as Session

from connector.adapters.store.audit import audited
from connector.adapters.store.pieces import delete_piece
from connector.adapters.store.tables import (
    Connection,
    CreditDay,
    Delivery,
    Event,
    IdempotentRequest,
    Job,
    JobRow,
    Lookup,
    Snapshot,
    Subscription,
    UsageDay,
    Visit,
    Watch,
    Webhook,
)
from connector.adapters.store.time import from_ms, to_ms
from connector.domain.acting import acting
from connector.domain.connections import KeptConnection
from connector.domain.errors import BeingDeleted
from connector.domain.jobs import CALLBACK
from connector.domain.subscriptions import ACTIVE, DISABLED
from connector.domain.usage import day_of
from connector.domain.webhooks import CARRIER
from wire.database import is_new, reading, writing
from wire.together import Together

# Each may have tries, or rows of some kilobytes: on a slow disk, a few hundredths of a second.
PIECE: Final = 250
# The year 9999: longer than any batch goes on.
_NEVER: Final = 253_370_764_800_000


class Connections:
    """The part of the store that knows all that is kept for one API key."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # Pieces may wait in a circle with what they end: one of the two is then done again.
        self._together = Together(engine)

    def listed(self, connection_ids: Sequence[str] | None = None) -> list[KeptConnection]:
        """What is kept, by connection, oldest first; of all of them or of some."""
        query = select(Connection.__table__, *_COUNTS).order_by(Connection.created_at)
        if connection_ids is not None:
            query = query.where(Connection.id.in_(connection_ids))
        with reading(self._engine) as session:
            return [_kept(row) for row in session.execute(query)]

    def begin_deleting(self, connection_id: str, platform: str, now: datetime) -> bool:
        """Takes the key away, and lets nothing be made any more; false where nothing is kept."""
        values = {"ending_at": to_ms(now), "sealed_key": "", "problem": BeingDeleted.default}
        mine = update(Connection).where(Connection.id == connection_id)
        with writing(self._engine) as session:
            if not any(session.execute(query, {"of": connection_id}).first() for query in _ANY):
                return False
            row = {"id": connection_id, "platform": platform, "created_at": to_ms(now), **values}
            # A key that only looked profiles up is not kept; to say that it ends, there is a row.
            if not is_new(session, insert(Connection).values(row)):
                begun = session.execute(mine.where(Connection.ending_at.is_(None)).values(values))
                if begun.rowcount == 0:
                    return True
            self._tell(session, "connection.deletion_begun", connection_id, now)
        return True

    def being_deleted(self) -> list[str]:
        """Connections whose deletion has begun and not ended."""
        query = select(Connection.id).where(Connection.ending_at.is_not(None))
        with reading(self._engine) as session:
            return list(session.execute(query).scalars())

    def delete_piece(self, connection_id: str, now: datetime) -> int | None:
        """Deletes a few rows; how many, none while something is just being looked at.

        Null once all is gone, the connection last; also where it has come back since.
        """
        of = {"of": connection_id, "now": to_ms(now)}
        for piece in _PIECES:
            locks = Connection.__tablename__, connection_id
            done = self._together.write(partial(_rows, piece, of), locks=locks)
            if done:
                return done
        return self._end(connection_id, of, now)

    def forget_idle(self, before: datetime, now: datetime, *, limit: int) -> int:
        """Deletes the keys of connections, made before, for which there is nothing any more.

        What watching spent counts for a day, and is forgotten then; `limit` connections at most.
        What was made for a job or a webhook that never came, as its process died, is nothing.
        """
        for left in _LEFT:
            since = and_(left, Subscription.created_at < to_ms(before))
            delete_piece(self._engine, Subscription.id, since, limit=limit)
        idle = {"made": to_ms(before), "limit": limit}
        with reading(self._engine) as session:
            found = session.execute(_IDLE, idle).scalars().all()
            old = session.execute(_OLD_DAYS, {"day": day_of(before)}).first()
        if found or old:
            with writing(self._engine) as session:
                session.execute(delete(CreditDay).where(_OLD_DAY), {"day": day_of(before)})
                # Locked, and asked again: something may have been made in between, or just be.
                for connection_id in sorted(found):
                    session.execute(_LOCKED, {"of": connection_id})
                    mine = delete(Connection).where(Connection.id == connection_id, _IS_IDLE)
                    if session.execute(mine).rowcount:
                        self._tell(session, "key.forgotten", connection_id, now)
        return len(found)

    def _end(self, connection_id: str, of: dict[str, Any], now: datetime) -> int | None:
        with writing(self._engine) as session:
            # First, as others who delete hold it before they take any other row.
            if session.execute(_ENDING.with_for_update(), of).first() is None:
                return None
            if any(session.execute(query, of).first() for query in _AT_WORK):
                return 0
            for rest in _REST:
                session.execute(rest, of)
            session.execute(_GONE, of)
            self._tell(session, "connection.deleted", connection_id, now)
        return None

    def _tell(self, session: Session, what: str, connection_id: str, now: datetime) -> None:
        ids = {"connection_id": connection_id, "object_id": connection_id}
        audited(session, acting(), what, now, **ids)


_OF: BindParameter[str] = bindparam("of")
_NOW: BindParameter[int] = bindparam("now", type_=BigInteger)
_SUBSCRIPTIONS: Final = select(Subscription.id).where(Subscription.connection_id == _OF)
_WATCHES: Final = select(Watch.id).where(Watch.connection_id == _OF)
_JOBS: Final = select(Job.id).where(Job.connection_id == _OF)
_BEGAN: Final = select(Connection.ending_at).where(Connection.id == _OF).scalar_subquery()


def _held(lease_until: Any) -> ColumnElement[bool]:
    return func.coalesce(lease_until, 0) > _NOW


# Claimed by somebody who keeps what it brings under the connection's name. Who looks something up
# with the key after the deletion has begun begins anew, and is not waited for.
_LOOKED_AT: Final = and_(Watch.connection_id == _OF, _held(Watch.lease_until))
_LOOKED_UP: Final = and_(
    Lookup.connection_id == _OF, _held(Lookup.lease_until), Lookup.touched_at <= _BEGAN
)
_IN_A_JOB: Final = and_(JobRow.job_id.in_(_JOBS), _held(JobRow.lease_until))
_AT_WORK: Final = (
    select(Watch.id).where(_LOOKED_AT).limit(1),
    select(Lookup.id).where(_LOOKED_UP).limit(1),
    select(JobRow.id).where(_IN_A_JOB).limit(1),
)


def _some(key: Any, *wanted: ColumnElement[bool]) -> Any:
    return delete(key.class_).where(key.in_(select(key).where(*wanted).limit(PIECE)))


def _quiet(kind: Any, *wanted: ColumnElement[bool], **values: Any) -> Any:
    return (
        update(kind)
        .where(kind.id.in_(select(kind.id).where(*wanted).limit(PIECE)))
        .values(**values)
    )


# In this order, each only once there is nothing of those before: what is deleted with others comes
# before them, so that no piece is larger than it looks.
_PIECES: Final = (
    _quiet(
        Subscription,
        Subscription.connection_id == _OF,
        Subscription.state == ACTIVE,
        state=DISABLED,
        reason=BeingDeleted.default,
    ),
    _quiet(
        Job,
        Job.connection_id == _OF,
        Job.ended_at.is_(None),
        func.coalesce(Job.paused_until, 0) < _NEVER,
        paused_until=_NEVER,
    ),
    _some(Webhook.id, Webhook.connection_id == _OF),
    _some(Event.sequence, Event.subscription_id.in_(_SUBSCRIPTIONS)),
    _some(JobRow.id, JobRow.job_id.in_(_JOBS), ~_held(JobRow.lease_until)),
    _some(Job.id, Job.connection_id == _OF, ~exists().where(JobRow.job_id == Job.id)),
    _some(Snapshot.id, Snapshot.watch_id.in_(_WATCHES)),
    _some(Watch.id, Watch.connection_id == _OF, ~_held(Watch.lease_until)),
    _some(Subscription.id, Subscription.connection_id == _OF),
    # Of what goes on with the key, only what was before: it would never end otherwise.
    _some(
        Lookup.id,
        Lookup.connection_id == _OF,
        ~_held(Lookup.lease_until),
        Lookup.touched_at <= _BEGAN,
    ),
    _some(
        IdempotentRequest.id,
        IdempotentRequest.connection_id == _OF,
        IdempotentRequest.created_at <= _BEGAN,
    ),
    _some(Visit.id, Visit.connection_id == _OF),
)
# A row a day and kind, so that they are few; and what came after its piece.
_REST: Final = tuple(
    delete(kind).where(kind.connection_id == _OF)
    for kind in (UsageDay, CreditDay, Lookup, IdempotentRequest, Visit)
)
_LOCKED: Final = select(Connection.id).where(Connection.id == _OF).with_for_update()
_ENDING: Final = select(Connection.id).where(
    Connection.id == _OF, Connection.ending_at.is_not(None)
)
# Held by one who deletes at a time: another would find nothing left of a piece, and take the next kind.
_STILL: Final = _ENDING.with_for_update(key_share=True)
_GONE: Final = delete(Connection).where(Connection.id == _OF)
_ANY: Final = (
    select(Connection.id).where(Connection.id == _OF),
    *(
        select(kind.connection_id).where(kind.connection_id == _OF).limit(1)
        for kind in (UsageDay, Lookup, IdempotentRequest, Visit)
    ),
)


_OLD_DAY: Final = CreditDay.day < bindparam("day")
_OLD_DAYS: Final = select(CreditDay.day).where(_OLD_DAY).limit(1)
# Asked for one by one: of both at once PostgreSQL makes a search for each subscription. Not of a
# connection that is being deleted: its webhooks go before what they are made of.
_LEFT: Final = tuple(
    and_(
        Subscription.trigger == trigger,
        ~exists().where(maker == Subscription.id),
        exists().where(Connection.id == Subscription.connection_id, Connection.ending_at.is_(None)),
    )
    for trigger, maker in ((CALLBACK, Job.callback_id), (CARRIER, Webhook.subscription_id))
)
_IS_IDLE: Final = and_(
    Connection.ending_at.is_(None),
    *(
        ~exists().where(kind.connection_id == Connection.id)
        for kind in (Subscription, Webhook, Job, Watch, CreditDay)
    ),
)
_IDLE: Final = (
    select(Connection.id)
    .where(Connection.created_at < bindparam("made", type_=BigInteger), _IS_IDLE)
    .limit(bindparam("limit"))
)


def _rows(piece: Any, of: dict[str, Any], session: Session) -> int:
    if session.execute(_STILL, of).first() is None:
        return 0
    return session.execute(piece, of).rowcount


def _count(kind: Any) -> Any:
    mine = select(func.count()).where(kind.connection_id == Connection.id)
    return mine.scalar_subquery().label(kind.__tablename__)


_COUNTS: Final = (
    _count(Watch),
    _count(Subscription),
    _count(Webhook),
    _count(Job),
    select(func.count(Delivery.sequence))
    .join(Subscription, Subscription.id == Delivery.subscription_id)
    .where(Subscription.connection_id == Connection.id)
    .scalar_subquery()
    .label("deliveries"),
)


def _kept(row: Any) -> KeptConnection:
    return KeptConnection(
        id=row.id,
        platform=row.platform,
        created_at=from_ms(row.created_at),
        ending=row.ending_at is not None,
        watches=row.watches,
        subscriptions=row.subscriptions,
        webhooks=row.webhooks,
        jobs=row.jobs,
        deliveries=row.deliveries,
    )

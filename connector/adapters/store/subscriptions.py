"""Connections and subscriptions: made, found, listed, ended."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection as Session
from sqlalchemy import (
    Engine,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)

from connector.adapters.store.audit import audited
from connector.adapters.store.held import hold, hold_watch
from connector.adapters.store.intervals import AS_ASKED, NO_LATER
from connector.adapters.store.refused import REFUSED, accept
from connector.adapters.store.tables import Connection, SubscribedWatch, Watch
from connector.adapters.store.tables import Subscription as Row
from connector.adapters.store.time import from_ms, to_ms
from connector.domain.acting import Acting, acting
from connector.domain.errors import BeingDeleted
from connector.domain.idempotency import Effect
from connector.domain.jobs import CALLBACK
from connector.domain.subscriptions import ACTIVE, Subscription, Terms
from connector.domain.targets import paced_host
from connector.domain.webhooks import CARRIER
from wire.database import is_new, reading, writing
from wire.together import Together


class Subscriptions:
    """The part of the store that knows who asked for what."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._together = Together(engine)

    def connect(self, connection_id: str, *, platform: str, sealed_key: str, now: datetime) -> None:
        """Keeps the connection's key."""
        values = {"platform": platform, "sealed_key": sealed_key}
        mine = update(Connection).where(Connection.id == connection_id)
        known = mine.where(Connection.ending_at.is_(None)).values(values)
        with writing(self._engine) as session:
            if session.execute(known).rowcount > 0:
                return
            made = {"id": connection_id, "created_at": to_ms(now), **values}
            if is_new(session, insert(Connection).values(made)):
                # On the way to what is asked for: done again, it changes nothing.
                by = replace(acting(), effect=Effect())
                _audited(session, by, "key.kept", now, connection_id, connection_id)
            elif session.execute(known).rowcount == 0:
                raise BeingDeleted

    def is_refused(self, connection_id: str) -> bool:
        """Whether the connection's key was refused, and has not been good since."""
        query = select(Connection.id).where(Connection.id == connection_id, REFUSED)
        with reading(self._engine) as session:
            return session.execute(query).first() is not None

    def accept(self, connection_id: str, now: datetime) -> None:
        """What is watched with the key goes on, as it is good."""
        accept(self._together, connection_id, now)

    def sealed_keys(self) -> list[str]:
        """The key of every connection."""
        with reading(self._engine) as session:
            # One that is being deleted has no key any more.
            query = select(Connection.sealed_key).where(Connection.sealed_key != "")
            return list(session.execute(query).scalars())

    def subscribe(
        self,
        connection_id: str,
        terms: Terms,
        *,
        interval_seconds: int,
        due_at: Iterable[datetime],
        now: datetime,
        target_url: str | None = None,
        sealed_secrets: str | None = None,
    ) -> str:
        """Makes a subscription with its watches; answers its id. `due_at` are the first looks.

        A profile that is watched already is looked at no later than before.
        """
        subscription_id = secrets.token_hex(16)
        values = {
            "id": subscription_id,
            "connection_id": connection_id,
            "trigger": terms.trigger,
            "inputs": terms.text,
            "inputs_hash": terms.hash,
            "interval_seconds": interval_seconds,
            "target_url": target_url,
            "target_host": paced_host(target_url) if target_url else None,
            "sealed_secrets": sealed_secrets,
            "state": ACTIVE,
            "created_at": to_ms(now),
        }
        looks = list(zip(terms.handles, map(to_ms, due_at), strict=True))
        by = acting()

        def make(session: Session) -> None:
            hold(session, connection_id)
            session.execute(insert(Row).values(values))
            # What carries a webhook's rows, or calls back once, comes and goes with that.
            if terms.trigger not in (CARRIER, CALLBACK):
                made = "subscription.created"
                _audited(session, by, made, now, connection_id, subscription_id)
            found = {
                # In the order in which workers take them too.
                handle: _watch(session, connection_id, handle, interval_seconds, due)
                for handle, due in sorted(looks)
            }
            for handle, _ in looks:
                link = {"subscription_id": subscription_id, "watch_id": found[handle]}
                session.execute(insert(SubscribedWatch).values(link))
            session.execute(AS_ASKED, {"ids": [*found.values()]})

        self._together.write(make, locks=_rows_of(connection_id))
        return subscription_id

    def polled(self, connection_id: str, terms: Terms) -> Subscription | None:
        """The polled subscription with exactly these terms."""
        query = select(Row).where(
            Row.connection_id == connection_id,
            Row.trigger == terms.trigger,
            Row.inputs_hash == terms.hash,
            Row.target_url.is_(None),
        )
        with reading(self._engine) as session:
            row = session.execute(query).first()
        return row and _subscription(row)

    def find(self, connection_id: str, subscription_id: str) -> Subscription | None:
        """The subscription with this id, where it is this connection's."""
        mine = (Row.id == subscription_id, Row.connection_id == connection_id)
        with reading(self._engine) as session:
            row = session.execute(select(Row).where(*mine, _OF_A_TRIGGER)).first()
        return row and _subscription(row)

    def owns(self, connection_id: str, subscription_id: str) -> bool:
        """Whether it is the connection's, also where it carries a webhook's rows or a job's callback."""
        query = select(Row.id).where(Row.id == subscription_id, Row.connection_id == connection_id)
        with reading(self._engine) as session:
            return session.execute(query).first() is not None

    def delivered(self, connection_id: str) -> list[Subscription]:
        """Every subscription of the connection that has a target, oldest first."""
        query = (
            select(Row)
            .where(Row.connection_id == connection_id, Row.target_url.is_not(None), _OF_A_TRIGGER)
            .order_by(Row.created_at, Row.id)
        )
        with reading(self._engine) as session:
            return [_subscription(row) for row in session.execute(query)]

    def rotate(
        self,
        connection_id: str,
        subscription_id: str,
        renewed: Callable[[str], str],
        now: datetime,
    ) -> bool:
        """Replaces the sealed secrets by what `renewed` makes of them; false when there are none.

        Of two rotations at once, the second one finds what the first one left.
        """
        with writing(self._engine) as session:
            return rotate(session, connection_id, subscription_id, renewed, now)

    def unsubscribe(self, connection_id: str, subscription_id: str, now: datetime) -> bool:
        """Ends a subscription with all that was kept for it; false when there is none."""
        gone = delete(Row).where(Row.id == subscription_id, Row.connection_id == connection_id)
        still = exists().where(SubscribedWatch.watch_id == Watch.id)
        mine = Watch.connection_id == connection_id
        its = select(SubscribedWatch.watch_id).where(
            SubscribedWatch.subscription_id == subscription_id
        )
        by = acting()

        def end(session: Session) -> bool:
            linked = session.execute(its).scalars().all()
            # Before the subscription, and in the order in which workers take them too.
            touched = select(Watch.id).where(mine, or_(~still, Watch.id.in_(linked)))
            held = touched.order_by(Watch.handle).with_for_update()
            ids = session.execute(held).scalars().all()
            found = session.execute(gone).rowcount > 0
            session.execute(delete(Watch).where(Watch.id.in_(ids), ~still))
            session.execute(AS_ASKED, {"ids": ids})
            if found:
                ended = "subscription.ended"
                _audited(session, by, ended, now, connection_id, subscription_id)
            return found

        return self._together.write(end, locks=_rows_of(connection_id))


def rotate(
    session: Session,
    connection_id: str,
    subscription_id: str,
    renewed: Callable[[str], str],
    now: datetime,
) -> bool:
    """Replaces the sealed secrets by what `renewed` makes of them; false when there are none."""
    mine = (Row.id == subscription_id, Row.connection_id == connection_id, _OF_A_TRIGGER)
    kept = select(Row.sealed_secrets).where(*mine).with_for_update()
    sealed = session.execute(kept).scalar_one_or_none()
    if sealed is None:
        return False
    values = {"sealed_secrets": renewed(sealed), "rotated_at": to_ms(now)}
    session.execute(update(Row).where(*mine).values(values))
    rotated = "subscription.secret_rotated"
    _audited(session, acting(), rotated, now, connection_id, subscription_id)
    return True


# A job's callback is kept as one, too, and is nobody's to test or to renew.
_OF_A_TRIGGER: Final = Row.trigger != CALLBACK


def _audited(
    session: Session, by: Acting, what: str, now: datetime, connection_id: str, object_id: str
) -> None:
    audited(session, by, what, now, connection_id=connection_id, object_id=object_id)


def _rows_of(connection_id: str) -> tuple[str, ...]:
    return Watch.__tablename__, connection_id


def _watch(session: Session, connection_id: str, handle: str, interval: int, due_at: int) -> int:
    """The id of the watch of `handle`, made or found; due at `due_at` or before."""
    found = hold_watch(session, connection_id, handle, interval_seconds=interval, due_at=due_at)
    session.execute(NO_LATER, {"of": found, "due": due_at})
    return found


def _subscription(row: Any) -> Subscription:
    return Subscription(
        id=row.id,
        connection_id=row.connection_id,
        terms=Terms(row.trigger, json.loads(row.inputs)),
        interval_seconds=row.interval_seconds,
        target_url=row.target_url,
        state=row.state,
        reason=row.reason,
        created_at=from_ms(row.created_at),
    )

"""Watched profiles for the console: listed with who watches them, begun and paused."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Engine, bindparam, func, insert, select, update
from sqlalchemy import Connection as Session

from connector.adapters.store.audit import audited
from connector.adapters.store.held import hold, hold_watch
from connector.adapters.store.intervals import AS_ASKED, NO_LATER
from connector.adapters.store.tables import (
    Connection,
    SubscribedWatch,
    Subscription,
    Watch,
)
from connector.adapters.store.time import from_ms, to_ms
from connector.adapters.store.watches import PROBLEM, for_workers, portrait_of
from connector.domain.acting import Acting, acting
from connector.domain.events import IN_CONSOLE
from connector.domain.subscriptions import ACTIVE, Terms
from connector.domain.watched import Listener, WatchedProfile
from wire.database import reading
from wire.together import Together


class WatchedProfiles:
    """The part of the store that knows what a person sees of watches, and changes there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._together = Together.on(engine)

    def watch(
        self, connection_id: str, terms: Terms, *, interval_seconds: int, now: datetime
    ) -> str:
        """The id of the console's subscription to a profile, made where there is none.

        A profile that is watched already is looked at no later than before, and no sooner than its
        interval says where the console watches it already.
        """
        (handle,) = terms.handles
        subscription = {
            "id": secrets.token_hex(16),
            "connection_id": connection_id,
            "trigger": terms.trigger,
            "inputs": terms.text,
            "inputs_hash": terms.hash,
            "interval_seconds": interval_seconds,
            "state": ACTIVE,
            "created_at": to_ms(now),
        }
        by = acting()
        return self._together.write(
            lambda session: _watch(session, handle, subscription, by, now),
            locks=(Watch.__tablename__, connection_id, handle),
        )

    def pause(self, connection_id: str, handle: str, now: datetime) -> None:
        """Nobody looks from now on; pausing twice changes nothing."""
        self._change(_PAUSE, "watch.paused", connection_id, handle, now)

    def resume(self, connection_id: str, handle: str, now: datetime) -> int | None:
        """Ends a pause; the id of the watch, which is due, or null where it was not paused."""
        return self._change(_RESUME, "watch.resumed", connection_id, handle, now)

    def _change(
        self, change: Any, what: str, connection_id: str, handle: str, now: datetime
    ) -> int | None:
        mine = {"of": connection_id, "called": handle, "now": to_ms(now)}
        by = acting()

        def make(session: Session) -> int | None:
            watch_id: int | None = session.execute(change, mine).scalar_one_or_none()
            if watch_id is not None:
                of = {"connection_id": connection_id, "object_id": str(watch_id)}
                audited(session, by, what, now, **of)
            return watch_id

        return self._together.write(make, locks=(Watch.__tablename__, connection_id, handle))

    def listed(self, connection_id: str, *, limit: int) -> list[WatchedProfile]:
        """The connection's watched profiles, by handle."""
        return self._profiles(_LISTED, {"of": connection_id, "limit": limit})

    def find(self, connection_id: str, handle: str) -> WatchedProfile | None:
        """The connection's watched profile with this handle."""
        found = self._profiles(_ONE, {"of": connection_id, "called": handle})
        return next(iter(found), None)

    def _profiles(self, query: Any, wanted: Mapping[str, Any]) -> list[WatchedProfile]:
        with reading(self._engine) as session:
            rows = session.execute(query, wanted).all()
            found = session.execute(_LISTENERS, {"ids": [row.id for row in rows]})
            listeners: dict[int, list[Listener]] = {row.id: [] for row in rows}
            for line in found:
                listeners[line.watch_id].append(_listener(line))
        return [_profile(row, listeners[row.id]) for row in rows]

    def intervals(self, connection_id: str) -> list[int]:
        """The interval, in seconds, of every watch that workers look at."""
        with reading(self._engine) as session:
            return list(session.execute(_INTERVALS, {"of": connection_id}).scalars())


# Said once each: to put a statement together takes many times as long as to carry it out.
_MINE: Final = Watch.connection_id == bindparam("of")
_CALLED: Final = Watch.handle == bindparam("called")
_ROWS: Final = (
    select(
        Watch.id,
        Watch.handle,
        Watch.interval_seconds,
        Watch.due_at,
        Watch.seen_at,
        Watch.paused_at,
        Watch.portrait,
        func.coalesce(PROBLEM, Connection.problem).label("problem"),
    )
    .join(Connection, Connection.id == Watch.connection_id)
    .where(_MINE)
)
_LISTED: Final = _ROWS.order_by(Watch.handle).limit(bindparam("limit"))
_ONE: Final = _ROWS.where(_CALLED)
_LISTENERS: Final = (
    select(
        SubscribedWatch.watch_id,
        Subscription.id,
        Subscription.trigger,
        Subscription.state,
        Subscription.target_url.is_not(None).label("delivered"),
    )
    .join(Subscription, Subscription.id == SubscribedWatch.subscription_id)
    .where(SubscribedWatch.watch_id.in_(bindparam("ids", expanding=True)))
    .order_by(Subscription.created_at, Subscription.id)
)
_INTERVALS: Final = select(Watch.interval_seconds).where(_MINE, for_workers())
_CONSOLES: Final = (
    select(Subscription.id)
    .join(SubscribedWatch, SubscribedWatch.subscription_id == Subscription.id)
    .where(SubscribedWatch.watch_id == bindparam("of"), Subscription.trigger == IN_CONSOLE)
)
_SUBSCRIBE: Final = insert(Subscription)
_LINK: Final = insert(SubscribedWatch)
_OFTEN: Final = (
    update(Subscription)
    .where(Subscription.id == bindparam("of"))
    .values(interval_seconds=bindparam("interval"))
)
_NOW: Final = bindparam("now", type_=BigInteger)
_PAUSE: Final = (
    update(Watch)
    .where(_MINE, _CALLED, Watch.paused_at.is_(None))
    .values(paused_at=_NOW)
    .returning(Watch.id)
)
_RESUME: Final = (
    update(Watch)
    .where(_MINE, _CALLED, Watch.paused_at.is_not(None))
    .values(paused_at=None, problem=None, attempt=0, due_at=_NOW)
    .returning(Watch.id)
)


def _watch(
    session: Session, handle: str, subscription: Mapping[str, Any], by: Acting, moment: datetime
) -> str:
    interval, now = subscription["interval_seconds"], subscription["created_at"]
    hold(session, subscription["connection_id"])
    watch_id = hold_watch(
        session, subscription["connection_id"], handle, interval_seconds=interval, due_at=now
    )
    known: str | None = session.execute(_CONSOLES, {"of": watch_id}).scalar_one_or_none()
    due = now + interval * 1000 if known else now
    session.execute(NO_LATER, {"of": watch_id, "due": due})
    if known:
        session.execute(_OFTEN, {"of": known, "interval": interval})
    else:
        session.execute(_SUBSCRIBE, subscription)
        link = {"subscription_id": subscription["id"], "watch_id": watch_id}
        session.execute(_LINK, link)
        of = {"connection_id": subscription["connection_id"], "object_id": subscription["id"]}
        audited(session, by, "subscription.created", moment, **of)
    session.execute(AS_ASKED, {"ids": [watch_id]})
    return known or str(subscription["id"])


def _listener(row: Any) -> Listener:
    return Listener(row.id, row.trigger, row.state, bool(row.delivered))


def _profile(row: Any, listeners: list[Listener]) -> WatchedProfile:
    return WatchedProfile(
        id=row.id,
        handle=row.handle,
        interval_seconds=row.interval_seconds,
        due_at=from_ms(row.due_at),
        seen_at=None if row.seen_at is None else from_ms(row.seen_at),
        paused=row.paused_at is not None,
        problem=row.problem,
        portrait=portrait_of(row.portrait),
        watched_by=listeners,
    )

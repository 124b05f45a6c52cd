"""Watches: claimed when they are due, and completed with what the look brought, all or nothing."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Engine, and_, exists, insert, or_, select, update
from sqlalchemy import Connection as Session
from sqlalchemy.exc import IntegrityError

from connector.adapters.store.tables import (
    KEPT,
    Connection,
    CreditDay,
    Delivery,
    Snapshot,
    SubscribedWatch,
    Subscription,
    Watch,
)
from connector.adapters.store.tables import Event as EventRow
from connector.adapters.store.time import to_ms
from connector.domain.deliveries import PENDING
from connector.domain.events import Event
from connector.domain.portraits import Portrait
from connector.domain.subscriptions import ACTIVE, ClaimedWatch, Look, Terms, Told, Watched
from wire.database import is_new, reading, writing
from wire.together import Together


class Watches:
    """The part of the store that knows what to look at, and keeps what was seen."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._together = Together(engine)

    def claim_due(self, now: datetime, *, lease: timedelta, limit: int) -> list[ClaimedWatch]:
        """Up to `limit` watches that are due for a delivered subscription, the longest due first."""
        return self._claim(_awaited(), now, lease=lease, limit=limit)

    def claim_one(self, watch_id: int, now: datetime, *, lease: timedelta) -> ClaimedWatch | None:
        """The watch, where `claim_due` might claim it: a wake-up may be early, late or repeated."""
        this = and_(Watch.id == watch_id, _awaited())
        return next(iter(self._claim(this, now, lease=lease, limit=1)), None)

    def due_of(self, subscription_id: str, now: datetime) -> list[int]:
        """The ids of the subscription's watches that are due."""
        query = (
            select(Watch.id)
            .join(SubscribedWatch, SubscribedWatch.watch_id == Watch.id)
            .where(SubscribedWatch.subscription_id == subscription_id, Watch.due_at <= to_ms(now))
        )
        with reading(self._engine) as session:
            return list(session.execute(query).scalars())

    def claim_for(
        self, subscription_id: str, now: datetime, *, lease: timedelta, limit: int
    ) -> list[ClaimedWatch]:
        """The same for the watches of one subscription, which somebody is waiting for."""
        of_it = exists().where(
            SubscribedWatch.watch_id == Watch.id,
            SubscribedWatch.subscription_id == subscription_id,
        )
        return self._claim(of_it, now, lease=lease, limit=limit)

    def _claim(
        self, wanted: ColumnElement[bool], now: datetime, *, lease: timedelta, limit: int
    ) -> list[ClaimedWatch]:
        free = or_(Watch.lease_until.is_(None), Watch.lease_until <= to_ms(now))
        due = (
            select(Watch.id)
            .where(Watch.due_at <= to_ms(now), free, wanted)
            .order_by(Watch.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        token = secrets.token_hex(16)
        with writing(self._engine) as session:
            ids = session.execute(due).scalars().all()
            if not ids:
                return []
            claim = update(Watch).where(Watch.id.in_(ids))
            claimed = {"claim_token": token, "lease_until": to_ms(now + lease)}
            session.execute(claim.values(claimed))
            rows = session.execute(
                select(Watch.__table__, Connection.platform, Connection.sealed_key)
                .join(Connection, Connection.id == Watch.connection_id)
                .where(Watch.id.in_(ids))
                .order_by(Watch.due_at)
            ).all()
        return [_claimed(row, token) for row in rows]

    def terms_of(self, watch_id: int) -> dict[str, Terms]:
        """The terms of every active subscription to the watch, by its id."""
        query = (
            select(Subscription.id, Subscription.trigger, Subscription.inputs)
            .join(SubscribedWatch, SubscribedWatch.subscription_id == Subscription.id)
            .where(SubscribedWatch.watch_id == watch_id, Subscription.state == ACTIVE)
        )
        with reading(self._engine) as session:
            return {
                row.id: Terms(row.trigger, json.loads(row.inputs)) for row in session.execute(query)
            }

    def complete(self, watch: ClaimedWatch, look: Look) -> list[int] | None:
        """Keeps the look, its events and their deliveries, and when to look again.

        Answers the deliveries, which are due. All in one transaction, and nothing at all where the
        claim is no longer ours: null then, as somebody else looks, or has looked, and tells the same
        events.
        """
        portrait = look.portrait
        values = {
            **_free(look.next_at),
            "attempt": 0,
            "portrait": json.dumps(portrait.to_json()),
            "problem": None,
            "seen_at": to_ms(look.seen_at),
        }

        def keep(session: Session) -> list[int] | None:
            if session.execute(_ours(watch).values(values)).rowcount == 0:
                return None
            _follow_name(session, watch, portrait)
            session.execute(insert(Snapshot).values(_snapshot(watch, look)))
            return [
                sequence
                for subscription_id, events in look.events.items()
                for sequence in _tell(session, subscription_id, events, to_ms(look.seen_at))
            ]

        return self._together.write(keep, locks=_WATCHES)

    def put_off(
        self, watch: ClaimedWatch, *, until: datetime, attempt: int, problem: str | None
    ) -> bool:
        """Gives a claim back without a look; `problem` says why, for whoever asks."""
        free = _ours(watch).values({**_free(until), "attempt": attempt, "problem": problem})
        return self._together.write(lambda s: s.execute(free).rowcount > 0, locks=_WATCHES)

    def stop_connection(self, connection_id: str, problem: str) -> None:
        """No more looks with this key until it is connected again."""
        stopped = update(Connection).where(Connection.id == connection_id)
        with writing(self._engine) as session:
            session.execute(stopped.values(problem=problem))

    def set_aside(self, connection_id: str, day: str, credits: int, *, budget: int) -> bool:
        """Takes `credits` out of the day's budget; false, and nothing taken, where it would not last."""
        mine = (CreditDay.connection_id == connection_id, CreditDay.day == day)
        taken = (
            update(CreditDay)
            .where(*mine, CreditDay.credits + credits <= budget)
            .values(credits=CreditDay.credits + credits)
        )

        def take(session: Session) -> bool:
            if session.execute(taken).rowcount > 0:
                return True
            if session.execute(select(CreditDay.credits).where(*mine)).first():
                return False
            _start_day(session, connection_id, day)
            return session.execute(taken).rowcount > 0

        return self._together.write(take, locks=(_CREDITS, connection_id))

    def give_back(self, connection_id: str, day: str, credits: int) -> None:
        """Returns what was set aside for a look that cost nothing."""
        mine = (CreditDay.connection_id == connection_id, CreditDay.day == day)
        returned = update(CreditDay).where(*mine).values(credits=CreditDay.credits - credits)
        self._together.write(lambda s: s.execute(returned), locks=(_CREDITS, connection_id))

    def spent(self, connection_id: str, day: str) -> int:
        """Credits spent, or set aside, on `day`."""
        query = select(CreditDay.credits).where(
            CreditDay.connection_id == connection_id, CreditDay.day == day
        )
        with reading(self._engine) as session:
            return session.execute(query).scalar_one_or_none() or 0

    def told(self, subscription_id: str, *, limit: int, before: int | None = None) -> list[Told]:
        """The newest events of a subscription, newest first, below the sequence `before`."""
        query = select(EventRow.sequence, EventRow.event_id, EventRow.body).where(
            EventRow.subscription_id == subscription_id, KEPT
        )
        if before is not None:
            query = query.where(EventRow.sequence < before)
        query = query.order_by(EventRow.sequence.desc()).limit(limit)
        with reading(self._engine) as session:
            rows = session.execute(query).all()
        return [Told(row.sequence, row.event_id, body_of(row)) for row in rows]

    def watched_by(self, subscription_id: str, now: datetime) -> list[Watched]:
        """What is known of the subscription's profiles."""
        query = (
            select(Watch.portrait, Watch.problem, Watch.lease_until)
            .join(SubscribedWatch, SubscribedWatch.watch_id == Watch.id)
            .where(SubscribedWatch.subscription_id == subscription_id)
            .order_by(Watch.id)
        )
        with reading(self._engine) as session:
            rows = session.execute(query).all()
        return [
            Watched(_portrait(row.portrait), row.problem, (row.lease_until or 0) > to_ms(now))
            for row in rows
        ]


# The order in which processes take the rows that others want to write too.
_CREDITS: Final = "1"
_WATCHES: Final = ("2",)


def _awaited() -> ColumnElement[bool]:
    """Somebody is told of the watch, and its key works."""
    wanted = exists().where(
        SubscribedWatch.watch_id == Watch.id,
        SubscribedWatch.subscription_id == Subscription.id,
        Subscription.state == ACTIVE,
        Subscription.target_url.is_not(None),
    )
    healthy = exists().where(Connection.id == Watch.connection_id, Connection.problem.is_(None))
    return and_(wanted, healthy)


def _ours(watch: ClaimedWatch) -> Any:
    return update(Watch).where(Watch.id == watch.id, Watch.claim_token == watch.token)


def _free(due_at: datetime) -> dict[str, Any]:
    return {"claim_token": None, "lease_until": None, "due_at": to_ms(due_at)}


def _follow_name(session: Session, watch: ClaimedWatch, portrait: Portrait) -> None:
    """A user who was renamed is looked for under the new name, unless that is watched already."""
    name = portrait.values.get("user_unique_id", watch.handle)
    if name == watch.handle or not 0 < len(name) <= 64:
        return
    other = select(Watch.id).where(Watch.connection_id == watch.connection_id, Watch.handle == name)
    if session.execute(other).first() is None:
        # Another may be renamed to the same at this moment.
        is_new(session, update(Watch).where(Watch.id == watch.id).values(handle=name))


def _snapshot(watch: ClaimedWatch, look: Look) -> dict[str, Any]:
    row: Mapping[str, Any] = look.portrait.row
    return {
        "watch_id": watch.id,
        "seen_at": to_ms(look.seen_at),
        "user_id": look.portrait.user_id,
        "status": look.portrait.status,
        "followers": look.portrait.followers,
        "hearts": row.get("hearts"),
        "videos": row.get("stats_video_count"),
    }


def _tell(
    session: Session, subscription_id: str, events: Sequence[Event], now: int
) -> Iterator[int]:
    """Keeps the events; gives the deliveries that are made of them."""
    if not events:
        return
    target = select(Subscription.target_url).where(Subscription.id == subscription_id)
    delivered = session.execute(target).scalar_one_or_none() is not None
    for event in events:
        sequence = keep_event(session, subscription_id, event, now, delivered=delivered)
        if delivered and sequence is not None:
            yield sequence


def keep_event(
    session: Session, subscription_id: str, event: Event, now: int, *, delivered: bool
) -> int | None:
    """Keeps an event and, if `delivered`, its delivery; the sequence, null where it was told before."""
    values = {
        "subscription_id": subscription_id,
        "event_id": event.event_id,
        "body": json.dumps(event.body, ensure_ascii=False),
        "created_at": now,
    }
    try:
        with session.begin_nested():
            made = insert(EventRow).values(values).returning(EventRow.sequence)
            sequence = session.execute(made).scalar_one()
    except IntegrityError:
        return None  # as a milestone that is reached twice
    if delivered:
        session.execute(insert(Delivery).values(_delivery(sequence, subscription_id, now)))
    return sequence


def _delivery(sequence: int, subscription_id: str, now: int) -> dict[str, Any]:
    return {
        "sequence": sequence,
        "subscription_id": subscription_id,
        "webhook_id": f"msg_{secrets.token_hex(16)}",
        "state": PENDING,
        "due_at": now,
        "attempt": 0,
        "updated_at": now,
    }


def _start_day(session: Session, connection_id: str, day: str) -> None:
    values = {"connection_id": connection_id, "day": day, "credits": 0}
    is_new(session, insert(CreditDay).values(values))


def body_of(row: Any) -> dict[str, Any]:
    """The body of an event as it is handed out, with its place in the count of events."""
    body: dict[str, Any] = json.loads(row.body)
    return body | {"event_sequence": row.sequence}


def _claimed(row: Any, token: str) -> ClaimedWatch:
    return ClaimedWatch(
        id=row.id,
        token=token,
        connection_id=row.connection_id,
        platform=row.platform,
        sealed_key=row.sealed_key,
        handle=row.handle,
        interval_seconds=row.interval_seconds,
        attempt=row.attempt,
        portrait=_portrait(row.portrait),
    )


def _portrait(text: str | None) -> Portrait | None:
    return Portrait.from_json(json.loads(text)) if text else None

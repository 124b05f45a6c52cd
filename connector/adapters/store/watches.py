"""Watches: claimed when they are due, and completed with what the look brought, all or nothing."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Engine,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import Connection as Session
from sqlalchemy.exc import IntegrityError

from connector.adapters.store.refused import REFUSED, accept, refuse
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
from connector.domain import trace
from connector.domain.deliveries import PENDING
from connector.domain.events import IN_CONSOLE, Event
from connector.domain.portraits import Portrait
from connector.domain.subscriptions import (
    ACTIVE,
    PAUSED,
    ClaimedWatch,
    Look,
    Terms,
    Told,
    Watched,
)
from wire.database import is_new, reading, writing
from wire.json_text import parse_json, to_json
from wire.together import Together


class Watches:
    """The part of the store that knows what to look at, and keeps what was seen."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._together = Together.on(engine)

    def claim_due(self, now: datetime, *, lease: timedelta, limit: int) -> list[ClaimedWatch]:
        """Up to `limit` watches that are due for a receiver or the console, the longest due first."""
        return self._claim(_DUE, now, lease=lease, limit=limit)

    def claim_one(self, watch_id: int, now: datetime, *, lease: timedelta) -> ClaimedWatch | None:
        """The watch, where `claim_due` might claim it: a wake-up may be early, late or repeated."""
        claimed = self._claim(_DUE_ONE, now, lease=lease, limit=1, of=watch_id)
        return next(iter(claimed), None)

    def due_of(self, subscription_id: str, now: datetime) -> list[int]:
        """The ids of the subscription's watches that are due."""
        query = (
            select(Watch.id)
            .join(SubscribedWatch, SubscribedWatch.watch_id == Watch.id)
            .where(SubscribedWatch.subscription_id == subscription_id, Watch.due_at <= to_ms(now))
            .where(_RUNS)
        )
        with reading(self._engine) as session:
            return list(session.execute(query).scalars())

    def claim_for(
        self, subscription_id: str, now: datetime, *, lease: timedelta, limit: int
    ) -> list[ClaimedWatch]:
        """The same for the watches of one subscription, which somebody is waiting for."""
        return self._claim(_DUE_FOR, now, lease=lease, limit=limit, of=subscription_id)

    def _claim(
        self, due: Any, now: datetime, *, lease: timedelta, limit: int, **of: Any
    ) -> list[ClaimedWatch]:
        token = secrets.token_hex(16)
        claim = {"claim_token": token, "lease_until": to_ms(now + lease)}
        with writing(self._engine) as session:
            wanted = {"now": to_ms(now), "limit": limit, **of}
            ids = session.execute(due, wanted).scalars().all()
            if not ids:
                return []
            session.execute(_THESE, {"ids": ids, **claim})
            rows = session.execute(_CLAIMED, {"ids": ids}).all()
        return [_claimed(row, token) for row in rows]

    def complete(self, watch: ClaimedWatch, look: Look) -> list[int] | None:
        """Keeps the look, its events and their deliveries, and when to look again.

        Answers the deliveries, which are due. All in one transaction, and nothing at all where the
        claim is no longer ours: null then, as somebody else looks, or has looked, and tells the same
        events.
        """
        # Said now: it may be another thread that writes.
        kept = (watch, look, trace.request_id())
        told, refused = self._together.write_each(_complete, kept, locks=_row_of(watch))
        if refused:
            # Apart, as it takes rows that others hold who complete theirs.
            accept(self._together, watch.connection_id, look.seen_at)
        return told

    def put_off(
        self, watch: ClaimedWatch, *, until: datetime, attempt: int, problem: str | None
    ) -> bool:
        """Gives a claim back without a look; `problem` says why, for whoever asks."""
        free = _ours(watch, {**_free(until), "attempt": attempt, "problem": problem})
        return self._together.write(
            lambda s: s.execute(_OURS, free).rowcount > 0, locks=_row_of(watch)
        )

    def refuse(self, watch: ClaimedWatch, *, until: datetime, attempt: int, problem: str) -> None:
        """Gives a claim back as the key was refused, and puts off all that is watched with it."""
        refuse(self._together, watch, until=until, attempt=attempt, problem=problem)

    def set_aside(self, connection_id: str, day: str, credits: int, *, budget: int) -> bool:
        """Takes `credits` out of the day's budget; false, and nothing taken, where it would not last."""
        wanted = {"of": connection_id, "on": day, "more": credits, "budget": budget}
        locks = CreditDay.__tablename__, connection_id, day
        return self._together.write_each(_set_aside, wanted, locks=locks)

    def give_back(self, connection_id: str, day: str, credits: int) -> None:
        """Returns what was set aside for a look that cost nothing."""
        returned = {"of": connection_id, "on": day, "more": -credits}
        self._together.write(
            lambda s: s.execute(_ADD, returned), locks=(CreditDay.__tablename__, connection_id, day)
        )

    def spent(self, connection_id: str, day: str) -> int:
        """Credits spent, or set aside, on `day`."""
        mine = {"of": connection_id, "on": day}
        with reading(self._engine) as session:
            return session.execute(_SPENT, mine).scalar_one_or_none() or 0

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
            select(Watch.portrait, PROBLEM, Watch.lease_until)
            .join(SubscribedWatch, SubscribedWatch.watch_id == Watch.id)
            .where(SubscribedWatch.subscription_id == subscription_id)
            .order_by(Watch.id)
        )
        with reading(self._engine) as session:
            rows = session.execute(query).all()
        return [
            Watched(portrait_of(row.portrait), row.problem, (row.lease_until or 0) > to_ms(now))
            for row in rows
        ]


# Subscriptions for which a worker looks: the others are looked for when they are polled.
BY_WORKERS: Final = and_(
    Subscription.state == ACTIVE,
    or_(Subscription.target_url.is_not(None), Subscription.trigger == IN_CONSOLE),
)
# Not "is null", which PostgreSQL takes for rare in a table that it has not counted yet: it would
# plan for few watches, and take ten times as long.
_RUNS: Final = func.coalesce(Watch.paused_at, 0) <= 0
# Kept apart from a pause, which a look that is under way must not end.
PROBLEM: Final = case((_RUNS, Watch.problem), else_=PAUSED).label("problem")


def for_workers() -> ColumnElement[bool]:
    """Somebody is told of the watch without asking, and it is not paused."""
    wanted = exists().where(
        SubscribedWatch.watch_id == Watch.id,
        SubscribedWatch.subscription_id == Subscription.id,
        BY_WORKERS,
    )
    return and_(wanted, _RUNS)


def awaited() -> ColumnElement[bool]:
    """A worker is to look, as soon as it is due, with a key that is still kept."""
    kept = exists().where(Connection.id == Watch.connection_id, Connection.ending_at.is_(None))
    return and_(for_workers(), kept)


def _due(*wanted: ColumnElement[bool]) -> Any:
    now: BindParameter[int] = bindparam("now")
    free = or_(Watch.lease_until.is_(None), Watch.lease_until <= now)
    return (
        select(Watch.id)
        .where(Watch.due_at <= now, free, *wanted)
        .order_by(Watch.due_at)
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True)
    )


# Said once each: to put a statement together takes many times as long as to carry it out.
_DUE: Final = _due(awaited())
_DUE_ONE: Final = _due(awaited(), Watch.id == bindparam("of"))
_DUE_FOR: Final = _due(
    _RUNS,
    exists().where(
        SubscribedWatch.watch_id == Watch.id,
        SubscribedWatch.subscription_id == bindparam("of"),
    ),
)
_IDS: BindParameter[list[int]] = bindparam("ids", expanding=True)
_THESE: Final = update(Watch).where(Watch.id.in_(_IDS))
_CLAIMED: Final = (
    select(Watch.__table__, Connection.platform, Connection.sealed_key, REFUSED.label("refused"))
    .join(Connection, Connection.id == Watch.connection_id)
    .where(Watch.id.in_(_IDS))
    .order_by(Watch.due_at)
)
_OURS: Final = update(Watch).where(
    Watch.id == bindparam("of"), Watch.claim_token == bindparam("token")
)
_HELD: Final = (
    select(Watch.id, Watch.claim_token, REFUSED.label("refused"))
    .join(Connection, Connection.id == Watch.connection_id)
    .where(Watch.id.in_(_IDS))
    # As those who write together are put in order.
    .order_by(Watch.connection_id, Watch.handle)
    .with_for_update(of=Watch)
)
_LOOKED: Final = update(Watch).where(Watch.id == bindparam("of"))
_TERMS: Final = (
    select(SubscribedWatch.watch_id, Subscription.id, Subscription.trigger, Subscription.inputs)
    .join(SubscribedWatch, SubscribedWatch.subscription_id == Subscription.id)
    .where(SubscribedWatch.watch_id.in_(_IDS), Subscription.state == ACTIVE)
    .order_by(Subscription.created_at, Subscription.id)
)
_SNAPSHOT: Final = insert(Snapshot)
_DAY: Final = (CreditDay.connection_id == bindparam("of"), CreditDay.day == bindparam("on"))
_SPENT: Final = select(CreditDay.credits).where(*_DAY)
_ADD: Final = update(CreditDay).where(*_DAY).values(credits=CreditDay.credits + bindparam("more"))
_TAKE: Final = _ADD.where(CreditDay.credits + bindparam("more") <= bindparam("budget"))


def _row_of(watch: ClaimedWatch) -> tuple[str, ...]:
    return Watch.__tablename__, watch.connection_id, watch.handle


def _ours(watch: ClaimedWatch, values: Mapping[str, Any]) -> dict[str, Any]:
    return {"of": watch.id, "token": watch.token, **values}


def _free(due_at: datetime) -> dict[str, Any]:
    return {"claim_token": None, "lease_until": None, "due_at": to_ms(due_at)}


def _complete(
    session: Session, looks: Sequence[tuple[ClaimedWatch, Look, str | None]]
) -> list[tuple[list[int] | None, bool]]:
    """Keeps the looks whose claim is still ours.

    Answers the deliveries of each, and whether the key that it was made with counts as refused.
    """
    ids = {"ids": [watch.id for watch, *_ in looks]}
    rows = session.execute(_HELD, ids).all()
    held = {row.id: row.claim_token for row in rows}
    refused = {row.id for row in rows if row.refused}
    ours = [kept for kept in looks if held.get(kept[0].id) == kept[0].token]
    if ours:
        session.execute(_LOOKED, [_looked(watch, look) for watch, look, _ in ours])
        session.execute(_SNAPSHOT, [_snapshot(watch, look) for watch, look, _ in ours])
    terms: dict[int, list[Any]] = {watch.id: [] for watch, *_ in looks}
    for row in session.execute(_TERMS, ids):
        terms[row.watch_id].append(row)
    told: dict[str, list[int]] = {}
    for watch, look, request_id in ours:
        _follow_name(session, watch, look.portrait)
        told[watch.token] = [
            n for row in terms[watch.id] for n in _tell(session, row, look, request_id)
        ]
    return [
        (told.get(watch.token), watch.token in told and watch.id in refused) for watch, *_ in looks
    ]


def _looked(watch: ClaimedWatch, look: Look) -> dict[str, Any]:
    return {
        "of": watch.id,
        **_free(look.next_at),
        "attempt": 0,
        "portrait": to_json(look.portrait.to_json()).decode(),
        "problem": None,
        "seen_at": to_ms(look.seen_at),
    }


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


def _tell(session: Session, subscription: Any, look: Look, request_id: str | None) -> Iterator[int]:
    """Keeps what follows for a subscription; gives the deliveries that are made of it."""
    events = look.events_of(Terms(subscription.trigger, json.loads(subscription.inputs)))
    if not events:
        return
    target = select(Subscription.target_url).where(Subscription.id == subscription.id)
    delivered = session.execute(target).scalar_one_or_none() is not None
    now = to_ms(look.seen_at)
    for event in events:
        sequence = keep_event(
            session, subscription.id, event, now, delivered=delivered, request_id=request_id
        )
        if delivered and sequence is not None:
            yield sequence


def keep_event(
    session: Session,
    subscription_id: str,
    event: Event,
    now: int,
    *,
    delivered: bool = True,
    request_id: str | None,
) -> int | None:
    """Keeps an event and, if `delivered`, its delivery; the sequence, null where it was told before.

    The delivery is sent under `request_id`.
    """
    values = {
        "subscription_id": subscription_id,
        "event_id": event.event_id,
        "body": to_json(event.body).decode(),
        "created_at": now,
    }
    try:
        with session.begin_nested():
            made = insert(EventRow).values(values).returning(EventRow.sequence)
            sequence = session.execute(made).scalar_one()
    except IntegrityError:
        return None  # as a milestone that is reached twice
    if delivered:
        values = _delivery(sequence, subscription_id, now) | {"request_id": request_id}
        session.execute(insert(Delivery).values(values))
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


def _set_aside(session: Session, wanted: Sequence[dict[str, Any]]) -> list[bool]:
    """Which of what is `wanted` the budgets last for: at once where they last for all of it."""
    answers: list[bool] = []
    for _, group in groupby(wanted, key=itemgetter("of", "on", "budget")):
        each = list(group)
        all_of_it = each[0] | {"more": sum(one["more"] for one in each)}
        if _take(session, all_of_it):
            answers += [True] * len(each)
        else:
            answers += [_take(session, one) for one in each]
    return answers


def _take(session: Session, wanted: dict[str, Any]) -> bool:
    if session.execute(_TAKE, wanted).rowcount > 0:
        return True
    mine = {"of": wanted["of"], "on": wanted["on"]}
    # Another process may begin the day at the same moment.
    if session.execute(_SPENT, mine).first() is not None:
        return False
    _start_day(session, wanted["of"], wanted["on"])
    return session.execute(_TAKE, wanted).rowcount > 0


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
        portrait=portrait_of(row.portrait),
        refused=bool(row.refused),
    )


def portrait_of(text: str | None) -> Portrait | None:
    """A portrait as it is kept, read again."""
    return Portrait.from_json(parse_json(text.encode())) if text else None

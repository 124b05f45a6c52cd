"""How things stand in the whole database: what is due, pending, dead, spent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection as Session
from sqlalchemy import Engine, and_, bindparam, exists, func, or_, select

from connector.adapters.store.deliveries import MAX_A_SECOND, MAX_AT_ONCE
from connector.adapters.store.refused import REFUSED
from connector.adapters.store.tables import (
    Connection,
    Delivery,
    Job,
    Subscription,
    UsageDay,
    Watch,
    Worker,
)
from connector.adapters.store.time import to_ms
from connector.adapters.store.usage import SET_ASIDE
from connector.adapters.store.watches import awaited
from connector.adapters.store.workers import NEEDED, SILENT_AFTER
from connector.domain.deliveries import DEAD, PENDING
from connector.domain.metrics import (
    CREDITS_TODAY,
    DEAD_LETTERS,
    DELIVERY_AGE,
    PENDING_DELIVERIES,
    REFUSED_CONNECTIONS,
    SUBSCRIPTIONS,
    UNFINISHED_JOBS,
    WATCH_AGE,
    WATCHES_DUE,
    WORKERS_ALIVE,
    WORKERS_NEEDED,
    Metric,
    Reading,
)
from connector.domain.subscriptions import ACTIVE
from connector.domain.usage import day_of
from wire.database import reading

_A_SECOND: Final = timedelta(seconds=1)
# No try takes longer: its claim ends by then.
_LONGEST_LEASE: Final = timedelta(minutes=1)
# To ask of each whether it is awaited takes ten times as long as to count it; with no worker all are due.
MAX_COUNTED: Final = 1_000


class Standing:
    """The part of the store that tells operators how everything stands."""

    def __init__(self, engine: Engine, *, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._now = now

    def read(self) -> list[Reading]:
        """Each metric that the database knows, with the values of its labels, and its value."""
        now = self._now()
        times = {
            "now": to_ms(now),
            "a_second_ago": to_ms(now - _A_SECOND),
            "a_lease_ago": to_ms(now - _LONGEST_LEASE),
            "silent": to_ms(now - SILENT_AFTER),
        }
        with reading(self._engine) as session:
            counts: list[Reading] = [
                (metric, (), session.execute(query, times).scalar_one())
                for metric, query in _COUNTS.items()
            ]
            ages: list[Reading] = [
                (metric, (), _age(session.execute(query, times).scalar_one_or_none(), now))
                for metric, query in _OLDEST.items()
            ]
            return [*counts, *ages, *_credits(session, day_of(now))]


def _age(due_at: int | None, now: datetime) -> float:
    return 0.0 if due_at is None else (to_ms(now) - due_at) / 1000


def _credits(session: Session, day: str) -> Iterator[Reading]:
    for what, charged, saved, unsure in session.execute(_CREDITS, {"day": day}):
        booked = {"charged": charged, "saved": saved, "unsure": unsure}
        yield from ((CREDITS_TODAY, (what, kind), float(value)) for kind, value in booked.items())


_NOW: Any = bindparam("now")
_DUE: Final = (Watch.due_at <= _NOW, awaited())
_A_SECOND_AGO: Any = bindparam("a_second_ago")
_UNDER_WAY: Final = func.coalesce(Delivery.lease_until, 0) > _NOW
# Between the end of a try and the next claim is less than a second: those that just ended count too.
_JUST_ENDED: Final = and_(Delivery.claimed_at <= _A_SECOND_AGO, Delivery.updated_at > _A_SECOND_AGO)
# Not the column as it is: SQLite would walk over every delivery, in the order of its index.
_RECEIVER: Final = Delivery.subscription_id.concat("")
_BUSY: Final = (
    select(_RECEIVER)
    .where(Delivery.claimed_at > bindparam("a_lease_ago"), or_(_UNDER_WAY, _JUST_ENDED))
    .group_by(_RECEIVER)
    .having(func.count() >= MAX_AT_ONCE)
)
_PACED: Final = (
    select(Subscription.target_host)
    .join(Delivery, Delivery.subscription_id == Subscription.id)
    .where(Delivery.claimed_at > _A_SECOND_AGO, Subscription.target_host.is_not(None))
    .group_by(Subscription.target_host)
    .having(func.count() >= MAX_A_SECOND)
)
# Of receivers that take no more just now, more workers would deliver nothing sooner.
_HELD_BACK_NOT: Final = (
    ~_UNDER_WAY,
    Subscription.state == ACTIVE,
    or_(Subscription.throttled_until.is_(None), Subscription.throttled_until <= _NOW),
    Delivery.subscription_id.not_in(_BUSY),
    or_(Subscription.target_host.is_(None), Subscription.target_host.not_in(_PACED)),
)
_COUNTS: Final[dict[Metric, Any]] = {
    WATCHES_DUE: select(func.count()).select_from(
        select(Watch.id).where(*_DUE).limit(MAX_COUNTED).subquery()
    ),
    PENDING_DELIVERIES: select(func.count()).where(Delivery.state == PENDING),
    DEAD_LETTERS: select(func.count()).where(Delivery.state == DEAD),
    SUBSCRIPTIONS: select(func.count()).where(Subscription.state == ACTIVE),
    # One that was refused at its first look may have nothing to watch.
    REFUSED_CONNECTIONS: select(func.count()).where(
        REFUSED, exists().where(Watch.connection_id == Connection.id)
    ),
    UNFINISHED_JOBS: select(func.count()).where(Job.ended_at.is_(None)),
    WORKERS_NEEDED: NEEDED,
    WORKERS_ALIVE: select(func.count()).where(Worker.beat_at > bindparam("silent")),
}
_OLDEST: Final[dict[Metric, Any]] = {
    WATCH_AGE: select(Watch.due_at).where(*_DUE).order_by(Watch.due_at).limit(1),
    DELIVERY_AGE: select(Delivery.due_at)
    .join(Subscription, Subscription.id == Delivery.subscription_id)
    .where(Delivery.state == PENDING, Delivery.due_at <= _NOW, *_HELD_BACK_NOT)
    .order_by(Delivery.due_at)
    .limit(1),
}
_CREDITS: Final = (
    select(
        UsageDay.what,
        func.sum(UsageDay.credits),
        func.sum(UsageDay.saved),
        func.sum(UsageDay.unsure),
    )
    .where(UsageDay.day == bindparam("day"), UsageDay.what != SET_ASIDE)
    .group_by(UsageDay.what)
)

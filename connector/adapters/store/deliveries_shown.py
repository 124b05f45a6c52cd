"""How deliveries stand, and what became of each try. Reads only."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection as Session
from sqlalchemy import bindparam, select

from connector.adapters.store.tables import Attempt, Delivery, Event, Subscription
from connector.adapters.store.time import from_ms
from connector.adapters.store.watches import body_of
from connector.domain.deliveries import DeliveryState, KeptDelivery, Try


def newest(
    session: Session,
    connection_id: str | None,
    *,
    state: str | None,
    subscription_id: str | None,
    limit: int,
) -> list[DeliveryState]:
    """The newest deliveries, of one connection or of all, of one subscription or of all."""
    wanted = (
        (Subscription.connection_id, connection_id),
        (Delivery.state, state),
        (Delivery.subscription_id, subscription_id),
    )
    # Chosen first: SQLite would read every event of the connection to sort them.
    chosen = (
        select(Delivery.sequence)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .where(*(column == value for column, value in wanted if value is not None))
        .order_by(Delivery.sequence.desc())
        .limit(limit)
        .subquery()
    )
    query = _STATES.join(chosen, chosen.c.sequence == Delivery.sequence)
    return [_state(row) for row in session.execute(query.order_by(Delivery.sequence.desc()))]


def kept(session: Session, connection_id: str, sequence: int, *, tries: int) -> KeptDelivery | None:
    """The connection's delivery, with its newest `tries`."""
    row = session.execute(_WHOLE, {"of": sequence, "by": connection_id}).first()
    if row is None:
        return None
    tried = session.execute(_TRIES, {"of": sequence, "limit": tries})
    return KeptDelivery(
        state=_state(row),
        target_url=row.target_url,
        webhook_id=row.webhook_id,
        body=body_of(row),
        tries=[_try(one) for one in tried],
    )


_STATES: Final = (
    select(Delivery.__table__, Event.event_id, Subscription.trigger)
    .join(Event, Event.sequence == Delivery.sequence)
    .join(Subscription, Subscription.id == Delivery.subscription_id)
)
_WHOLE: Final = _STATES.add_columns(Event.body, Subscription.target_url).where(
    Delivery.sequence == bindparam("of"), Subscription.connection_id == bindparam("by")
)
_TRIES: Final = (
    select(Attempt.__table__)
    .where(Attempt.sequence == bindparam("of"))
    .order_by(Attempt.id.desc())
    .limit(bindparam("limit"))
)


def _state(row: Any) -> DeliveryState:
    return DeliveryState(
        id=row.sequence,
        subscription_id=row.subscription_id,
        trigger=row.trigger,
        event_id=row.event_id,
        state=row.state,
        attempts=row.attempt,
        due_at=from_ms(row.due_at),
        last_status=row.last_status,
        last_error=row.last_error,
        request_id=row.request_id,
    )


def _try(row: Any) -> Try:
    return Try(
        tried_at=from_ms(row.tried_at),
        milliseconds=row.milliseconds,
        status=row.status,
        error=row.error,
        answer=row.answer,
    )

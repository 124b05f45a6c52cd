"""Deliveries that are not tried any more, and how they are sent again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, exists, func, select, update
from sqlalchemy import Connection as Session

from connector.adapters.store.audit import audited
from connector.adapters.store.tables import Connection, Delivery, Subscription
from connector.adapters.store.time import to_ms
from connector.domain.acting import acting
from connector.domain.deliveries import DEAD, PENDING
from connector.domain.subscriptions import ACTIVE


def send_dead_again(
    session: Session,
    connection_id: str,
    now: datetime,
    *,
    subscription_id: str | None,
    limit: int,
) -> tuple[list[int], int]:
    """Makes up to `limit` dead deliveries due, the oldest first; which, and how many are left."""
    mine = [Subscription.connection_id == connection_id]
    if subscription_id is not None:
        mine.append(Subscription.id == subscription_id)
    ids = session.execute(_with_dead(mine).limit(limit)).scalars().all()
    chosen = session.execute(_DEAD_OF, {"ids": ids, "limit": limit}).all()
    sequences = [row.sequence for row in chosen]
    session.execute(update(Delivery).where(Delivery.sequence.in_(sequences)).values(again(now)))
    enable(session, now, *{row.subscription_id for row in chosen})
    return sequences, session.execute(_dead_left(mine)).scalar_one()


def again(now: datetime) -> dict[str, Any]:
    """What makes a delivery due, on the whole schedule."""
    return {"state": PENDING, "due_at": to_ms(now), "attempt": 0}


def enable(session: Session, now: datetime, *subscription_ids: str) -> None:
    """Makes subscriptions active, as if none had failed: somebody has mended their receivers.

    Not those of a connection that is being deleted.
    """
    values = {"state": ACTIVE, "reason": None, "first_failure_at": None, "throttled_until": None}
    stays = exists().where(
        Connection.id == Subscription.connection_id, Connection.ending_at.is_(None)
    )
    mine = (Subscription.id.in_(subscription_ids), stays)
    disabled = select(Subscription.id, Subscription.connection_id).where(
        *mine, Subscription.state != ACTIVE
    )
    for row in session.execute(disabled.with_for_update()).all():
        of = {"connection_id": row.connection_id, "object_id": row.id}
        audited(session, acting(), "subscription.enabled", now, **of)
    session.execute(update(Subscription).where(*mine).values(values))


# Rather left out than waited for: who completes such a one waits for its subscription, which is ours.
_DEAD_OF: Final = (
    select(Delivery.sequence, Delivery.subscription_id)
    .where(Delivery.state == DEAD, Delivery.subscription_id.in_(bindparam("ids", expanding=True)))
    .order_by(Delivery.sequence)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)


def _with_dead(mine: Sequence[ColumnElement[bool]]) -> Any:
    """The subscriptions with dead deliveries, in the order in which those who complete tries take them."""
    has_dead = exists().where(Delivery.subscription_id == Subscription.id, Delivery.state == DEAD)
    query = select(Subscription.id).where(*mine, has_dead).order_by(Subscription.id)
    return query.with_for_update(key_share=True)


def _dead_left(mine: Sequence[ColumnElement[bool]]) -> Any:
    ids = select(Subscription.id).where(*mine)
    dead = (Delivery.state == DEAD, Delivery.subscription_id.in_(ids))
    return select(func.count()).select_from(Delivery).where(*dead)

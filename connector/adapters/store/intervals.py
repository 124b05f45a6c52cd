"""When a profile is looked at: as often as the most eager of its subscriptions asks for."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, bindparam, case, func, select, update

from connector.adapters.store.tables import SubscribedWatch, Subscription, Watch

_ASKED: Final = (
    select(func.min(Subscription.interval_seconds))
    .join(SubscribedWatch, SubscribedWatch.subscription_id == Subscription.id)
    .where(SubscribedWatch.watch_id == Watch.id)
    .scalar_subquery()
)
AS_ASKED: Final = (
    update(Watch)
    .where(Watch.id.in_(bindparam("ids", expanding=True)))
    .values(interval_seconds=func.coalesce(_ASKED, Watch.interval_seconds))
)
_DUE_AT: Final = bindparam("due", type_=BigInteger)
NO_LATER: Final = (
    update(Watch)
    .where(Watch.id == bindparam("of"))
    .values(due_at=case((Watch.due_at > _DUE_AT, _DUE_AT), else_=Watch.due_at))
)

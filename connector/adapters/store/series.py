"""How a watched profile was: its looks, thinned for a chart, and the events told of it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, BindParameter, Engine, Integer, bindparam, func, select

from connector.adapters.store.tables import KEPT, Event, Snapshot, SubscribedWatch
from connector.adapters.store.time import from_ms, to_ms
from connector.domain.watched import Counts, Noticed
from wire.database import reading


class Series:
    """The part of the store that knows what charts show."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def looks(self, watch_id: int, *, since: datetime, limit: int) -> list[Counts]:
        """Looks since a moment, oldest first: of more than `limit`, the last in each span of time."""
        wanted = {"of": watch_id, "since": to_ms(since)}
        with reading(self._engine) as session:
            number, first, last = session.execute(_LOOKED, wanted).one()
            span = (last - first) // limit + 1 if number > limit else 1
            thinned = {**wanted, "first": first or 0, "span": span, "limit": limit}
            ids = session.execute(_LASTS, thinned).scalars().all()
            rows = session.execute(_COUNTS, {"ids": ids}).all()
        return [Counts(from_ms(row.seen_at), row.followers, row.hearts, row.videos) for row in rows]

    def noticed(
        self, watch_id: int, id_prefix: str, *, since: datetime, limit: int
    ) -> list[Noticed]:
        """The newest events told of a watch whose ids begin so, newest first, each once."""
        wanted = {
            "of": watch_id,
            "since": to_ms(since),
            "prefix": id_prefix,
            "length": len(id_prefix),
            "limit": limit,
        }
        with reading(self._engine) as session:
            ids = session.execute(_EACH_ONCE, wanted).scalars().all()
            rows = session.execute(_NOTICED, {"ids": ids}).all()
        return [
            Noticed(from_ms(row.created_at), row.event_id, json.loads(row.body)) for row in rows
        ]


# Said once each: to put a statement together takes many times as long as to carry it out.
# The ids come first, and by themselves: as a part of the other statement, PostgreSQL may go through
# the rows of everybody in their order to find them.
_IDS: BindParameter[list[int]] = bindparam("ids", expanding=True)
_SINCE: Final = (Snapshot.watch_id == bindparam("of"), Snapshot.seen_at >= bindparam("since"))
_LOOKED: Final = select(func.count(), func.min(Snapshot.seen_at), func.max(Snapshot.seen_at)).where(
    *_SINCE
)
_SPAN: Final = (Snapshot.seen_at - bindparam("first", type_=BigInteger)) // bindparam(
    "span", type_=BigInteger
)
_LASTS: Final = (
    select(func.max(Snapshot.id))
    .where(*_SINCE)
    .group_by(_SPAN)
    .order_by(func.max(Snapshot.id).desc())
    .limit(bindparam("limit"))
)
_COUNTS: Final = (
    select(Snapshot.seen_at, Snapshot.followers, Snapshot.hearts, Snapshot.videos)
    .where(Snapshot.id.in_(_IDS))
    .order_by(Snapshot.id)
)
_EACH_ONCE: Final = (
    select(func.max(Event.sequence))
    .join(SubscribedWatch, SubscribedWatch.subscription_id == Event.subscription_id)
    .where(
        SubscribedWatch.watch_id == bindparam("of"),
        Event.created_at >= bindparam("since"),
        func.substr(Event.event_id, 1, bindparam("length", type_=Integer)) == bindparam("prefix"),
        KEPT,
    )
    .group_by(Event.event_id)
    .order_by(func.max(Event.sequence).desc())
    .limit(bindparam("limit"))
)
_NOTICED: Final = (
    select(Event.created_at, Event.event_id, Event.body)
    .where(Event.sequence.in_(_IDS))
    .order_by(Event.sequence.desc())
)

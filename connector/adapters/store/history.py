"""What is kept of looks: answered as a profile's history, and at last deleted with all that is old."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Engine, delete, exists, or_, select, update

from connector.adapters.store.tables import KEPT, Delivery, Event, Snapshot, Watch
from connector.adapters.store.time import from_ms, to_ms
from connector.domain.deliveries import PENDING
from connector.domain.history import Seen
from wire.database import reading, writing


class History:
    """The part of the store that knows what was, and for how long."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def looks(
        self,
        connection_id: str,
        handle: str,
        *,
        since: datetime | None,
        until: datetime | None,
        before: int | None,
        limit: int,
    ) -> list[Seen] | None:
        """The newest looks, newest first, from `since` and before `until`; null where none are taken."""
        watch = select(Watch.id).where(Watch.connection_id == connection_id, Watch.handle == handle)
        with reading(self._engine) as session:
            watch_id = session.execute(watch).scalar_one_or_none()
            if watch_id is None:
                return None
            query = select(Snapshot.__table__).where(Snapshot.watch_id == watch_id)
            if since is not None:
                query = query.where(Snapshot.seen_at >= to_ms(since))
            if until is not None:
                query = query.where(Snapshot.seen_at < to_ms(until))
            if before is not None:
                query = query.where(Snapshot.id < before)
            rows = session.execute(query.order_by(Snapshot.id.desc()).limit(limit)).all()
        return [_seen(row, handle) for row in rows]

    def forget_before(self, moment: datetime, *, limit: int) -> int:
        """Deletes up to `limit` looks, and as many events, that are older; how many there were.

        Of an event, its id stays as long as the subscription: a milestone that is reached again is
        no other. One with a delivery stays whole until that has ended, and as long from then on.
        """
        old = to_ms(moment)
        return self._forget_looks(old, limit) + self._forget_events(old, limit)

    def _forget_looks(self, old: int, limit: int) -> int:
        query = select(Snapshot.id).where(Snapshot.seen_at < old)
        with reading(self._engine) as session:
            ids = session.execute(query.order_by(Snapshot.seen_at).limit(limit)).scalars().all()
        if ids:
            with writing(self._engine) as session:
                session.execute(delete(Snapshot).where(Snapshot.id.in_(ids)))
        return len(ids)

    def _forget_events(self, old: int, limit: int) -> int:
        lately = or_(Delivery.state == PENDING, Delivery.updated_at >= old)
        needed = exists().where(Delivery.sequence == Event.sequence, lately)
        query = select(Event.sequence).where(KEPT, Event.created_at < old, ~needed)
        with reading(self._engine) as session:
            found = session.execute(query.order_by(Event.created_at).limit(limit)).scalars().all()
        if found:
            with writing(self._engine) as session:
                # Asked again: somebody may have sent it once more in between.
                ended = (Delivery.sequence.in_(found), Delivery.state != PENDING)
                session.execute(delete(Delivery).where(*ended))
                free = ~exists().where(Delivery.sequence == Event.sequence)
                emptied = update(Event).where(Event.sequence.in_(found), free).values(body="")
                session.execute(emptied)
        return len(found)


def _seen(row: Any, handle: str) -> Seen:
    return Seen(
        id=row.id,
        handle=handle,
        user_id=row.user_id,
        seen_at=from_ms(row.seen_at),
        status=row.status,
        stats_follower_count=row.followers,
        hearts=row.hearts,
        stats_video_count=row.videos,
    )

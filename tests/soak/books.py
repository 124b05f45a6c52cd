"""What the product's own database says after a soak, beside what the outside has counted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Engine, func, select

from connector.adapters.store.tables import (
    Delivery,
    Job,
    JobRow,
    Snapshot,
    Subscription,
    UsageDay,
    Watch,
)
from connector.domain.answers import CREDITS_PER_LOOKUP
from connector.domain.deliveries import DELIVERED
from tests.soak.receivers import HOOK
from tests.soak.upstream import Upstream
from tests.soak.verdict import Account
from wire.database import reading

# What a budget has been set aside for stands in a row of its own.
_SET_ASIDE = ""


class Books:
    """Reads the database at the end, and while it is waited for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def undelivered(self) -> int:
        """Deliveries to honest receivers of events that are still on their way."""
        honest = Subscription.target_url.like(f"%{HOOK}%")
        return self._count(
            select(func.count())
            .select_from(Delivery)
            .join(Subscription, Subscription.id == Delivery.subscription_id)
            .where(Delivery.state != DELIVERED, honest)
        )

    def looks_kept(self, connection_id: str) -> int:
        """Looks at profiles that are watched with one connection."""
        looks = select(func.count()).select_from(Snapshot)
        looks = looks.join(Watch, Watch.id == Snapshot.watch_id)
        return self._count(looks.where(Watch.connection_id == connection_id))

    def unended_jobs(self) -> int:
        """Jobs that go on."""
        return self._count(select(func.count()).select_from(Job).where(Job.ended_at.is_(None)))

    def unended_rows(self) -> list[str]:
        """Rows that are still to be looked up, and what each waits for."""
        now = 1000 * time.time()
        query = select(JobRow, Job.paused_until, Job.state).join(Job, Job.id == JobRow.job_id)

        def ahead(at: int | None) -> str:
            return "never" if at is None else f"in {(at - now) / 1000:.0f} s"

        return [
            f"{row.handle} of a job that is {row.state}: due {ahead(row.due_at)} after"
            f" {row.attempt} tries, its claim ends {ahead(row.lease_until)},"
            f" its job's pause {ahead(row.paused_until)}"
            for row in self._rows(query.where(JobRow.status == "pending"))
        ]

    def jobs(self) -> frozenset[str]:
        """Every job that is kept."""
        with reading(self._engine) as session:
            return frozenset(session.execute(select(Job.id)).scalars())

    def accounts(self, upstream: Upstream, in_flight: Counter[str]) -> list[Account]:
        """Of every connection that was charged, or says so."""
        charged: Counter[str] = Counter()
        for (connection, _), times in upstream.charged.items():
            charged[connection] += times * CREDITS_PER_LOOKUP
        booked, unsure, aside = self._usage()
        every = {*charged, *booked, *unsure, *aside}
        return [
            Account(
                connection=connection,
                charged=charged[connection],
                booked=booked[connection],
                unsure=unsure[connection],
                set_aside=aside[connection],
                in_flight=in_flight[connection] * CREDITS_PER_LOOKUP,
            )
            for connection in sorted(every)
        ]

    def _usage(self) -> tuple[Counter[str], Counter[str], Counter[str]]:
        booked: Counter[str] = Counter()
        unsure: Counter[str] = Counter()
        aside: Counter[str] = Counter()
        for row in self._rows(select(UsageDay.__table__)):
            if row.what == _SET_ASIDE:
                aside[row.connection_id] += row.credits
            else:
                booked[row.connection_id] += row.credits
                unsure[row.connection_id] += row.unsure
        return booked, unsure, aside

    def _rows(self, query: Any) -> Iterable[Any]:
        with reading(self._engine) as session:
            return session.execute(query).all()

    def _count(self, query: Any) -> int:
        with reading(self._engine) as session:
            return int(session.execute(query).scalar_one() or 0)

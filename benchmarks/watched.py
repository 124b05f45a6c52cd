"""A database full of watches, for measuring: as subscriptions leave it, with a portrait each."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert

from connector.adapters.crypto import FernetVault
from connector.adapters.store.tables import (
    Connection,
    SubscribedWatch,
    Subscription,
    Watch,
)
from connector.adapters.store.time import to_ms
from connector.databases import migrate
from connector.domain.portraits import seen
from connector.domain.rows import profile_row
from connector.domain.subscriptions import ACTIVE, Terms
from tests.watched import profile
from wire.database import writing

EACH = 50
INTERVAL_SECONDS = 900


def fill(engine: Engine, count: int, *, key: str, spread: timedelta) -> None:
    """`count` watches, fifty to a connection, due evenly from now until `spread` from now."""
    migrate(engine)
    now = datetime.now(UTC)
    portrait = _portrait(now)
    sealed = FernetVault([key]).seal("sk_bench")
    with writing(engine) as session:
        for start in range(0, count, 5000):
            numbers = range(start, min(start + 5000, count))
            owners = range(numbers.start // EACH, -(-numbers.stop // EACH))
            session.execute(insert(Connection), [_connection(n, sealed, now) for n in owners])
            session.execute(insert(Subscription), [_subscription(n, now) for n in owners])
            session.execute(
                insert(Watch), [_watch(n, portrait, now + spread * n / count) for n in numbers]
            )
            links = [{"subscription_id": f"s{n // EACH}", "watch_id": n + 1} for n in numbers]
            session.execute(insert(SubscribedWatch), links)
    with writing(engine) as session:
        # PostgreSQL does so by itself within a minute; before, it plans for tables that are empty.
        session.exec_driver_sql("ANALYZE")


def _connection(n: int, sealed: str, now: datetime) -> dict[str, Any]:
    return {"id": f"c{n}", "platform": "api", "sealed_key": sealed, "created_at": to_ms(now)}


def _subscription(n: int, now: datetime) -> dict[str, Any]:
    terms = Terms("new_video", {"handles": []})
    return {
        "id": f"s{n}",
        "connection_id": f"c{n}",
        "trigger": terms.trigger,
        "inputs": terms.text,
        "inputs_hash": terms.hash,
        "interval_seconds": INTERVAL_SECONDS,
        "target_url": "https://hooks.example.com/1",
        "state": ACTIVE,
        "created_at": to_ms(now),
    }


def _watch(n: int, portrait: str, due_at: datetime) -> dict[str, Any]:
    return {
        "id": n + 1,
        "connection_id": f"c{n // EACH}",
        "handle": f"h{n}",
        "interval_seconds": INTERVAL_SECONDS,
        "due_at": to_ms(due_at),
        "attempt": 0,
        "portrait": portrait.replace("bench", f"h{n}"),
    }


def _portrait(now: datetime) -> str:
    payload = profile("bench", videos=5, signature="x" * 80)
    row = profile_row(payload, handle="bench", request_source="API", fetched_at=now)
    return json.dumps(seen(None, row, now).to_json())

"""Everything that is kept for one API key, deleted: all of it, and nothing of anybody else's."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import ColumnElement, Engine, Table, event, insert, select, text

from connector.adapters.store import connections
from connector.adapters.store.connections import Connections
from connector.adapters.store.held import hold
from connector.adapters.store.idempotency import IdempotentRequests
from connector.adapters.store.tables import AuditLine, Base, Watch, Worker
from connector.adapters.store.tables import Delivery as DeliveryRow
from connector.adapters.store.tables import Event as EventRow
from connector.adapters.store.visits import KeptVisits
from connector.adapters.store.watched import WatchedProfiles
from connector.adapters.store.webhooks import Webhooks
from connector.domain.callers import Caller
from connector.domain.errors import BeingDeleted, InvalidApiKey, NotFound
from connector.domain.events import IN_CONSOLE
from connector.domain.idempotency import Attempt
from connector.domain.jobs import CALLBACK, distinct_rows
from connector.domain.subscriptions import Terms
from connector.domain.webhooks import CARRIER, Webhook
from connector.services.subscribing import terms_of
from schemas.webhooks import WebhookInput
from tests.integration.test_delivering import A, post_video, subscribe
from tests.integration.test_webhooks import fire
from tests.postgres import Reused
from tests.running import until
from tests.watched import LEASE, Watching, database, profile
from wire.database import reading, writing

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
NAMES = [f"name{n}" for n in range(11)]
TERMS = Terms(CARRIER, {"handles": []})
WEBHOOK = Webhook(
    id="w",
    connection_id="",
    name=None,
    mode="answer",
    callers_choose=False,
    handle_path=None,
    signature_style=None,
    signature_header=None,
    sealed_secret=None,
    subscription_id=None,
    daily_credits=1,
    requests_per_minute=1,
    created_at=NOW,
)
# Of nobody, or told of what is gone: by the id, which is no secret.
APART = (Worker.__table__, AuditLine.__table__)
TABLES = [table for table in Base.metadata.sorted_tables if table not in APART]


def belongs(table: Table, connection_id: str) -> ColumnElement[bool]:
    """How to tell whose a row is: by its own word, or by the one that it depends on."""
    if table.name == "connections":
        return table.c.id == connection_id
    if "connection_id" in table.c:
        return table.c.connection_id == connection_id
    key = next(iter(table.foreign_keys))
    parent = key.column.table
    return key.parent.in_(select(key.column).where(belongs(parent, connection_id)))


def kept_for(engine: Engine, caller: Caller) -> dict[str, list[Any]]:
    """Every row of every table that belongs to a connection."""
    with reading(engine) as session:
        return {
            table.name: session.execute(
                select(table).where(belongs(table, caller.connection)).order_by(*table.primary_key)
            ).all()
            for table in TABLES
        }


def fill(watching: Watching, engine: Engine, api_key: str) -> dict[str, Any]:
    """Rows in every table; a webhook of it."""
    caller = watching.caller(api_key)
    subscribe(watching, f"{A}/{api_key}", api_key=api_key)
    post_video(watching)
    watching.deliver()
    watching.jobs.look_up([f"x{n}" for n in range(20)], caller, max_age_seconds=0)
    made = watching.webhooks.create(WebhookInput().load({}), caller)
    fire(watching, made)
    now = watching.clock.now()
    KeptVisits(engine).add(
        api_key, caller.connection, "sealed x", now, until=now + timedelta(days=1), at_most=9
    )
    attempt = Attempt.of(api_key, "k", b"", connection_id=caller.connection)
    IdempotentRequests(engine).claim(attempt, now, lease=LEASE)
    return made


def deleted(watching: Watching) -> Any:
    """Whether all that was kept for the first key is gone, now that it asks."""
    return watching.deleting.delete(watching.caller())["deleted"]


def until_it_waits(engine: Engine) -> None:
    """For a lock, on PostgreSQL; on SQLite nobody can tell."""

    def waits() -> bool:
        with reading(engine) as session:
            return bool(session.execute(text("SELECT 1 FROM pg_locks WHERE NOT granted")).all())

    if engine.dialect.name == "postgresql":
        until(waits)


MAKERS: dict[str, Callable[[Watching, Engine, str], object]] = {
    "subscription": lambda watching, _, connection_id: watching.stores.subscriptions.subscribe(
        connection_id, TERMS, interval_seconds=9, due_at=[], now=watching.clock.now()
    ),
    "watch": lambda watching, engine, connection_id: WatchedProfiles(engine).watch(
        connection_id, terms_of(IN_CONSOLE, {"handles": ["ada"]}), interval_seconds=9, now=NOW
    ),
    "job": lambda watching, _, connection_id: watching.jobs.start(
        distinct_rows(["ada"]), connection_id, max_age_seconds=0
    ),
    "webhook": lambda watching, engine, connection_id: Webhooks(engine).add(
        replace(WEBHOOK, connection_id=connection_id), "hash"
    ),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_nothing_is_made_for_what_is_being_deleted_or_gone(
    watching: Watching, engine: Engine, maker: str
) -> None:
    """Somebody may have begun before; the sentence says what to do, and no fault is logged."""
    subscribe(watching)
    connection_id = watching.caller().connection
    watching.deleting.begin(connection_id, "zapier")
    with pytest.raises(BeingDeleted):
        MAKERS[maker](watching, engine, connection_id)
    while watching.deleting.piece(connection_id) is not None:
        pass
    with pytest.raises(BeingDeleted):
        MAKERS[maker](watching, engine, connection_id)
    assert not any(kept_for(engine, watching.caller()).values())


def test_all_of_it_goes_and_nothing_of_others(watching: Watching, engine: Engine) -> None:
    """Also while workers are in the middle of it: what they bring comes to nothing, without a fault."""
    mine, theirs = watching.caller("sk_a"), watching.caller("sk_b")
    webhook = fill(watching, engine, "sk_a")
    fill(watching, engine, "sk_b")
    assert [name for name, rows in kept_for(engine, mine).items() if not rows] == []
    others = kept_for(engine, theirs)
    watching.clock.move(minutes=16)
    watching.hooks.replay(int(watching.hooks.on_their_way(None, mine)[-1]["id"]), mine)
    (look,) = [
        w
        for w in watching.stores.watches.claim_due(watching.clock.now(), lease=LEASE, limit=9)
        if w.connection_id == mine.connection
    ]
    delivery = watching.claim()[0]
    tasks = watching.stores.jobs.claim_due(watching.clock.now(), lease=LEASE, limit=99)
    others = kept_for(engine, theirs)

    assert deleted(watching) is False
    assert deleted(watching) is False
    assert not kept_for(engine, mine)["events"]
    assert [
        w
        for w in watching.stores.watches.claim_due(watching.clock.now(), lease=LEASE, limit=9)
        if w.connection_id == mine.connection
    ] == []
    with pytest.raises(BeingDeleted):
        subscribe(watching)
    with pytest.raises(NotFound):
        fire(watching, webhook)

    watching.profiles.answers["ada"] = profile(videos=9)
    watching.watcher.look(look)
    watching.courier.deliver(delivery)
    for task in (t for t in tasks if t.job_id):
        watching.batcher.look(task)
    watching.meter.flush()
    others = kept_for(engine, theirs)
    watching.forgetting.run()
    assert [name for name, rows in kept_for(engine, mine).items() if rows] == []
    assert kept_for(engine, theirs) == others
    assert deleted(watching) is True
    watching.profiles.bad_keys["sk_a"] = InvalidApiKey()
    with pytest.raises(InvalidApiKey):
        deleted(watching)
    assert Connections(engine).being_deleted() == []


def test_key_that_was_only_looked_up_with_leaves_nothing(
    watching: Watching, engine: Engine
) -> None:
    """What was saved is written now and then, and comes too late; afterwards it can begin anew."""
    caller = watching.caller()
    watching.profiles.answers["ada"] = profile()
    for _ in range(3):
        watching.lookups.fetch("ada", caller, max_age_seconds=60, what="get_profile")
    assert deleted(watching) is True
    watching.meter.flush()
    assert not any(kept_for(engine, caller).values())
    assert subscribe(watching)["secret"]


def both_at_once(watching: Watching, engine: Engine) -> list[int]:
    """What is deleted by somebody, and by somebody else who comes before that is kept."""
    of = {"of": watching.caller().connection, "now": 0}
    with ThreadPoolExecutor(1) as pool:
        with writing(engine) as session:
            events = next(p for p in connections._PIECES if "DELETE FROM events" in str(p))
            first = connections._rows(events, of, session)
            second = pool.submit(watching.deleting.piece, of["of"])
            until_it_waits(engine)
        return [first, second.result()]


def test_no_piece_is_large_and_any_may_be_the_last(watching: Watching, engine: Engine) -> None:
    """A process that ends in the middle leaves the rest to whoever asks again, or to a worker."""
    made = subscribe(watching)
    many = 5 * connections.PIECE
    rows = [
        {"subscription_id": made["id"], "event_id": str(n), "body": "{}", "created_at": 0}
        for n in range(many)
    ]
    with writing(engine) as session:
        session.execute(insert(EventRow), rows)
        found = session.execute(select(EventRow.sequence)).scalars().all()
        delivery = {"subscription_id": made["id"], "webhook_id": "m", "state": "dead"}
        times = {"due_at": 0, "attempt": 10, "updated_at": 0}
        session.execute(insert(DeliveryRow), [{"sequence": n, **delivery, **times} for n in found])
    caller = watching.caller()
    assert watching.deleting.begin(caller.connection, "zapier")
    pieces = []
    while (done := watching.deleting.piece(caller.connection)) is not None:
        pieces.append(done)
        if len(pieces) == 2:
            watching.deleting = replace(watching.deleting, store=Connections(engine))
        if len(pieces) == 3:
            pieces += both_at_once(watching, engine)
    assert sum(pieces) >= many
    assert max(pieces) == connections.PIECE
    assert pieces[:6] == [1, *[connections.PIECE] * 5]
    assert not any(kept_for(engine, caller).values())


def test_key_that_nothing_needs_is_forgotten(watching: Watching, engine: Engine) -> None:
    """Once its last subscription is ended and what it spent counts no more; visits likewise."""
    caller = watching.caller()
    made = subscribe(watching)
    post_video(watching)
    now = watching.clock.now()
    KeptVisits(engine).add(
        "v", caller.connection, "sealed x", now, until=now + timedelta(hours=1), at_most=9
    )
    watching.clock.move(days=4)
    watching.forgetting.run()
    assert kept_for(engine, caller)["connections"]
    assert not kept_for(engine, caller)["visits"]
    assert not kept_for(engine, caller)["credit_days"]
    watching.hooks.unsubscribe(made["id"], caller)
    watching.forgetting.run()
    assert not kept_for(engine, caller)["connections"]


@pytest.mark.parametrize("trigger", [CALLBACK, CARRIER])
def test_what_a_process_left_half_made_keeps_no_key(
    watching: Watching, engine: Engine, trigger: str
) -> None:
    """It died before it made the job or the webhook; those that are whole stay."""
    caller, other = watching.caller(), watching.caller("sk_b")
    watching.jobs.look_up(NAMES, other, max_age_seconds=60, callback_url=A)
    watching.webhooks.create(WebhookInput().load({"target_url": A, "mode": "forward"}), other)
    whole = kept_for(engine, other)
    watching.subscribing.subscribe(
        Terms(trigger, {"handles": []}), caller, target_url=A, secret="whsec_x"
    )
    watching.clock.move(days=1)
    watching.forgetting.run()
    assert kept_for(engine, caller)["subscriptions"]
    watching.clock.move(days=2)
    watching.forgetting.run()
    assert not any(kept_for(engine, caller).values())
    assert kept_for(engine, other) == whole


def test_search_for_what_is_left_reads_each_table_once(migrated_database: Reused) -> None:
    """Not once for each subscription: with many, PostgreSQL would be at it for hours."""
    asked: list[tuple[Any, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        if statement.startswith("SELECT subscriptions.id"):
            asked.append((statement, values))

    with migrated_database.database() as url, database(url) as engine:
        event.listen(engine, "before_cursor_execute", note)
        Connections(engine).forget_idle(NOW, NOW, limit=9)
        with engine.connect() as session:
            plans = [
                "\n".join(session.exec_driver_sql(f"EXPLAIN {statement}", values).scalars())
                for statement, values in [*asked]
            ]
    assert len(plans) == 2
    assert all("Anti Join" in plan and "SubPlan" not in plan for plan in plans)


def test_key_that_comes_back_keeps_what_it_makes(watching: Watching, engine: Engine) -> None:
    """Whoever else was at the deletion, and looks again late, leaves alone what is new."""
    subscribe(watching)
    caller = watching.caller()
    assert watching.deleting.begin(caller.connection, "zapier")
    assert watching.deleting.piece(caller.connection)
    assert deleted(watching) is True
    subscribe(watching)
    kept = kept_for(engine, caller)
    assert watching.deleting.piece(caller.connection) is None
    assert kept_for(engine, caller) == kept


def test_idle_key_is_not_forgotten_with_what_is_just_made(
    watching: Watching, engine: Engine
) -> None:
    """Whoever began first has it, though it is kept only after the other has looked."""
    caller = watching.caller()
    watching.subscribing.connect(caller)
    later = watching.clock.now() + timedelta(days=3)
    new = {"handle": "ada", "interval_seconds": 9, "due_at": 0, "attempt": 0}

    with ThreadPoolExecutor(1) as pool:
        with writing(engine) as session:
            hold(session, caller.connection)
            session.execute(insert(Watch).values(connection_id=caller.connection, **new))
            ends = pool.submit(Connections(engine).forget_idle, later, later, limit=9)
            until_it_waits(engine)
        ends.result()
    assert kept_for(engine, caller)["watches"]


def test_deletion_ends_while_the_key_is_in_use(watching: Watching, engine: Engine) -> None:
    """What is looked up since it began goes with the last piece, however much follows."""
    subscribe(watching)
    caller = watching.caller()
    assert watching.deleting.begin(caller.connection, "zapier")
    for number in range(20):
        watching.clock.move(seconds=1)
        handle = f"p{number}"
        watching.profiles.answers[handle] = profile()
        watching.lookups.fetch(handle, caller, max_age_seconds=60, what="get_profile")
        attempt = Attempt.of("x", handle, b"", connection_id=caller.connection)
        IdempotentRequests(engine).claim(attempt, watching.clock.now(), lease=LEASE)
        if watching.deleting.piece(caller.connection) is None:
            break
    assert not any(kept_for(engine, caller).values())

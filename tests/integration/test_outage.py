"""A database that is gone is no fault of the connector: what callers and pages are told then."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, event, select, text
from sqlalchemy.exc import OperationalError
from werkzeug.test import Client, TestResponse

from connector import bootstrap
from connector.adapters.crypto import new_encryption_key
from connector.adapters.store.audit import AuditLog
from connector.adapters.store.tables import IdempotentRequest
from connector.databases import migrate
from connector.domain.idempotency import REMEMBERED
from connector.web.console.session import VISIT
from profile_api.keys import TEST_KEY
from profile_api.store import Store
from tests.postgres import new_cluster, restarted
from tests.watched import database
from wire.database import reading, writing


def product(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The whole of it on the test's own engine, which ends with the test."""
    monkeypatch.setattr(bootstrap, "open_database", lambda _settings: engine)
    settings = {"CONNECTOR_ENCRYPTION_KEYS": new_encryption_key(), "LOG_LEVEL": "ERROR"}
    return Client(bootstrap.build(settings))


def looked_up(client: Client) -> tuple[int, str | None]:
    address = "/zapier/searches/find_profile?handle=stoolpresidente"
    answer = client.get(address, headers={"X-API-Key": TEST_KEY})
    return answer.status_code, None if answer.status_code == 200 else answer.json["error_code"]


def test_database_that_is_not_migrated_is_awaited(
    new_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a restart; a page says so, too."""
    client = product(new_engine, monkeypatch)
    assert looked_up(client) == (503, "unavailable")
    client.set_cookie(VISIT, "of somebody", path="/console")
    page = client.get("/console/jobs")
    assert page.status_code == 503
    assert "database just now" in page.text
    migrate(new_engine)
    assert looked_up(client) == (200, None)


def test_database_that_stops_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with new_cluster() as cluster, database(cluster.server.url("postgres")) as engine:
        with restarted(cluster):
            migrate(engine)
            client = product(engine, monkeypatch)
            assert looked_up(client) == (200, None)
        caplog.clear()
        assert looked_up(client) == (503, "unavailable")
        with restarted(cluster):
            assert looked_up(client) == (200, None)
    (line,) = (one for one in caplog.records if one.levelno >= logging.ERROR)
    assert "database" in line.getMessage()
    assert line.exc_info is None


def test_statement_that_is_wrong_is_still_a_fault(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the database is well, what it refuses is ours to mend."""
    client = product(engine, monkeypatch)
    with writing(engine) as session:
        session.execute(text("ALTER TABLE lookups RENAME TO elsewhere"))
    assert looked_up(client) == (500, "internal_error")


CHARGED = "INSERT INTO api_requests"
CHANGED = "INSERT INTO audit_log"
LAST_OF_A_SUBSCRIPTION = "UPDATE watches SET interval_seconds"


class Outage:
    """Statements on `tables` fail: at once, or as soon as one that is `after`; until it is over."""

    def __init__(
        self, engine: Engine, *tables: str, at_once: bool = False, after: str = CHARGED
    ) -> None:
        self.tables = tables
        self.begun = at_once
        self.after = after
        event.listen(engine, "before_cursor_execute", self.before)

    def before(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if self.begun and any(table in statement for table in self.tables):
            raise OperationalError(statement, {}, Exception("The database is gone."))
        self.begun = self.begun or self.after in statement

    def over(self) -> None:
        self.tables = ()


def post(client: Client, path: str, **body: object) -> TestResponse:
    return send(client, path, {"max_age_seconds": 0, **body}, "row-1")


def send(client: Client, path: str, body: Mapping[str, object], key: str) -> TestResponse:
    headers = {"X-API-Key": TEST_KEY, "Idempotency-Key": key}
    return client.post(f"/zapier/{path}", json=body, headers=headers)


def credits_left(engine: Engine, client: Client) -> int:
    client.get("/zapier/me", headers={"X-API-Key": TEST_KEY})
    (key,) = Store(engine).list_keys()
    left: int = key.credits
    return left


UNIVERSAL = {"url": "/api/v1/get-tiktok-profile", "body": {"handle": "stoolpresidente"}}


@pytest.mark.parametrize(
    ("path", "asked", "lost"),
    [
        ("actions/get_profile", {"handle": "stoolpresidente"}, "idempotent_requests"),
        ("request", UNIVERSAL, "usage_days"),
    ],
    ids=["its answer", "its price"],
)
def test_what_was_paid_for_is_answered_and_not_paid_again(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    asked: dict[str, object],
    lost: str,
) -> None:
    """Though it can't be kept: who sends it again gets the answer, or waits."""
    client = product(engine, monkeypatch)
    before = credits_left(engine, client)
    outage = Outage(engine, lost)
    assert post(client, path, **asked).status_code == 200
    outage.over()
    assert post(client, path, **asked).status_code in (200, 409)
    assert before - credits_left(engine, client) == 2


def test_outage_before_anything_is_asked_frees_the_key(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was paid: it is done as soon as the database is there again."""
    client = product(engine, monkeypatch)
    outage = Outage(engine, "lookups", at_once=True)
    asked = {"handle": "stoolpresidente", "max_age_seconds": 60}
    assert post(client, "actions/get_profile", **asked).status_code == 503
    outage.over()
    assert post(client, "actions/get_profile", **asked).status_code == 200


def test_outage_after_it_was_paid_is_answered_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second batch would pay for every row again; the first is in the list of jobs."""
    client = product(engine, monkeypatch)
    before = credits_left(engine, client)
    outage = Outage(engine, "job_rows")
    assert post(client, "actions/get_profiles", handles=["stoolpresidente"]).status_code == 503
    outage.over()
    again = post(client, "actions/get_profiles", handles=["stoolpresidente"])
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (503, "true")
    assert before - credits_left(engine, client) == 2


def hook(handle: str) -> dict[str, object]:
    return {"trigger": "new_video", "target_url": "https://example.com/r", "handles": [handle]}


def changes(engine: Engine) -> list[str]:
    """Newest first."""
    lines = AuditLog(engine).lines(since=None, connection_id=None, limit=100)
    return [line.what for line in lines]


def test_outage_after_something_was_made_does_not_make_it_twice(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every event would be sent twice, and a second new secret drops the one that receivers have."""
    client = product(engine, monkeypatch)
    hook_id = send(client, "hooks", hook("stoolpresidente"), "1").json["id"]
    webhook_id = send(client, "webhooks", {}, "2").json["id"]
    asked = {
        "hooks": hook("khaby.lame"),
        "webhooks": {},
        f"hooks/{hook_id}/rotate": {},
        f"webhooks/{webhook_id}/rotate": {},
    }
    for path, body in asked.items():
        outage = Outage(
            engine, "SELECT", after=LAST_OF_A_SUBSCRIPTION if path == "hooks" else CHANGED
        )
        known = changes(engine)
        assert send(client, path, body, path).status_code == 503
        outage.over()
        again = send(client, path, body, path)
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (503, "true")
        assert len(changes(engine)) == len(known) + 1


def test_outage_before_something_is_made_frees_the_key(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its line in the audit log is written, and dropped with the rest."""
    client = product(engine, monkeypatch)
    outage = Outage(engine, "INSERT INTO subscribed_watches", at_once=True)
    assert send(client, "hooks", hook("stoolpresidente"), "1").status_code == 503
    outage.over()
    assert send(client, "hooks", hook("stoolpresidente"), "1").status_code == 201
    assert changes(engine) == ["subscription.created", "key.kept"]


class LostAnswer:
    """The commit of the first transaction that carries out `statement` is done, and nobody hears of it."""

    def __init__(self, engine: Engine, statement: str) -> None:
        self.statement = statement
        event.listen(engine, "before_cursor_execute", self.before)

    def before(self, connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if self.statement and self.statement in statement:
            self.statement = ""
            event.listen(connection, "commit", self.lose)

    def lose(self, connection: Connection) -> None:
        connection.exec_driver_sql("COMMIT")
        raise OperationalError("COMMIT", {}, Exception("The database is gone."))


def forwarding(client: Client) -> str:
    """The path of a new webhook that sends on what it finds."""
    made = send(client, "webhooks", {"mode": "forward", "target_url": "https://example.com/w"}, "w")
    return f"/webhooks/{made.json['url'].rpartition('/')[2]}"


def fire(client: Client, path: str) -> TestResponse:
    asked = {"handle": "stoolpresidente"}
    return client.post(path, json=asked, headers={"Idempotency-Key": "message-1"})


def count(engine: Engine, table: str) -> int:
    with reading(engine) as session:
        counted: int = session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
    return counted


@pytest.mark.parametrize(
    ("what", "statement", "table"),
    [
        ("batch", "INSERT INTO job_rows", "jobs"),
        ("webhook", "INSERT INTO deliveries", "deliveries"),
        ("test", "INSERT INTO deliveries", "deliveries"),
        ("subscription", "INSERT INTO subscribed_watches", "subscriptions"),
    ],
)
def test_commit_whose_answer_is_lost_is_not_done_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, what: str, statement: str, table: str
) -> None:
    """It may have been carried out: a second batch is paid again, a second event told again."""
    client = product(engine, monkeypatch)
    webhook = forwarding(client)
    hook_id = send(client, "hooks", hook("stoolpresidente"), "h").json["id"]
    asked = {
        "batch": lambda: post(client, "actions/get_profiles", handles=["stoolpresidente"]),
        "webhook": lambda: fire(client, webhook),
        "test": lambda: send(client, f"hooks/{hook_id}/test", {}, "t"),
        "subscription": lambda: send(client, "hooks", hook("khaby.lame"), "s"),
    }[what]
    known = count(engine, table)
    LostAnswer(engine, statement)
    assert asked().status_code == 503
    again = asked()
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (503, "true")
    assert count(engine, table) == known + 1


def test_key_is_held_for_a_day_where_no_answer_can_be_kept(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the outage lasts: what was made is not made again by the same key."""
    client = product(engine, monkeypatch)
    Outage(engine, "SET status", at_once=True)
    assert send(client, "hooks", hook("stoolpresidente"), "1").status_code == 201
    assert send(client, "hooks", hook("stoolpresidente"), "1").status_code == 409
    with reading(engine) as session:
        (row,) = session.execute(select(IdempotentRequest.__table__))
    assert row.status is None
    assert row.lease_until - row.created_at == REMEMBERED / timedelta(milliseconds=1)


def test_event_that_could_not_be_kept_is_sent_on_when_it_comes_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sender repeats it by the same id, and has it for what was paid."""
    client = product(engine, monkeypatch)
    path, before = forwarding(client), credits_left(engine, client)
    outage = Outage(engine, "INSERT INTO events", at_once=True)
    assert fire(client, path).status_code == 503
    outage.over()
    assert fire(client, path).status_code == 202
    assert fire(client, path).headers["Idempotent-Replayed"] == "true"
    assert count(engine, "deliveries") == 1
    assert before - credits_left(engine, client) == 2

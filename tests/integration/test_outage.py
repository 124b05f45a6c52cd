"""A database that is gone is no fault of the connector: what callers and pages are told then."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError
from werkzeug.test import Client, TestResponse

from connector import bootstrap
from connector.adapters.crypto import new_encryption_key
from connector.adapters.store.audit import AuditLog
from connector.databases import migrate
from connector.web.console.session import VISIT
from profile_api.keys import TEST_KEY
from profile_api.store import Store
from tests.postgres import new_cluster, restarted
from wire.database import open_engine, writing


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
    with new_cluster() as cluster:
        engine = open_engine(cluster.server.url("postgres"))
        with restarted(cluster):
            migrate(engine)
            client = product(engine, monkeypatch)
            assert looked_up(client) == (200, None)
        caplog.clear()
        assert looked_up(client) == (503, "unavailable")
        with restarted(cluster):
            assert looked_up(client) == (200, None)
        engine.dispose()
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
        outage = Outage(engine, "SELECT", after=CHANGED)
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

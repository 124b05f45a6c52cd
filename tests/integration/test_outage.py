"""A database that is gone is no fault of the connector: what callers and pages are told then."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError
from werkzeug.test import Client, TestResponse

from connector import bootstrap
from connector.adapters.crypto import new_encryption_key
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


class Outage:
    """Statements on `tables` fail: at once, or as soon as the endpoint has charged; until it is over."""

    def __init__(self, engine: Engine, *tables: str, at_once: bool = False) -> None:
        self.tables = tables
        self.begun = at_once
        event.listen(engine, "before_cursor_execute", self.before)

    def before(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if self.begun and any(table in statement for table in self.tables):
            raise OperationalError(statement, {}, Exception("The database is gone."))
        self.begun = self.begun or "INSERT INTO api_requests" in statement

    def over(self) -> None:
        self.tables = ()


def post(client: Client, path: str, **body: object) -> TestResponse:
    headers = {"X-API-Key": TEST_KEY, "Idempotency-Key": "row-1"}
    return client.post(f"/zapier/{path}", json={"max_age_seconds": 0, **body}, headers=headers)


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

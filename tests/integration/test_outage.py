"""A database that is gone is no fault of the connector: what callers and pages are told then."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import Engine, text
from werkzeug.test import Client

from connector import bootstrap
from connector.adapters.crypto import new_encryption_key
from connector.adapters.store.migrate import MIGRATIONS
from connector.web.console.session import VISIT
from profile_api.keys import TEST_KEY
from profile_api.migrate import MIGRATIONS as ENDPOINT_TABLES
from tests.postgres import new_cluster, restarted
from wire.database import open_engine, writing


def product(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The whole of it on the test's own engine, which ends with the test."""
    monkeypatch.setattr(bootstrap, "open_database", lambda _settings: engine)
    settings = {"CONNECTOR_ENCRYPTION_KEYS": new_encryption_key(), "LOG_LEVEL": "ERROR"}
    return Client(bootstrap.build(settings))


def migrate(engine: Engine) -> None:
    for tables in (ENDPOINT_TABLES, MIGRATIONS):
        tables.up(engine)


def looked_up(client: Client) -> tuple[int, str | None]:
    address = "/zapier/searches/find_profile?handle=stoolpresidente"
    answer = client.get(address, headers={"X-API-Key": TEST_KEY})
    return answer.status_code, None if answer.status_code == 200 else answer.json["error_code"]


def test_database_that_is_not_migrated_is_awaited(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a restart; a page says so, too."""
    client = product(engine, monkeypatch)
    assert looked_up(client) == (503, "unavailable")
    client.set_cookie(VISIT, "of somebody", path="/console")
    page = client.get("/console/jobs")
    assert page.status_code == 503
    assert "database just now" in page.text
    migrate(engine)
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
    migrate(engine)
    client = product(engine, monkeypatch)
    with writing(engine) as session:
        session.execute(text("ALTER TABLE lookups RENAME TO elsewhere"))
    assert looked_up(client) == (500, "internal_error")

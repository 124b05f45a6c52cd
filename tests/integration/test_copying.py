"""From SQLite to PostgreSQL: everything is there afterwards, goes on, and is numbered on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from connector.adapters.crypto import FernetVault, new_encryption_key
from connector.adapters.store.migrate import MIGRATIONS as CONNECTOR_TABLES
from connector.adapters.store.migrate import VERSION_TABLE
from connector.adapters.store.tables import Base as ConnectorBase
from profile_api.migrate import MIGRATIONS as ENDPOINT_TABLES
from profile_api.store import Store
from profile_api.tables import Base as EndpointBase
from schemas.webhooks import WebhookInput
from tests.integration.test_commands import run
from tests.integration.test_delivering import FAILED, A, post_video, subscribe
from tests.integration.test_webhooks import fire
from tests.postgres import Postgres
from tests.running import ROOT, clean_environment
from tests.watched import Watching, database, profile
from wire.database import writing

NOW = datetime(2026, 11, 24, tzinfo=UTC)
KEY = new_encryption_key()


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Watching]:
    """A subscription with events, of which the newest are deleted, and an API key of the endpoint."""
    with database(f"sqlite:///{tmp_path}/old.db", new=True) as engine:
        watching = seal(Watching(engine))
        Store(engine).create_key("sk_x", name="Ada 🎈", credits=7, now=NOW)
        subscribe(watching)
        post_video(watching, videos=4)
        gone = subscribe(watching)
        watching.clock.move(minutes=16)
        watching.profiles.answers["ada"] = profile(videos=6)
        watching.look()
        watching.hooks.unsubscribe(gone["id"], watching.caller())
        watching.jobs.look_up(
            [f"ada,x{n}" for n in range(20)], watching.caller(), max_age_seconds=0
        )
        made = watching.webhooks.create(WebhookInput().load({}), watching.caller())
        fire(watching, made)
        watching.receivers.answers[A] = FAILED
        for claimed in watching.claim(limit=1):
            watching.courier.deliver(claimed)
        yield watching


@pytest.fixture
def new(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as url:
        yield url


def seal(watching: Watching) -> Watching:
    vault = FernetVault([KEY])
    watching.vault.seal, watching.vault.open = vault.seal, vault.open
    return watching


def copy(
    tmp_path: Path, url: str, name: str = "old.db", key: str = KEY
) -> subprocess.CompletedProcess[str]:
    source = f"sqlite:///{tmp_path}/{name}"
    return subprocess.run(
        [sys.executable, "-m", "connector", "copy-database", "--from", source],
        cwd=ROOT,
        env=clean_environment(DATABASE_URL=url, CONNECTOR_ENCRYPTION_KEYS=key),
        capture_output=True,
        text=True,
        check=False,
    )


def rows_of(engine: Engine) -> dict[str, list[Any]]:
    """Every row of every table."""
    tables = [*EndpointBase.metadata.sorted_tables, *ConnectorBase.metadata.sorted_tables]
    with engine.connect() as connection:
        return {
            table.name: [
                tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))
            ]
            for table in tables
        }


def test_everything_is_copied_and_goes_on(tmp_path: Path, old: Watching, new: str) -> None:
    """Row for row; what was on its way is delivered, and new events count on from the highest ever."""
    result = copy(tmp_path, new)
    assert result.returncode == 0, result.stderr
    with database(f"sqlite:///{tmp_path}/old.db") as engine, database(new) as other:
        kept = rows_of(engine)
        assert rows_of(other) == kept
        empty = ["api_requests", "idempotent_requests", "visits", "workers"]
        assert [name for name, rows in kept.items() if not rows] == empty
        assert f"{sum(map(len, kept.values()))} rows were copied" in result.stdout
        watching = seal(Watching(other))
        watching.clock.time = old.clock.time
        highest_left = max(one.body["event_sequence"] for one in watching.deliver())
        watching.profiles.answers["ada"] = profile(videos=7)
        watching.clock.move(minutes=20)
        watching.look()
        (again, sent) = watching.deliver()
        assert again.body["event_sequence"] < highest_left
        assert sent.body["event_sequence"] > highest_left + 1
        Store(other).create_key("sk_y", name="y", credits=1, now=NOW)


def test_second_copy_is_refused(tmp_path: Path, old: Watching, new: str) -> None:
    """Nothing is mixed with what is there."""
    assert copy(tmp_path, new).returncode == 0
    with database(new) as other:
        before = rows_of(other)
        result = copy(tmp_path, new)
        assert result.returncode == 1
        assert "holds rows already (in api_keys)" in result.stderr
        assert rows_of(other) == before


def test_copy_that_fails_keeps_nothing(tmp_path: Path, old: Watching, new: str) -> None:
    """PostgreSQL is stricter; somewhere in the middle, it refuses a row."""
    with database(f"sqlite:///{tmp_path}/old.db") as engine, writing(engine) as session:
        session.exec_driver_sql("UPDATE deliveries SET state = 'longer than it may be'")
    result = copy(tmp_path, new)
    assert result.returncode == 1
    assert "value too long" in result.stderr
    assert "Traceback" not in result.stderr
    with database(new) as other:
        assert set(map(len, rows_of(other).values())) == {0}


def test_copy_needs_the_key_that_opens_what_is_copied(
    tmp_path: Path, old: Watching, new: str
) -> None:
    """Found out later, everybody would have to connect again."""
    result = copy(tmp_path, new, key=new_encryption_key())
    assert result.returncode == 1
    assert "CONNECTOR_ENCRYPTION_KEYS is wrong: it doesn't open" in result.stderr


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Engine]:
    """A database with nothing in it."""
    with database(f"sqlite:///{tmp_path}/old.db") as engine:
        ENDPOINT_TABLES.up(engine)
        CONNECTOR_TABLES.up(engine)
        yield engine


def test_what_a_newer_version_keeps_is_not_left_behind(tmp_path: Path, small: Engine) -> None:
    """This one knows nothing of tables that were added since."""
    with writing(small) as session:
        session.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    new = tmp_path / "new.db"
    result = run(f"copy-database --from {small.url}", DATABASE_URL=f"sqlite:///{new}")
    assert result.exit_code == 1
    assert "by a newer version of the connector" in result.stderr
    assert not new.exists()


def test_folder_of_the_new_file_is_made(tmp_path: Path, small: Engine) -> None:
    """Also where a key is to be beside it."""
    new = f"sqlite:///{tmp_path}/new/folder/new.db"
    result = run(f"copy-database --from {small.url}", DATABASE_URL=new)
    assert (result.exit_code, result.stdout) == (0, "0 rows were copied.\n")


def test_missing_source_is_told_and_not_made(tmp_path: Path, new: str) -> None:
    result = copy(tmp_path, new, name="missing.db")
    assert result.returncode == 1
    assert f"There is no file {tmp_path}/missing.db" in result.stderr
    assert "--from" in result.stderr
    assert not (tmp_path / "missing.db").exists()

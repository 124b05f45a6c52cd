"""The database under the endpoint: its shape over time, and an operator's commands."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, MetaData, inspect

from connector.adapters.crypto import FernetVault, key_beside, new_encryption_key
from connector.adapters.store.migrate import MIGRATIONS as CONNECTOR_TABLES
from connector.adapters.store.tables import Base as ConnectorBase
from connector.domain.errors import Unreadable
from profile_api.migrate import MIGRATIONS
from profile_api.store import Store
from profile_api.tables import Base
from tests.integration.test_commands import run as told
from tests.running import ROOT, clean_environment
from wire.database import open_engine
from wire.migrations import Migrations

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("migrations", "tables"),
    [(MIGRATIONS, Base.metadata), (CONNECTOR_TABLES, ConnectorBase.metadata)],
    ids=["endpoint", "connector"],
)
def test_migrations_make_what_the_code_expects(
    new_engine: Engine, migrations: Migrations, tables: MetaData
) -> None:
    migrations.up(new_engine)
    migrations.up(new_engine)
    with new_engine.connect() as connection:
        opts = {"version_table": migrations.version_table}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, tables) == []


def test_migrations_go_back(new_engine: Engine) -> None:
    MIGRATIONS.up(new_engine)
    Store(new_engine).create_key("sk_x", name="x", credits=1, now=NOW)
    MIGRATIONS.down(new_engine, "base")
    assert set(inspect(new_engine).get_table_names()) <= {"profile_api_version"}
    MIGRATIONS.up(new_engine)
    assert Store(new_engine).list_keys() == []


def test_missing_migration_is_told_from_a_missing_database(new_engine: Engine) -> None:
    assert "not migrated" in (MIGRATIONS.problem(new_engine) or "")
    MIGRATIONS.up(new_engine)
    assert MIGRATIONS.problem(new_engine) is None
    broken = open_engine(new_engine.url.set(database="/no/such/place").render_as_string(False))
    assert "can't be reached" in (MIGRATIONS.problem(broken) or "")


def test_charge_and_its_log_line_are_one(engine: Engine) -> None:
    """A charge that can't be logged is not made."""
    store = Store(engine)
    key_id = store.create_key("sk_x", name="x", credits=4, now=NOW)
    assert key_id is not None
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE api_requests RENAME TO gone")
    with pytest.raises(Exception, match="api_requests"):
        store.charge(key_id, request_source="API", handle="x", now=NOW)
    assert store.list_keys()[0].credits == 4


def test_change_of_a_key_and_its_line_are_one(engine: Engine) -> None:
    """Made, topped up, switched: each is told; a change that can't be told is not made."""
    store = Store(engine)
    key_id = store.create_key("sk_x", name="x", credits=4, now=NOW)
    assert key_id is not None
    store.top_up(key_id, 5, now=NOW)
    store.set_active(key_id, active=False, now=NOW)
    told = [(line.key_id, line.what, line.credits) for line in store.changes(9)]
    assert told[::-1][-3:] == [
        (key_id, "created", 4),
        (key_id, "topped_up", 5),
        (key_id, "deactivated", None),
    ]
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE key_changes RENAME TO gone")
    for change in (
        lambda: store.create_key("sk_y", name="y", credits=1, now=NOW),
        lambda: store.top_up(key_id, 5, now=NOW),
        lambda: store.set_active(key_id, active=True, now=NOW),
    ):
        with pytest.raises(Exception, match="key_changes"):
            change()
    ((found,), kept) = ([r for r in store.list_keys() if r.id == key_id], len(store.list_keys()))
    assert (found.credits, found.active, kept) == (9, False, 1)


def test_old_lines_of_the_request_log_go_a_few_at_a_time(engine: Engine) -> None:
    store = Store(engine)
    store.create_key("sk_x", name="x", credits=4, now=NOW)
    for days in (0, 1, 2, 3):
        at = NOW + timedelta(days=days)
        store.log_failure(1, request_source="API", handle="x", status=404, now=at)
    later = NOW + timedelta(days=3)
    assert [store.forget_requests(later, limit=2) for _ in range(3)] == [2, 1, 0]
    assert [line.at for line in store.latest_requests(9)] == [later.timestamp()]


def test_same_key_is_stored_once(engine: Engine) -> None:
    store = Store(engine)
    assert store.create_key("sk_x", name="x", credits=1, now=NOW) == 1
    assert store.create_key("sk_x", name="y", credits=1, now=NOW) is None


def run(folder: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    database = f"sqlite:///{folder}/new/keys.db"
    return subprocess.run(
        [sys.executable, "-m", "connector", *words],
        cwd=ROOT,
        env=clean_environment(**{"DATABASE_URL": database} | settings),
        capture_output=True,
        text=True,
        check=False,
    )


def test_operator_keeps_keys(tmp_path: Path) -> None:
    """Create, list, top up, deactivate, take it back: each says what it did or what to do."""
    url = f"sqlite:///{tmp_path}/new/keys.db"

    def said(words: str) -> str:
        return told(words, DATABASE_URL=url).output

    assert "run 'python -m connector migrate'" in said("keys list")
    said("migrate")
    assert "No keys yet. Create one" in said("keys list")
    assert "No requests yet." in said("keys requests")
    made = told("keys create --name Ada --credits 10", DATABASE_URL=url)
    key = made.stdout.strip()
    assert key.startswith("sk_")
    assert "not shown again" in made.stderr
    assert "10 credits" in made.stderr
    assert "15 credits now" in said("keys top-up 1 5")
    assert "inactive now" in said("keys deactivate 1")
    listed = said("keys list")
    assert "Ada" in listed
    assert "inactive" in listed
    assert key not in listed
    assert "active now" in said("keys activate 1")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("keys", "top-up", "7", "5"), "There is no key 7"),
        (("keys", "deactivate", "7"), "There is no key 7"),
        (("keys", "top-up", "1", "0"), "Invalid value for 'CREDITS'"),
        (("keys", "top-up", "9" * 30, "5"), "Invalid value for 'KEY_ID'"),
        (("keys", "activate", "9" * 30), "Invalid value for 'KEY_ID'"),
        (("keys", "create"), "Missing option '--name'"),
        (("keys", "create", "--name", "a\nb"), "must be a line of readable text"),
        (("keys", "create", "--name", "\udcff"), "must be a line of readable text"),
        (("keys", "create", "--name", "x", "--credits", "-1"), "Invalid value for '--credits'"),
    ],
)
def test_operator_is_told_what_is_wrong(
    migrated_file: Path, words: tuple[str, ...], message: str
) -> None:
    result = told(words, DATABASE_URL=f"sqlite:///{migrated_file}")
    assert result.exit_code != 0
    assert message in result.stderr


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_handle_can_not_draw_over_the_list(database_url: str, engine: Engine) -> None:
    """What was asked for is shown, and moves no cursor and starts no line."""
    Store(engine).create_key("sk_x", name="x", credits=1, now=NOW)
    Store(engine).log_failure(
        1, request_source="API", handle="a\x1b[2J\nforged\u202e", status=404, now=NOW
    )
    listed = told("keys requests", DATABASE_URL=database_url).stdout
    assert "a?[2J?forged?" in listed
    assert len(listed.splitlines()) == 2


@pytest.mark.parametrize("command", ["migrate", "serve", "keys list"])
@pytest.mark.parametrize("place", ["a folder", "not a database", "below a file"])
def test_unusable_database_is_explained(tmp_path: Path, command: str, place: str) -> None:
    (tmp_path / "file").write_text("hello " * 1000)
    path = {"a folder": "", "not a database": "/file", "below a file": "/file/x.db"}[place]
    result = told(command, DATABASE_URL=f"sqlite:///{tmp_path}{path}")
    assert result.exit_code == 1
    assert "DATABASE_URL" in result.stderr


def test_wrong_setting_stops_every_command(tmp_path: Path) -> None:
    result = run(tmp_path, "serve", PORT="http")
    assert result.stderr == "Error: The setting PORT is wrong: Not a valid integer.\n"
    assert result.returncode == 1


def test_live_mode_needs_an_encryption_key(tmp_path: Path) -> None:
    """Real keys are not kept unsealed; the sentence says how to make what is missing."""
    result = run(tmp_path, "serve", PROFILE_API_URL="https://api.example.com")
    assert result.returncode == 1
    assert "CONNECTOR_ENCRYPTION_KEYS is missing" in result.stderr
    made = run(tmp_path, "new-encryption-key", PROFILE_API_URL="https://api.example.com")
    key = made.stdout.strip()
    vault = FernetVault([key])
    assert vault.open(vault.seal("sk_secret")) == "sk_secret"


def test_sealed_secret_survives_a_rotation_and_no_more() -> None:
    old, new, other = (new_encryption_key() for _ in range(3))
    sealed = FernetVault([old]).seal("sk_secret")
    assert "sk_secret" not in sealed
    assert FernetVault([new, old]).open(sealed) == "sk_secret"
    with pytest.raises(Unreadable):
        FernetVault([other]).open(sealed)
    with pytest.raises(Unreadable):
        FernetVault([new]).open("nonsense")


def test_key_beside_the_database_is_made_once_for_its_owner(tmp_path: Path) -> None:
    database = tmp_path / "x.db"
    assert key_beside(database) == key_beside(database)
    assert (tmp_path / "x.db.key").stat().st_mode & 0o777 == 0o600

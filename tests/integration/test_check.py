"""`check` on real parts: what it sees of a database, a broker and an upstream, and of none of them."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, update

from connector.adapters.clock import SystemClock
from connector.adapters.crypto import FernetVault, new_encryption_key
from connector.adapters.store.migrate import MIGRATIONS, VERSION_TABLE
from connector.adapters.store.tables import Connection
from connector.adapters.store.workers import Workers
from connector.bootstrap import checked
from connector.config import Settings, SettingsError
from connector.databases import migrate
from connector.findings import Level
from connector.outside import check_a_key_opens
from tests.redis import Redis
from tests.running import (
    ROOT,
    clean_environment,
    fake_upstream,
    free_port,
    reply,
    running_server,
    until,
)
from tests.watched import database
from wire.database import writing

KEY = new_encryption_key()


def settings(database_url: str, **given: str) -> Settings:
    return Settings.from_env(
        {"DATABASE_URL": database_url, "CONNECTOR_ENCRYPTION_KEYS": KEY, **given}
    )


def said(of: Settings, *levels: Level) -> list[str]:
    return [f.sentence for f in checked(of, {}) if f.level in (levels or [Level.ERROR])]


def keep_key(engine: Engine, sealed_key: str) -> None:
    row = {"id": "c", "platform": "api", "sealed_key": sealed_key, "created_at": 0}
    with writing(engine) as session:
        session.execute(insert(Connection).values(row))


def test_database_is_followed_from_nothing_to_a_worker(
    new_database_url: str, new_engine: Engine
) -> None:
    """Not migrated, migrated, a worker alive; then migrated by a version that isn't known here."""
    of = settings(new_database_url)
    (unusable,) = said(of)
    assert unusable.endswith("run 'python -m connector migrate'.")
    migrate(new_engine)
    assert said(of) == []
    assert any(one.startswith("No worker is alive") for one in said(of, Level.WARNING))
    Workers(new_engine).beat("w", SystemClock().now())
    assert "A worker is alive." in said(of, Level.FINE)
    assert ("The clock agrees with PostgreSQL's." in said(of, Level.FINE)) == of.on_postgresql
    with writing(new_engine) as session:
        newer = f"{int(MIGRATIONS.newest()) + 1:04}"
        session.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '{newer}'")
    assert said(of) == []
    (upgraded,) = (one for one in said(of, Level.WARNING) if one.startswith("A newer version"))
    assert "should be stopped" in upgraded


def test_keys_that_do_not_open_what_is_stored_are_told(database_url: str, engine: Engine) -> None:
    keep_key(engine, FernetVault([KEY]).seal("sk_x"))
    assert said(settings(database_url)) == []
    other = settings(database_url, CONNECTOR_ENCRYPTION_KEYS=new_encryption_key())
    (sentence,) = said(other)
    assert sentence.startswith("The setting CONNECTOR_ENCRYPTION_KEYS is wrong: it doesn't open")
    with writing(engine) as session:
        session.execute(update(Connection).values(sealed_key=FernetVault([KEY]).seal("sk_y")))
    both = f"{new_encryption_key()},{KEY}"
    assert said(settings(database_url, CONNECTOR_ENCRYPTION_KEYS=both)) == []


def test_wrong_keys_keep_a_worker_from_starting_and_are_told_by_a_web_server(
    tmp_path: Path,
) -> None:
    """It would look with none of them; callers of the web server bring theirs."""
    with database(f"sqlite:///{tmp_path}/connector.db", new=True) as engine:
        keep_key(engine, FernetVault([KEY]).seal("sk_x"))
    with running_server(tmp_path) as server:
        until(lambda: "CONNECTOR_ENCRYPTION_KEYS is wrong" in server.log.read_text("utf-8"))
        other = {"CONNECTOR_ENCRYPTION_KEYS": new_encryption_key()}
        url = f"sqlite:///{tmp_path}/connector.db"
        refused = run("work", DATABASE_URL=url, **other)
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: The setting CONNECTOR_ENCRYPTION_KEYS is wrong")
    assert "delete-connection" in refused.stderr
    # Both at once are not begun: the end of one is that of the other.
    both = run("serve", DATABASE_URL=url, PORT=str(free_port()), **other)
    assert (both.returncode, both.stdout, both.stderr) == (1, "", refused.stderr)


def test_keys_that_are_lost_do_not_keep_a_worker_from_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    vault, other = FernetVault([KEY]), FernetVault([new_encryption_key()])
    good, lost = vault.seal("sk_x"), other.seal("sk_y")
    for keys in ([], [good]):
        check_a_key_opens(vault, keys)
    assert caplog.messages == []
    check_a_key_opens(vault, [lost, good, lost])
    assert caplog.messages == ["stored API keys can't be opened"]
    with pytest.raises(SettingsError, match="CONNECTOR_ENCRYPTION_KEYS is wrong"):
        check_a_key_opens(vault, [lost])


@pytest.mark.parametrize(
    "held", [f"{KEY},", f"{KEY},new", "é", ""], ids=["a comma", "a word", "no ASCII", "nothing"]
)
def test_file_that_holds_no_keys_is_told(tmp_path: Path, held: str) -> None:
    """As somebody may have left it who replaces a key by hand."""
    address = f"sqlite:///{tmp_path}/c.db"
    with database(address, new=True) as engine:
        keep_key(engine, "sealed")
    (tmp_path / "c.db.key").write_text(held, "utf-8")
    (sentence,) = said(Settings.from_env({"DATABASE_URL": address}))
    assert sentence.startswith(f"{tmp_path}/c.db.key must hold keys")


def test_upstream_is_asked_for_its_time_and_nothing_else() -> None:
    """The root of its host, with no key: the route that costs credits is not touched."""
    with fake_upstream() as upstream:
        upstream.answers("None", reply(404, b"", {"Date": "Tue, 24 Nov 2020 03:15:24 GMT"}))
        of = settings("sqlite:////nowhere/c.db", PROFILE_API_URL=f"{upstream.url}/behind")
        assert "The host in PROFILE_API_URL answers." in said(of, Level.FINE)
        (late,) = (s for s in said(of, Level.WARNING) if "clock" in s)
        assert late.startswith("This machine's clock is ")
        assert "ahead of 127.0.0.1's" in late
        upstream.answers("None", reply(200, b"", {"Date": "yesterday"}))
        assert not any("clock" in s for s in said(of, *Level))
        assert {r.path for r in upstream.received} == {"/"}
        assert not any("authorization" in r.headers for r in upstream.received)


def test_broker_is_reached_or_not(redis: Redis) -> None:
    of = settings("postgresql://u:p@127.0.0.1:1/d", CONNECTOR_BROKER_URL=redis.url)
    assert "Redis answers." in said(of, Level.FINE)
    wrong = redis.url.replace("redis://", "redis://:s3cret@").replace("/0", "/99")
    of = settings("postgresql://u:p@127.0.0.1:1/d", CONNECTOR_BROKER_URL=wrong)
    (sentence,) = (s for s in said(of) if "Redis" in s)
    assert sentence.startswith("Redis at CONNECTOR_BROKER_URL can't be used")


def test_files_that_everybody_can_read_are_named(tmp_path: Path) -> None:
    of = settings(f"sqlite:///{tmp_path}/c.db")
    (tmp_path / "c.db").touch()
    key = tmp_path / "c.db.key"
    key.write_text(KEY)
    tmp_path.chmod(0o755)
    (tmp_path / "c.db").chmod(0o600)
    key.chmod(0o644)
    told = [s for s in said(of, Level.WARNING) if "can read" in s]
    assert told == [f"Every user of this machine can read {key}; run 'chmod 600 {key}'."]
    tmp_path.chmod(0o700)
    assert not any("can read" in s for s in said(of, Level.WARNING))


@pytest.fixture
def silent() -> Iterator[str]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def run(command: str = "check", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "connector", command],
        cwd=ROOT,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_nothing_that_hangs_keeps_it_from_ending(silent: str) -> None:
    """It says all that is out of reach, and repeats no password."""
    result = run(
        DATABASE_URL=f"postgresql://u:s3cret@{silent}/d",
        CONNECTOR_BROKER_URL=f"redis://:s3cret@{silent}/0",
        PROFILE_API_URL=f"http://{silent}",
        CONNECTOR_ENCRYPTION_KEYS=KEY,
    )
    assert (result.returncode, result.stderr) == (1, "")
    errors = result.stdout.split("Warnings\n")[0].splitlines()
    assert errors[0] == "Errors"
    assert [line.split()[:2] for line in errors[1:]] == [
        ["The", "database"],
        ["The", "host"],
        ["Redis", "at"],
    ]
    assert "s3cret" not in result.stdout
    assert KEY not in result.stdout


def test_warnings_alone_end_well_and_nothing_is_written(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/c.db"
    (missing,) = said(settings(url))
    assert missing.startswith(f"There is no file {tmp_path}/c.db ")
    assert list(tmp_path.iterdir()) == []
    with database(url, new=True):
        pass
    result = run(DATABASE_URL=url, WEB_THREDS="3")
    assert (result.returncode, result.stdout.split("\n")[0]) == (0, "Warnings")
    assert "did you mean WEB_THREADS?" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["c.db"]


@pytest.mark.parametrize("command", [["gunicorn", "app:app"], ["connector", "work"]], ids=" ".join)
def test_unsafe_start_is_refused_with_the_sentences_of_check(command: list[str]) -> None:
    unsafe: dict[str, Any] = {
        "PROFILE_API_URL": "https://api.example.com",
        "CONNECTOR_BASE_URL": "http://connector.example.com",
        "CONNECTOR_ALLOW_LOCAL_CALLBACKS": "true",
    }
    refused = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=clean_environment(**unsafe),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert refused.returncode == 1
    told = refused.stderr.removeprefix("Error: ").splitlines()
    assert [line.split()[2] for line in told] == [
        "CONNECTOR_ENCRYPTION_KEYS",
        "CONNECTOR_BASE_URL",
        "CONNECTOR_ALLOW_LOCAL_CALLBACKS",
    ]
    assert told == said(Settings.from_env({"DATABASE_URL": "sqlite:////nowhere/c.db"} | unsafe))[:3]

"""Restoring: what is refused, what is kept aside, what a kill leaves; and PostgreSQL's own commands."""

from __future__ import annotations

import re
import resource
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.__main__ import cli
from connector.adapters.crypto import new_encryption_key
from connector.adapters.store.migrate import MIGRATIONS as CONNECTOR_TABLES
from connector.adapters.store.tables import Base as ConnectorBase
from profile_api.tables import Base as EndpointBase
from tests.children import binary
from tests.integration.test_copying import KEY, rows_of, seal
from tests.integration.test_delivering import post_video, subscribe
from tests.integration.test_migrating import fill
from tests.postgres import Postgres
from tests.running import ROOT, clean_environment
from tests.watched import Watching, database
from wire.whole_files import copy_whole

# Dies when so much of the copy into the live database is done.
KILLED = """
import os, sqlite3, sys
from contextlib import closing
from pathlib import Path
from wire.whole_files import alone_with
with alone_with(Path(sys.argv[2])) as target, closing(sqlite3.connect(sys.argv[1])) as new:
    share = float(sys.argv[3])
    def die(_status, left, pages):
        if left <= pages * (1 - share):
            os.kill(os.getpid(), 9)
    new.backup(target, pages=1, progress=die)
"""


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """A file with a subscription, whose key is sealed with `KEY`."""
    with database(f"sqlite:///{tmp_path}/source.db", new=True) as engine:
        watching = seal(Watching(engine))
        subscribe(watching)
        post_video(watching, videos=4)
    run(tmp_path, "backup", tmp_path / "b", name="source.db")
    return tmp_path / "b"


def run(
    folder: Path, command: str, file: Path, *options: str, name: str = "live.db", key: str = KEY
) -> subprocess.CompletedProcess[str]:
    """In this process, as starting another takes longer than what it does."""
    settings = {"DATABASE_URL": f"sqlite:///{folder}/{name}", "CONNECTOR_ENCRYPTION_KEYS": key}
    words = [command, *options, str(file)]
    done = CliRunner(env=settings, catch_exceptions=False).invoke(cli, words)
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)


def changed(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement)


def spoil(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[20_000:60_000] = b"\x55" * 40_000
    file.write_bytes(content)


def content(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return list(connection.iterdump())


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "damaged": (spoil, "it is damaged or no backup"),
    "cut off": (lambda file: file.write_bytes(file.read_bytes()[:50_000]), "it is damaged"),
    "text": (lambda file: file.write_text("hello " * 100), "file is not a database"),
    "empty": (lambda file: file.write_bytes(b""), "holds nothing of the connector"),
    "newer": (
        lambda file: changed(file, "UPDATE connector_version SET version_num = '9999'"),
        "of a newer version of the connector: install that one first",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_can_not_be_restored_is_refused(tmp_path: Path, backup: Path, why: str) -> None:
    """What is there stays as it is, and nothing is left beside it."""
    do, sentence = REFUSED[why]
    shutil.copy(backup, tmp_path / "live.db")
    before = content(tmp_path / "live.db")
    do(backup)
    files = sorted(tmp_path.iterdir())
    result = run(tmp_path, "restore", backup, "--replace")
    assert result.returncode == 1
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert (content(tmp_path / "live.db"), sorted(tmp_path.iterdir())) == (before, files)


@contextmanager
def no_room() -> Iterator[None]:
    """No file may grow beyond a part of the database, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(("command", "name"), [("restore", "live.db"), ("backup", "source.db")])
def test_full_disk_is_not_blamed_on_the_file(
    tmp_path: Path, backup: Path, command: str, name: str
) -> None:
    """Somebody would give up a backup that is whole."""
    file = backup if command == "restore" else tmp_path / "another"
    files = sorted(tmp_path.iterdir())
    with no_room():
        result = run(tmp_path, command, file, name=name)
    assert result.returncode == 1
    assert result.stderr.startswith(f"Error: {tmp_path} doesn't take what has to be written (")
    assert sorted(tmp_path.iterdir()) == files


def test_what_is_no_database_is_not_backed_up(tmp_path: Path) -> None:
    """Nor is a file of it left."""
    (tmp_path / "live.db").write_text("hello " * 1000)
    result = run(tmp_path, "backup", tmp_path / "b")
    assert result.returncode == 1
    assert f"{tmp_path}/live.db can't be used (file is not a database)" in result.stderr
    assert not (tmp_path / "b").exists()


def test_restore_needs_the_key_that_opens_what_is_sealed(tmp_path: Path, backup: Path) -> None:
    """Neither another one nor a new one, which would be made beside a database that has none."""
    other = run(tmp_path, "restore", backup, key=new_encryption_key())
    assert "CONNECTOR_ENCRYPTION_KEYS is wrong: it doesn't open" in other.stderr
    none = run(tmp_path, "restore", backup, key="")
    assert f"at {tmp_path}/live.db.key first" in none.stderr
    assert not list(tmp_path.glob("live.db*"))


def test_database_that_is_there_is_kept_aside_and_an_old_backup_migrated(
    tmp_path: Path, backup: Path
) -> None:
    assert run(tmp_path, "restore", backup).returncode == 0
    assert "--replace keeps it aside" in run(tmp_path, "restore", backup).stderr
    with database(f"sqlite:///{backup}") as engine:
        kept = rows_of(engine)
        CONNECTOR_TABLES.down(engine, "-1")
    changed(tmp_path / "live.db", "DELETE FROM events")
    result = run(tmp_path, "restore", backup, "--replace")
    assert result.returncode == 0, result.stderr
    (aside,) = tmp_path.glob("live.db.before-*")
    assert str(aside) in result.stdout
    assert aside.stat().st_mode & 0o777 == 0o600
    assert not any('INTO "events"' in line for line in content(aside))
    with database(f"sqlite:///{tmp_path}/live.db") as engine:
        assert rows_of(engine)["events"] == kept["events"] != []
        assert CONNECTOR_TABLES.problem(engine) is None


@pytest.mark.parametrize(
    ("share", "left"), [(0.0, "old"), (0.9, "old"), (1.0, "new")], ids=["begun", "nearly", "done"]
)
def test_kill_leaves_the_old_database_or_the_new(
    tmp_path: Path, backup: Path, share: float, left: str
) -> None:
    """Whole, whatever stands beside it."""
    live = tmp_path / "live.db"
    assert run(tmp_path, "restore", backup).returncode == 0
    new = content(live)
    changed(live, "DELETE FROM events")
    old = content(live)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(backup), str(live), str(share)], cwd=ROOT, check=False
    )
    assert killed.returncode == -9
    assert content(live) == {"old": old, "new": new}[left] != {"old": new, "new": old}[left]


def test_copy_is_of_one_moment_whatever_is_written_meanwhile(tmp_path: Path) -> None:
    """SQLite would begin again after each commit of another connection, and never end."""
    source, target = tmp_path / "source.db", tmp_path / "copy.db"
    target.touch()
    with closing(sqlite3.connect(source, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE t (text)")
        writer.execute("INSERT INTO t VALUES (zeroblob(5000000))")
        lefts = []

        def progress(_status: int, left: int, _pages: int) -> None:
            lefts.append(left)
            assert len(lefts) < 100
            writer.execute("INSERT INTO t VALUES ('later')")

        copy_whole(source, target, progress)
    assert lefts == sorted(lefts, reverse=True)
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("SELECT count(*) FROM t").fetchone() == (1,)


def test_postgresql_lines_work_as_they_are_printed(tmp_path: Path, postgres: Postgres) -> None:
    """The password comes from PGPASSWORD: a command line is seen by everybody on the machine."""
    tool = Path(binary("pg_dump", "usr/lib/postgresql/*/bin/pg_dump", "usr/pgsql-*/bin/pg_dump"))

    def tried(command: str, url: str) -> subprocess.CompletedProcess[str]:
        settings = {"DATABASE_URL": url, "CONNECTOR_ENCRYPTION_KEYS": KEY}
        told = subprocess.run(
            [sys.executable, "-m", "connector", command, str(tmp_path / "a dump")],
            cwd=ROOT,
            env=clean_environment(**settings),
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 1
        assert postgres.password not in told.stderr
        (line,) = re.findall(r"^  (pg_.*)$", told.stderr, re.M)
        program, *words = shlex.split(line)
        environment = clean_environment(PGPASSWORD=postgres.password)
        return subprocess.run(
            [tool.with_name(program), *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    with postgres.database() as url, postgres.database() as new_url:
        with database(url, new=True) as engine:
            for base in (EndpointBase, ConnectorBase):
                fill(engine, base.metadata.sorted_tables)
            before = rows_of(engine)
            dumped = tried("backup", url)
            assert dumped.returncode == 0, dumped.stderr
        restored = tried("restore", new_url)
        assert restored.returncode == 0, restored.stderr
        with database(new_url) as engine:
            assert rows_of(engine) == before
            assert CONNECTOR_TABLES.problem(engine) is None

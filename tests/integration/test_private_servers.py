"""The servers that tests start for themselves: they answer, and none is left behind."""

from __future__ import annotations

import re
import secrets
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.children import binary
from tests.e2e.test_commands import processes_with
from tests.postgres import Postgres, Reused
from tests.redis import Redis
from tests.running import ROOT, clean_environment

STARTED = """
import sys
from tests.{name} import running_{name}
with running_{name}():
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_databases_come_new_and_go_with_their_connections(postgres: Postgres) -> None:
    with postgres.database() as one, postgres.database() as other:
        assert one != other
        held = postgres.connect(one.rpartition("/")[2])
    with closing(held), pytest.raises(psycopg.OperationalError):
        held.execute("SELECT 1")


def test_reused_database_is_found_without_rows_and_as_it_was_made(postgres: Postgres) -> None:
    """Whatever the test before left: rows, numbers, a transaction that holds locks, other tables."""

    def prepare(url: str) -> None:
        made.append(url)
        with connected(url) as connection:
            connection.execute("CREATE TABLE owners (id serial PRIMARY KEY)")
            connection.execute("CREATE TABLE owned (id int REFERENCES owners)")
            connection.execute("CREATE TABLE its_version AS SELECT 1 AS number")

    def connected(url: str) -> psycopg.Connection:
        return postgres.connect(url.rpartition("/")[2])

    made: list[str] = []
    reused = Reused(postgres, prepare)
    for _ in range(2):
        with reused.database() as url:
            held = connected(url)
            assert held.execute("SELECT pg_relation_size('owned')").fetchone() == (0,)
            assert held.execute("SELECT number FROM its_version").fetchone() == (1,)
            made_row = held.execute("INSERT INTO owners DEFAULT VALUES RETURNING id").fetchone()
            assert made_row == (1,)
            held.execute("INSERT INTO owned VALUES (1)")
            held.execute("BEGIN")
            held.execute("LOCK TABLE owners")
        held.close()
    assert len(made) == 1
    with reused.database() as url, connected(url) as connection:
        connection.execute("ALTER TABLE owned RENAME TO gone")
    with reused.database() as url, connected(url) as connection:
        assert connection.execute("SELECT count(*) FROM owned").fetchone() == (0,)
    assert made[0] != made[1]
    reused.close()


def test_redis_forgets_what_it_is_told_to(redis: Redis) -> None:
    assert redis.ask("SET", "x", "1") == "+OK"
    redis.wipe()
    assert redis.ask("EXISTS", "x") == ":0"


def test_missing_program_fails_with_what_to_do() -> None:
    """Skipped instead, a whole database would go untested unnoticed."""
    with pytest.raises(pytest.fail.Exception, match="no-such-server is missing; run 'make tools'"):
        binary("no-such-server", "usr/lib/no-such-server/*/bin/no-such-server")


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_server_ends_with_tests_that_are_killed(name: str) -> None:
    """They could clean up nothing, and the folder is gone all the same."""
    mark = secrets.token_hex(16)
    tests = subprocess.Popen(
        [sys.executable, "-c", STARTED.format(name=name)],
        cwd=ROOT,
        env=clean_environment(MARK=mark),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with tests:
        assert tests.stdout is not None
        assert tests.stdout.readline() == b"ready\n"
        started = "".join(processes_with(mark))
        folder = re.search(r"[^\0]*/tests-\w+", started)
        assert folder is not None
        assert Path(folder[0]).exists()
        tests.kill()
    for _ in range(600):
        if not processes_with(mark):
            break
        time.sleep(0.05)
    assert processes_with(mark) == []
    assert not Path(folder[0]).exists()

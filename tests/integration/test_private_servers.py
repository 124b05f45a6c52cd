"""The servers that tests start for themselves: they answer, and none is left behind."""

from __future__ import annotations

import re
import secrets
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.children import binary
from tests.e2e.test_commands import processes_with
from tests.postgres import Postgres
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
    with pytest.raises(psycopg.OperationalError):
        held.execute("SELECT 1")
    held.close()


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

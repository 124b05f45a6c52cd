"""A PostgreSQL server as an operator meets it: keys on it, and what is said when it can't be used."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from sqlalchemy import make_url

from tests.postgres import Postgres
from tests.running import ROOT, clean_environment
from wire.database import without_password

ONE_AFTER_ANOTHER = """
import sys
from connector.__main__ import cli
for words in sys.argv[1:]:
    cli(words.split(), standalone_mode=False)
"""


def run(command: str, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "connector", command],
        cwd=ROOT,
        env=clean_environment(DATABASE_URL=url),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"database": "missing"}, 'database "missing" does not exist'),
        ({"username": "nobody", "password": "nobody"}, 'failed for user "***"'),
        ({"port": 1}, "refused"),
    ],
    ids=["no such database", "wrong password, repeated", "no server"],
)
def test_unusable_server_is_explained_without_the_password(
    postgres: Postgres, change: dict[str, Any], reason: str
) -> None:
    address = make_url(postgres.url("postgres")).set(**change)
    url = address.render_as_string(hide_password=False)
    result = run("migrate", url)
    assert result.returncode == 1
    assert "The setting DATABASE_URL is wrong: it can't be used (" in result.stderr
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert postgres.password not in result.stderr


def test_operator_keeps_keys_on_a_server(postgres: Postgres) -> None:
    """The commands one after another, in one process; each on the address as hosts hand it out."""
    commands = ("migrate", "keys create --name Ada --credits 10", "keys top-up 1 5", "keys list")
    with postgres.database() as url:
        result = subprocess.run(
            [sys.executable, "-c", ONE_AFTER_ANOTHER, *commands],
            cwd=ROOT,
            env=clean_environment(DATABASE_URL=url.replace("postgresql+psycopg", "postgres")),
            capture_output=True,
            text=True,
            check=False,
        )
    assert "10 credits" in result.stderr
    assert "15 credits now" in result.stdout
    assert "Ada" in result.stdout.splitlines()[-1]
    assert result.returncode == 0


def test_password_that_a_reason_repeats_is_covered() -> None:
    url = "postgresql://u:s%2Fcret@h/d?sslpassword=other"
    assert without_password("bad host s/cret or other", url) == "bad host *** or ***"


def test_server_needs_an_encryption_key() -> None:
    """A database that machines may share has no file to keep one beside."""
    result = run("serve", "postgres://u:s3cret@127.0.0.1:1/d")
    assert result.returncode == 1
    assert "CONNECTOR_ENCRYPTION_KEYS is missing" in result.stderr

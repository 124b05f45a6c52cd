"""A PostgreSQL address that can't be used is explained to the operator, without its password."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from sqlalchemy import make_url

from tests.postgres import Postgres
from tests.running import ROOT, clean_environment
from wire.database import without_password


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
        ({"username": "nobody"}, 'authentication failed for user "nobody"'),
        ({"username": "nobody", "password": "nobody"}, 'failed for user "***"'),
        ({"port": 1}, "refused"),
        ({"query": {"schema": "x"}}, 'invalid connection option "schema"'),
    ],
    ids=["no such database", "no such user", "repeated", "no server", "no such option"],
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


def test_password_that_a_reason_repeats_is_covered() -> None:
    url = "postgresql://u:s%2Fcret@h/d?sslpassword=other"
    assert without_password("bad host s/cret or other", url) == "bad host *** or ***"


def test_server_needs_an_encryption_key() -> None:
    """A database that machines may share has no file to keep one beside."""
    result = run("serve", "postgres://u:s3cret@127.0.0.1:1/d")
    assert result.returncode == 1
    assert "CONNECTOR_ENCRYPTION_KEYS is missing" in result.stderr

"""An operator's commands where settings are wrong, and the database is missing or can't be used yet."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import click
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from connector.__main__ import cli
from connector.adapters.crypto import new_encryption_key
from wire.database import writing

# What each of them needs to get as far as the database.
NEEDING = (
    "audit",
    "connections",
    "delete-connection api:x --yes",
    "deliveries list",
    "deliveries replay 1",
    "keys activate 1",
    "keys changes",
    "keys create --name Ada",
    "keys deactivate 1",
    "keys list",
    "keys requests",
    "keys top-up 1 1",
    "rotate-encryption-keys",
    "webhooks create",
    "webhooks list",
    "webhooks revoke x",
    "work",
)
UNMIGRATED = "Error: The database is not migrated; run 'python -m connector migrate'.\n"
KEY = new_encryption_key()
# They make a database, or do without one.
OTHERS = {"backup", "check", "copy-database", "export", "migrate", "new-encryption-key"} | {
    "restore",
    "serve",
}


def run(words: str | Sequence[str], **environment: str) -> Result:
    """In this process: to start one for each takes seconds."""
    given = words.split() if isinstance(words, str) else words
    return CliRunner(env=environment, catch_exceptions=False).invoke(cli, given)


def refused(words: str, database_url: str) -> str:
    result = run(words, DATABASE_URL=database_url, CONNECTOR_ENCRYPTION_KEYS=KEY)
    assert result.exit_code == 1
    return result.stderr


def named(group: click.Group, before: str = "") -> Iterator[str]:
    """Every command, by the words it is called with."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from named(command, f"{name} ")
        else:
            yield f"{before}{name}"


def test_keys_that_nobody_needs_are_made_with_a_word_of_it(tmp_path: Path) -> None:
    """In front of the hosted API callers bring keys of its own."""
    here = {"DATABASE_URL": f"sqlite:///{tmp_path}/c.db", "CONNECTOR_ENCRYPTION_KEYS": KEY}
    assert run("migrate", **here).exit_code == 0
    hosted = {"PROFILE_API_URL": "https://api.example.com"}
    for more, said in (({}, False), (hosted, True)):
        made = run("keys create --name Ada", **here, **more)
        assert made.stdout.startswith("sk_")
        assert ("PROFILE_API_URL" in made.stderr) is said


def test_help_is_given_whatever_the_settings_are(tmp_path: Path) -> None:
    """For each command: whoever mends a setting has to be able to read on."""
    wrong = {"PORT": "eighty", "DATABASE_URL": f"sqlite:///{tmp_path}/c.db"}
    for command in ("", *named(cli)):
        result = run(f"{command} --help", **wrong)
        assert (result.exit_code, result.stdout[:6]) == (0, "Usage:"), command
    assert list(tmp_path.iterdir()) == []
    assert run("keys list", **wrong).stderr.startswith("Error: The setting PORT is wrong: ")


def test_key_is_made_where_the_one_that_is_set_is_malformed() -> None:
    """The sentence about it says to do just that."""
    refused = run("migrate", CONNECTOR_ENCRYPTION_KEYS="malformed")
    assert "'python -m connector new-encryption-key'" in refused.stderr
    made = run("new-encryption-key", CONNECTOR_ENCRYPTION_KEYS="malformed")
    assert (made.exit_code, len(made.stdout.strip())) == (0, len(KEY))


def test_every_command_is_tried_here() -> None:
    shortened = {" ".join(words.split()[:2]) for words in NEEDING}
    assert {name for name in named(cli) if not any(s.startswith(name) for s in shortened)} == OTHERS


def test_missing_database_is_told_and_not_made(tmp_path: Path) -> None:
    """A wrong folder must not seem to be an empty database."""
    for command in NEEDING:
        told = refused(command, f"sqlite:///{tmp_path}/none/c.db")
        assert told.startswith(f"Error: There is no file {tmp_path}/none/c.db "), command
        assert told.endswith("run 'python -m connector migrate'.\n"), command
    assert list(tmp_path.iterdir()) == []


def test_database_that_is_not_migrated_is_told(new_engine: Engine, new_database_url: str) -> None:
    with writing(new_engine):
        pass  # now there is a file
    for command in NEEDING:
        told = refused(command, new_database_url)
        assert told == UNMIGRATED, command


def test_database_that_fails_in_the_middle_is_told(tmp_path: Path) -> None:
    """As a disk that is full, or one that this user may not write to."""
    url = f"sqlite:///{tmp_path}/c.db"
    assert run("migrate", DATABASE_URL=url).exit_code == 0
    with closing(sqlite3.connect(tmp_path / "c.db")) as connection:
        connection.execute("ALTER TABLE api_keys RENAME TO gone")
        connection.execute("ALTER TABLE audit_log RENAME TO gone_too")
    for command, table in (("keys create --name Ada", "api_keys"), ("audit", "audit_log")):
        told = refused(command, url)
        assert told.startswith(f"Error: The database can't be used (no such table: {table}); ")


def test_key_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    """As one that belongs to another user."""
    url = f"sqlite:///{tmp_path}/c.db"
    assert run("migrate", DATABASE_URL=url).exit_code == 0
    (tmp_path / "c.db.key").mkdir()
    told = run("audit", DATABASE_URL=url).stderr
    assert told.startswith(f"Error: {tmp_path}/c.db.key, which opens stored API keys, can't be")

"""An operator's commands for the whole database: put it into a file, and bring it back."""

from __future__ import annotations

import os
import shlex
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from connector import databases
from connector.adapters.store.subscriptions import Subscriptions
from connector.commands import pass_settings
from connector.config import Settings, SettingsError
from connector.outside import check_keys_open
from wire.database import open_engine
from wire.whole_files import (
    InUse,
    Progress,
    Unfit,
    Unwritable,
    alone_with,
    copy_opened,
    copy_whole,
    holds_something,
    put_in_place,
    sync,
    unfit,
)

_FILE = click.Path(dir_okay=False, path_type=Path)


def _in_sentences(command: Callable[..., None]) -> Callable[..., None]:
    """Failures as one sentence each."""

    @wraps(command)
    def told(settings: Settings, /, **given: Any) -> None:
        try:
            command(settings, **given)
        except Unfit as exc:
            raise click.ClickException(str(exc)) from exc
        except OSError as exc:
            raise click.ClickException(f"{exc.filename}: {exc.strerror}.") from exc

    return told


@click.command()
@click.argument("file", type=_FILE)
@click.option("--force", is_flag=True, help="Also where FILE exists, which is replaced then.")
@pass_settings
@_in_sentences
def backup(settings: Settings, /, file: Path, *, force: bool) -> None:
    """Copy the whole database into FILE, while web server and workers go on.

    The key that opens what is sealed in it is not in it.
    """
    if settings.on_postgresql:
        raise SettingsError(_dump_line(settings, file))
    source = databases.database_file(settings)
    if not source.exists():
        raise SettingsError(f"There is no database at {source}; DATABASE_URL says where it is.")
    if file.resolve() in _belonging_to(source):
        raise SettingsError(f"{file} belongs to the database itself; choose another name.")
    if file.exists() and not force:
        raise SettingsError(f"{file} exists; choose another name, or --force to replace it.")
    if not file.parent.is_dir():
        raise SettingsError(f"There is no folder {file.parent}.")
    with _engine(source, source) as engine:
        _check_shape(engine, source)
    # In the same folder, so that it appears as a whole.
    with _beside(file) as folder:
        draft = _empty(folder / "draft")
        with _shown("Copying") as progress:
            copy_whole(source, draft, progress)
        draft.replace(file)
    sync(file.parent)
    click.echo(f"{file} holds the whole database ({file.stat().st_size / 1e6:.1f} MB).")
    click.echo(f"Keep apart from it what opens it: {_place_of_key(settings)}.")


@click.command()
@click.argument("file", type=_FILE)
@click.option(
    "--replace", is_flag=True, help="Also where there is a database, which is kept aside."
)
@pass_settings
@_in_sentences
def restore(settings: Settings, /, file: Path, *, replace: bool) -> None:
    """Make the database at DATABASE_URL again from FILE, and bring it up to date.

    Stop the web server and the workers first.
    """
    if settings.on_postgresql:
        raise SettingsError(_restore_line(settings, file))
    if not file.exists():
        raise SettingsError(f"There is no file {file}.")
    target = databases.database_file(settings)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _beside(target) as folder:
        staged = _empty(folder / "staged")
        try:
            with _shown("Checking") as progress:
                copy_whole(file, staged, progress)
        except Unwritable:
            raise
        except Unfit as exc:
            raise Unfit(f"{file} can't be restored: it is damaged or no backup ({exc}).") from exc
        _bring_up_to_date(settings, staged, file)
        _exchange(staged, target, replace=replace)
    click.echo(f"{target} holds what was backed up. Now start the web server and the workers.")


def _exchange(staged: Path, target: Path, *, replace: bool) -> None:
    try:
        with alone_with(target) as connection:
            if holds_something(connection):
                if not replace:
                    raise SettingsError(
                        f"{target} holds a database; --replace keeps it aside under another name."
                    )
                _keep_aside(connection, target)
            put_in_place(staged, connection)
    except InUse:
        raise SettingsError(
            f"{target} is in use: stop the web server and the workers first."
        ) from None
    except Unwritable:
        raise
    except Unfit as exc:
        raise Unfit(
            f"{target} can't be replaced ({exc}). Where it is damaged, move it away, with what is"
            " beside it and ends in -wal or -shm."
        ) from exc


def _keep_aside(connection: sqlite3.Connection, target: Path) -> None:
    kept = target.with_name(f"{target.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    copy_opened(connection, _empty(kept))
    sync(kept.parent)
    click.echo(f"What was there before is kept as {kept}.")


def _check_shape(engine: Engine, path: Path) -> None:
    for migrations in databases.TABLES:
        if not migrations.is_there(engine):
            raise Unfit(f"{path} holds nothing of the connector.")
        if migrations.is_older(engine):
            raise Unfit(f"{path} is of a newer version of the connector: install that one first.")


def _bring_up_to_date(settings: Settings, staged: Path, file: Path) -> None:
    with _engine(staged, file) as engine:
        _check_shape(engine, file)
        for migrations in databases.TABLES:
            migrations.up(engine)
        key = _key_beside(settings)
        if key and not key.exists() and any(Subscriptions(engine).sealed_keys()):
            # Asked for, it would be made, and open nothing.
            raise SettingsError(f"Put the key that belongs to {file} at {key} first.")
        check_keys_open(settings, engine)


@contextmanager
def _engine(path: Path, name: Path) -> Iterator[Engine]:
    """The database at `path`, of which failures are told as of `name`."""
    engine = open_engine(f"sqlite:///{path}")
    try:
        yield engine
    except SQLAlchemyError as exc:
        reason = getattr(exc, "orig", None) or type(exc).__name__
        raise unfit(reason, f"{name} can't be used ({reason}).") from exc
    finally:
        # The last to leave puts into the file what is still beside it.
        engine.dispose()


@contextmanager
def _beside(file: Path) -> Iterator[Path]:
    """A folder in that of `file`, for the time being."""
    try:
        with TemporaryDirectory(dir=file.parent, prefix=f".{file.name}-") as folder:
            yield Path(folder)
    except Unwritable as exc:
        raise Unwritable(
            f"{file.parent} doesn't take what has to be written ({exc}): make room on its disk."
        ) from exc


@contextmanager
def _shown(what: str) -> Iterator[Progress]:
    """How far a copy is, where somebody looks at it."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=1, label=what, file=sys.stderr, hidden=hidden) as shown:

        def progress(_status: int, left: int, pages: int) -> None:
            shown.length = pages
            shown.update(pages - left - shown.pos)

        yield progress


def _empty(path: Path) -> Path:
    """A new file that only its owner can read."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    return path


def _belonging_to(database: Path) -> set[Path]:
    whole = database.resolve()
    return {whole.with_name(f"{whole.name}{ending}") for ending in ("", "-wal", "-shm", ".key")}


def _key_beside(settings: Settings) -> Path | None:
    """The file that holds the key; null where a setting does."""
    if settings.connector_encryption_keys:
        return None
    database = databases.database_file(settings)
    return database.with_name(f"{database.name}.key")


def _place_of_key(settings: Settings) -> str:
    return str(_key_beside(settings) or "CONNECTOR_ENCRYPTION_KEYS")


def _dump_line(settings: Settings, file: Path) -> str:
    return (
        "PostgreSQL has a command of its own, which asks for the password or takes it from"
        f" PGPASSWORD:\n  pg_dump --format=custom --no-owner --file={_quoted(file)}"
        f" --dbname={_shown_address(settings)}\n"
        "Keep apart from it what opens it: CONNECTOR_ENCRYPTION_KEYS."
    )


def _restore_line(settings: Settings, file: Path) -> str:
    return (
        "PostgreSQL has a command of its own, which asks for the password or takes it from"
        " PGPASSWORD. Into the new, empty database that DATABASE_URL names:\n"
        "  pg_restore --no-owner --exit-on-error --single-transaction"
        f" --dbname={_shown_address(settings)} {_quoted(file)}\n"
        "Then bring it up to date: python -m connector migrate"
    )


def _shown_address(settings: Settings) -> str:
    """The database for a command line, which everybody on the machine sees: without the password."""
    given = make_url(settings.database_url)
    secret = [name for name in given.query if "password" in name]
    server = URL.create("postgresql", given.username, None, given.host, given.port, given.database)
    shown = server.set(query=given.query).difference_update_query(secret)
    return _quoted(shown.render_as_string())


def _quoted(text: object) -> str:
    return shlex.quote(str(text))

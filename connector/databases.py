"""The database of both halves: opened, brought up to date, copied, and what is wrong with it."""

from __future__ import annotations

import os
from pathlib import Path
from sqlite3 import SQLITE_ERROR
from typing import TYPE_CHECKING

from sqlalchemy import exc as failures
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from connector.adapters.store.migrate import MIGRATIONS as CONNECTOR_TABLES
from connector.adapters.store.tables import Base as ConnectorBase
from connector.config import Settings, SettingsError
from connector.outside import check_keys_open
from profile_api.migrate import MIGRATIONS as ENDPOINT_TABLES
from profile_api.tables import Base as EndpointBase
from wire.copying import NotEmpty, copy_rows
from wire.database import open_engine, without_password

if TYPE_CHECKING:
    from sqlalchemy import Engine

TABLES = (ENDPOINT_TABLES, CONNECTOR_TABLES)
OUTAGES = (failures.OperationalError, failures.InterfaceError, failures.TimeoutError)


def open_database(settings: Settings, *, must_exist: bool = False) -> Engine:
    """The engine, with a folder for the database file: SQLite makes the file, not its folder.

    Raises `SettingsError`.
    """
    if must_exist and not is_there(settings):
        raise SettingsError(
            f"There is no file {database_file(settings).absolute()} that this user can see, where"
            " DATABASE_URL says that the database is: correct it, or the folder that you are in. For a"
            " new database, run 'python -m connector migrate'."
        )
    try:
        if not settings.on_postgresql:
            database_file(settings).parent.mkdir(parents=True, exist_ok=True)
        return open_engine(settings.database_url)
    except (OSError, SQLAlchemyError) as exc:
        raise _unusable_database(settings, exc) from exc


def usable_database(settings: Settings) -> Engine:
    """The database that is there, where it can be used. Raises `SettingsError`."""
    engine = open_database(settings, must_exist=True)
    if problem := problem_of(engine):
        engine.dispose()
        raise SettingsError(problem)
    return engine


def problem_of(engine: Engine) -> str | None:
    """Why the database can't be used yet, as a sentence; null when it can."""
    return next(filter(None, (migrations.problem(engine) for migrations in TABLES)), None)


def is_newer(engine: Engine) -> bool:
    """Whether a later version has migrated it."""
    return any(migrations.is_older(engine) for migrations in TABLES)


def is_outage(engine: Engine, exc: Exception) -> bool:
    """Whether the database is to blame for it: gone, full, locked for long, or not migrated."""
    if isinstance(exc, failures.ProgrammingError) or _sqlite_code(exc) == SQLITE_ERROR:
        # A table that isn't there; or a statement of ours that is wrong.
        return problem_of(engine) is not None
    return isinstance(exc, OUTAGES)


def _sqlite_code(exc: Exception) -> int | None:
    return getattr(getattr(exc, "orig", None), "sqlite_errorcode", None)


def migrate(engine: Engine) -> None:
    """Brings the tables of both halves up to date; done again, it changes nothing."""
    for migrations in TABLES:
        migrations.up(engine)


def migrate_database(settings: Settings) -> None:
    """Brings the database to the shape that this version expects. Raises `SettingsError`."""
    try:
        engine = open_database(settings)
        if is_newer(engine):
            raise SettingsError(
                "The database was migrated by a newer version of the connector: use that one, or restore"
                " a backup from before."
            )
        migrate(engine)
    except SQLAlchemyError as exc:
        raise _unusable_database(settings, exc) from exc


def copy_database(settings: Settings, source_url: str) -> int:
    """Copies all from another database into this one; answers how many rows. Raises `SettingsError`."""
    settings.check_live()
    source = _source(source_url)
    if problem := problem_of(source):
        reason = problem.replace("DATABASE_URL", "the address after --from")
        raise SettingsError(f"There is nothing to copy from: {reason}")
    if is_newer(source):
        raise SettingsError(
            "Nothing was copied: the database after --from was migrated by a newer version of the"
            " connector, and this one doesn't know all that it keeps; copy it with that one."
        )
    # Before its keys, which may be in a file in its folder.
    target = open_database(settings)
    check_keys_open(settings, source)
    migrate_database(settings)
    try:
        tables = [*EndpointBase.metadata.sorted_tables, *ConnectorBase.metadata.sorted_tables]
        return copy_rows(source, target, tables)
    except NotEmpty as exc:
        raise SettingsError(
            f"Nothing was copied: the database at DATABASE_URL holds rows already (in {exc})."
        ) from exc
    except SQLAlchemyError as exc:
        raise _unusable_database(settings, exc) from exc


def _source(url: str) -> Engine:
    try:
        settings = Settings.from_env({"DATABASE_URL": url})
        if not is_there(settings):
            raise SettingsError(
                f"There is no file {database_file(settings).absolute()} that this user can see, where"
                " the address after --from says."
            )
        return open_database(settings)
    except SettingsError as exc:
        reason = str(exc).replace("The setting DATABASE_URL", "The address after --from")
        raise SettingsError(reason) from exc


def is_there(settings: Settings) -> bool:
    """Whether this user can see the database's file; true of a server, which may be out of reach."""
    return settings.on_postgresql or os.path.exists(database_file(settings))


def database_file(settings: Settings) -> Path:
    """The file of the database on SQLite."""
    return Path(str(make_url(settings.database_url).database))


def _unusable_database(settings: Settings, exc: Exception) -> SettingsError:
    reason = exc.strerror if isinstance(exc, OSError) else getattr(exc, "orig", type(exc).__name__)
    line = without_password(" ".join(str(reason).split()), settings.database_url)
    return SettingsError(f"The setting DATABASE_URL is wrong: it can't be used ({line}).")

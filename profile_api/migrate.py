"""Bringing the database to the shape the code expects, and telling whether it has it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

_MIGRATIONS = Path(__file__).parent / "migrations"
_VERSION_TABLE = "profile_api_version"


def migrate(engine: Engine, revision: str = "head") -> None:
    """Upgrades to `revision`; running it again changes nothing."""
    with engine.begin() as connection:
        command.upgrade(_config(connection), revision)


def migrate_back(engine: Engine, revision: str) -> None:
    """Downgrades to `revision`; `base` removes the tables."""
    with engine.begin() as connection:
        command.downgrade(_config(connection), revision)


def migration_problem(engine: Engine) -> str | None:
    """Why the database can't be used yet, as a sentence; null when it can."""
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": _VERSION_TABLE})
            current = context.get_current_revision()
    except SQLAlchemyError as exc:
        return f"The database can't be reached ({type(exc).__name__}); check DATABASE_URL."
    if current != ScriptDirectory.from_config(_config()).get_current_head():
        return "The database is not migrated; run 'python -m connector migrate'."
    return None


def _config(connection: object = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config

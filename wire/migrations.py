"""Bringing a database to the shape that the code expects, and telling whether it has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from wire.database import one_at_a_time, writing

# Any number will do that nothing else in this database locks.
_LOCK: Final = 7_240_519_283


@dataclass(frozen=True)
class Migrations:
    """The history of some tables: scripts in `folder`, the current one kept in `version_table`."""

    folder: Path
    version_table: str

    def up(self, engine: Engine, revision: str = "head") -> None:
        """Upgrades to `revision`; running it again changes nothing."""
        with _alone(engine) as connection:
            command.upgrade(self.config(connection), revision)

    def down(self, engine: Engine, revision: str) -> None:
        """Downgrades to `revision`; `base` removes the tables."""
        with _alone(engine) as connection:
            command.downgrade(self.config(connection), revision)

    def problem(self, engine: Engine) -> str | None:
        """Why the database can't be used yet, as a sentence; null when it can."""
        try:
            with engine.connect() as connection:
                opts = {"version_table": self.version_table}
                current = MigrationContext.configure(connection, opts=opts).get_current_revision()
        except SQLAlchemyError as exc:
            return f"The database can't be reached ({type(exc).__name__}); check DATABASE_URL."
        if current != ScriptDirectory.from_config(self.config()).get_current_head():
            return "The database is not migrated; run 'python -m connector migrate'."
        return None

    def config(self, connection: object = None) -> Config:
        """Alembic's own settings, for its commands."""
        config = Config()
        config.set_main_option("script_location", str(self.folder))
        config.attributes["connection"] = connection
        return config


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A transaction beside no other migration: a second process waits, and finds it done."""
    with writing(engine) as connection:
        one_at_a_time(connection, _LOCK)
        yield connection

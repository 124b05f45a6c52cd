"""Bringing a database to the shape that the code expects, and telling whether it has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, Engine, String, column, inspect, select, table
from sqlalchemy.exc import SQLAlchemyError

from wire.database import one_at_a_time, reading, writing

if TYPE_CHECKING:
    from alembic.config import Config

# Any number will do that nothing else in this database locks.
_LOCK: Final = 7_240_519_283


@dataclass(frozen=True)
class Migrations:
    """The history of some tables: scripts in `folder`, the current one kept in `version_table`."""

    folder: Path
    version_table: str

    def up(self, engine: Engine, revision: str = "head") -> None:
        """Upgrades to `revision`; running it again changes nothing."""
        # Here, as processes that serve need none of its 10 MB.
        from alembic import command

        with _alone(engine) as connection:
            command.upgrade(self.config(connection), revision)

    def down(self, engine: Engine, revision: str) -> None:
        """Downgrades to `revision`; `base` removes the tables."""
        from alembic import command

        with _alone(engine) as connection:
            command.downgrade(self.config(connection), revision)

    def problem(self, engine: Engine) -> str | None:
        """Why the database can't be used yet, as a sentence; null when it can."""
        try:
            with reading(engine) as connection:
                current = self._current(connection)
        except SQLAlchemyError as exc:
            return f"The database can't be reached ({type(exc).__name__}); check DATABASE_URL."
        # A newer shape than these scripts': each holds for the version before, which runs beside it.
        if current is None or current < self.newest():
            return "The database is not migrated; run 'python -m connector migrate'."
        return None

    def is_older(self, engine: Engine) -> bool:
        """Whether these scripts are older than the database, and know nothing of its shape."""
        with reading(engine) as connection:
            current = self._current(connection)
        return current is not None and current not in self._revisions()

    def is_there(self, engine: Engine) -> bool:
        """Whether the tables are there, in whatever shape."""
        with reading(engine) as connection:
            return self._current(connection) is not None

    def newest(self) -> str:
        """The revision that the code expects."""
        return max(self._revisions())

    def config(self, connection: object = None) -> Config:
        """Alembic's own settings, for its commands."""
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(self.folder))
        config.attributes["connection"] = connection
        return config

    def _revisions(self) -> set[str]:
        # Scripts' names begin with their revision, in order.
        return {script.name.split("_")[0] for script in self.folder.glob("versions/0*.py")}

    def _current(self, connection: Connection) -> str | None:
        if not inspect(connection).has_table(self.version_table):
            return None
        version = table(self.version_table, column("version_num", String))
        return connection.scalar(select(version.c.version_num))


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A transaction beside no other migration: a second process waits, and finds it done."""
    with writing(engine) as connection:
        one_at_a_time(connection, _LOCK)
        yield connection

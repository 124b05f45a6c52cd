"""Copying rows from one database to another, of whatever kind each is. Knows no table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, Engine, Table, exists, func, insert, select, text

from wire.database import reading, writing

_AT_A_TIME: Final = 1000


class NotEmpty(Exception):
    """There are rows where rows were to be copied to. Names the table."""


def copy_rows(source: Engine, target: Engine, tables: Sequence[Table]) -> int:
    """Copies all rows of `tables`, parents first; answers how many. Raises `NotEmpty`.

    What it reads is of one moment, and it keeps all of it or nothing.
    """
    with reading(source) as old, writing(target) as new:
        for table in tables:
            if new.execute(select(exists(select(table)))).scalar_one():
                raise NotEmpty(table.name)
        return sum(_copy(old, new, table) for table in tables)


def _copy(old: Connection, new: Connection, table: Table) -> int:
    copied = 0
    for rows in old.execute(select(table)).mappings().partitions(_AT_A_TIME):
        new.execute(insert(table), [dict(row) for row in rows])
        copied += len(rows)
    if new.dialect.name == "postgresql":
        _count_on(old, new, table)
    return copied


def _count_on(old: Connection, new: Connection, table: Table) -> None:
    """PostgreSQL numbers new rows by a sequence, which knows nothing of rows that bring a number."""
    column = table.autoincrement_column
    if column is None:
        return
    highest = old.execute(select(func.coalesce(func.max(column), 0))).scalar_one()
    if table.dialect_options["sqlite"]["autoincrement"] and old.dialect.name == "sqlite":
        # Of rows that are deleted too: their numbers are not given again.
        used = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        highest = max(highest, old.execute(used, {"name": table.name}).scalar_one_or_none() or 0)
    if highest:
        sequence = func.pg_get_serial_sequence(table.name, column.name)
        new.execute(select(func.setval(sequence, highest)))

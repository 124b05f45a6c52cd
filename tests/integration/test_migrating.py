"""Every migration, forward and back, with rows in every table: what both sides know is kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import BigInteger, Boolean, Column, Engine, Integer, MetaData, Table, insert, select

from connector.adapters.store.migrate import MIGRATIONS as CONNECTOR_TABLES
from connector.adapters.store.tables import Base as ConnectorBase
from profile_api.migrate import MIGRATIONS as ENDPOINT_TABLES
from profile_api.tables import Base as EndpointBase
from wire.database import writing
from wire.migrations import Migrations

ROWS = 3
# A connection that is being deleted is deleted whole on the way to a version that can't go on with it.
UNSET = {"ending_at"}
Kept = dict[str, list[dict[str, Any]]]


def made_up(column: Column[Any], number: int) -> Any:
    """A value that fits; where the column refers to another, the one of that table's row `number`."""
    if column.foreign_keys:
        (key,) = column.foreign_keys
        return made_up(key.column, number)
    if isinstance(column.type, Boolean):
        return bool(number % 2)
    if isinstance(column.type, (Integer, BigInteger)):
        return number + 2**33 * (not column.primary_key)
    text = f"{number} {column.name} ü" * 20
    return text[: getattr(column.type, "length", None)]


def fill(engine: Engine, tables: Iterable[Table]) -> None:
    with writing(engine) as session:
        for table in tables:
            rows = [
                {
                    column.name: made_up(column, number)
                    for column in table.columns
                    if column.name not in UNSET
                }
                for number in range(1, ROWS + 1)
            ]
            session.execute(insert(table), rows)


def kept(engine: Engine, version_table: str) -> Kept:
    """Every row of every table that is there now."""
    metadata = MetaData()
    metadata.reflect(engine)
    with engine.connect() as connection:
        return {
            table.name: sorted(
                (dict(row) for row in connection.execute(select(table)).mappings()), key=str
            )
            for table in metadata.sorted_tables
            if table.name != version_table
        }


def of_both(one: Kept, other: Kept) -> Kept:
    """What `one` holds, in tables and columns that `other` has too."""
    both = {name: {key for row in other[name] for key in row} for name in one.keys() & other}
    return {
        name: sorted(
            ({key: row[key] for key in sorted(known & row.keys())} for row in one[name]), key=str
        )
        for name, known in both.items()
    }


@pytest.mark.parametrize(
    ("migrations", "tables"),
    [(ENDPOINT_TABLES, EndpointBase.metadata), (CONNECTOR_TABLES, ConnectorBase.metadata)],
    ids=["endpoint", "connector"],
)
def test_rows_survive_each_migration_down_and_up(
    new_engine: Engine, migrations: Migrations, tables: MetaData
) -> None:
    """Who goes back one version, and forward again, loses only what the older one has no place for."""
    migrations.up(new_engine)
    fill(new_engine, tables.sorted_tables)
    scripts = ScriptDirectory.from_config(migrations.config())
    steps = [(script.revision, script.down_revision) for script in scripts.walk_revisions()]
    assert steps[0][0] == migrations.newest()
    before = kept(new_engine, migrations.version_table)
    assert {len(rows) for rows in before.values()} == {ROWS}
    for revision, older in steps:
        if older is None:
            break
        migrations.down(new_engine, str(older))
        back = kept(new_engine, migrations.version_table)
        assert of_both(back, before) == of_both(before, back), f"{revision} down"
        migrations.up(new_engine, revision)
        forward = kept(new_engine, migrations.version_table)
        assert of_both(forward, back) == of_both(back, forward), f"{revision} up"
        migrations.down(new_engine, str(older))
        assert kept(new_engine, migrations.version_table) == back, f"{revision} down again"
        before = back

"""New databases for measuring, as they are installed: what is committed reaches the disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tests.postgres import running_postgres

DATABASES = ("sqlite", "postgresql")


@contextmanager
def new_database(kind: str) -> Iterator[str]:
    """The address of a database that nobody else uses."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/bench.db"
        return
    with running_postgres(hasty=False) as server, server.database() as url:
        yield url

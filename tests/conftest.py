"""Servers are started once for a test process; each test brings its own key or handle."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import settings
from sqlalchemy import Engine

from tests.postgres import Postgres, Reused, running_postgres
from tests.redis import Redis, running_redis
from tests.running import FakeUpstream, Server, fake_upstream, running_server
from tests.watched import Watching, database
from wire import postgresql

# A slow machine is no failure: examples are bounded by their number.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

MEMORY = Path("/dev/shm")
ROOM = 4 << 30


def pytest_configure(config: pytest.Config) -> None:
    """Databases of tests need not outlast them: they are in memory, where there is room for them."""
    if hasattr(config, "workerinput") or "TMPDIR" in os.environ or not _has_room(MEMORY):
        return
    folder = tempfile.mkdtemp(prefix="tests-", dir=MEMORY)
    config.add_cleanup(partial(shutil.rmtree, folder, ignore_errors=True))
    # PostgreSQL has a user of its own.
    os.chmod(folder, 0o711)
    os.environ["TMPDIR"] = tempfile.tempdir = folder


def _has_room(folder: Path) -> bool:
    """Whether programs may run there too, which some tests install."""
    if not os.access(folder, os.W_OK):
        return False
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize >= ROOM and not found.f_flag & os.ST_NOEXEC


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The whole product with the embedded endpoint."""
    with running_server(tmp_path_factory.mktemp("embedded")) as running:
        yield running


@pytest.fixture(scope="session")
def hasty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same; look-ups end after 2 seconds."""
    folder = tmp_path_factory.mktemp("hasty-embedded")
    with running_server(folder, CONNECTOR_DEADLINE_SECONDS="2") as running:
        yield running


@pytest.fixture(scope="session")
def upstream() -> Iterator[FakeUpstream]:
    with fake_upstream() as running:
        yield running


@pytest.fixture(scope="session")
def front(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The connector alone, in front of the fake upstream, with the platforms' own deadlines."""
    folder = tmp_path_factory.mktemp("front")
    with running_server(folder, PROFILE_API_URL=upstream.url) as running:
        yield running


@pytest.fixture(scope="session")
def hasty_front(
    upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The same with a deadline of 2 seconds."""
    folder = tmp_path_factory.mktemp("hasty")
    with running_server(
        folder, PROFILE_API_URL=upstream.url, CONNECTOR_DEADLINE_SECONDS="2"
    ) as running:
        yield running


@pytest.fixture(scope="session")
def watching_front(
    upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The connector alone, which looks at watched profiles again after a second."""
    folder = tmp_path_factory.mktemp("watching")
    settings = {"PROFILE_API_URL": upstream.url, "WATCH_MIN_INTERVAL_SECONDS": "1"}
    with running_server(folder, **settings) as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for this test process, which waits for it however slow the machine is."""
    with (
        running_postgres() as running,
        patch.dict(postgresql._LIBPQ, connect_timeout=60),
        patch.dict(postgresql._OPTIONS, pool_timeout=60),
    ):
        yield running


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    """A Redis server for this test process."""
    with running_redis() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Each kind that DATABASE_URL may name."""
    return str(request.param)


@pytest.fixture
def new_database_url(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[str]:
    """The address of a new database of each kind, in which there is no table."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path}/connector.db"
        return
    # Started by the first test that needs it, not by those on SQLite.
    server: Postgres = request.getfixturevalue("postgres")
    with server.database() as url:
        yield url


@pytest.fixture
def database_url(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[str]:
    """The address of a database of each kind that is migrated and has no rows."""
    if database_kind == "sqlite":
        shutil.copyfile(request.getfixturevalue("migrated_file"), tmp_path / "connector.db")
        yield f"sqlite:///{tmp_path}/connector.db"
        return
    migrated: Reused = request.getfixturevalue("migrated_database")
    with migrated.database() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What tests on SQLite begin with a copy of."""
    file = tmp_path_factory.mktemp("migrated") / "connector.db"
    _migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def migrated_database(postgres: Postgres) -> Iterator[Reused]:
    """What tests on PostgreSQL use one after the other."""
    migrated = Reused(postgres, _migrate)
    yield migrated
    migrated.close()


def _migrate(url: str) -> None:
    with database(url, new=True):
        pass


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine for a migrated database, ended with the test."""
    with database(database_url) as engine:
        yield engine


@pytest.fixture
def new_engine(new_database_url: str) -> Iterator[Engine]:
    """The same for one in which there is no table."""
    with database(new_database_url) as engine:
        yield engine


@pytest.fixture
def watching(engine: Engine) -> Watching:
    """The product's own parts on a migrated database, in a world that is told what to do."""
    return Watching(engine)

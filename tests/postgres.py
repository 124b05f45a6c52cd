"""A PostgreSQL server of the tests' own, and a new database on it for each of them."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
from psycopg import sql

from tests.children import as_user, binary, child, is_root, private_folder
from tests.running import free_port

_PLACES = ("usr/lib/postgresql/*/bin/postgres", "usr/pgsql-*/bin/postgres")
# Nothing outlives the tests, so nothing is forced to the disk.
# Whoever cleans tables at moments of its own changes the order in which rows are found.
_HASTE = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "autovacuum=off",
)


_SHAPE = """
    SELECT md5(string_agg(format('%s %s %s %s', relname, attname, atttypid, attnotnull), ','
                          ORDER BY relname, attnum))
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace
"""
# As a replica it asks for no order among tables that depend on each other.
_EMPTY = r"""
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET session_replication_role = replica;
    DO $$ DECLARE name regclass; BEGIN
        FOR name IN SELECT oid FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
            AND relname NOT LIKE '%\_version'
        LOOP EXECUTE format('DELETE FROM %s', name); END LOOP;
    END $$;
    SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S';
"""


@dataclass(frozen=True)
class Postgres:
    """A running server, whose `password` guards it as on a real host."""

    port: int
    password: str

    def url(self, database: str) -> str:
        """The address of a database, as the settings make it of what hosts hand out."""
        return f"postgresql+psycopg://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        address = self.url(database).replace("+psycopg", "")
        return psycopg.connect(address, autocommit=True)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The address of a new, empty database; gone afterwards, whoever is still connected."""
        name = f"test_{secrets.token_hex(6)}"
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            try:
                yield self.url(name)
            finally:
                dropped = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
                connection.execute(dropped)


class Reused:
    """One database for many tests, which `prepare` made once: to make one takes a second or two.

    Each finds it without rows; a test that changed its tables has it made anew for the next.
    """

    def __init__(self, server: Postgres, prepare: Callable[[str], None]) -> None:
        self._server = server
        self._prepare = prepare
        self._made: tuple[str, str] | None = None
        self._until = ExitStack()

    @contextmanager
    def database(self) -> Iterator[str]:
        """Its address; nobody else may be given it until the block ends."""
        url, shape = self._made = self._made or self._make()
        try:
            yield url
        finally:
            self._empty(url, shape)

    def close(self) -> None:
        self._until.close()
        self._made = None

    def _make(self) -> tuple[str, str]:
        url = self._until.enter_context(self._server.database())
        self._prepare(url)
        return url, self._shape(url)

    def _empty(self, url: str, shape: str) -> None:
        if self._shape(url) != shape:
            self.close()
            return
        with self._server.connect(_name(url)) as connection:
            connection.execute(_EMPTY)
            # Rows come in the order of a new database again, where a query names none.
            connection.execute("VACUUM (INDEX_CLEANUP ON, TRUNCATE ON)")

    def _shape(self, url: str) -> str:
        with self._server.connect(_name(url)) as connection:
            (shape,) = connection.execute(_SHAPE).fetchone() or ("",)
        return str(shape)


def _name(url: str) -> str:
    return url.rpartition("/")[2]


@dataclass(frozen=True)
class Cluster:
    """A server with its data, which may be stopped and started again."""

    server: Postgres
    command: Sequence[str]
    folder: Path
    owner: str | None

    @contextmanager
    def running(self, folder: Path) -> Iterator[Postgres]:
        """The server until the block ends; then `folder`, which holds its log, is gone."""
        # INT: it ends the sessions that are still open, rather than to wait for them.
        ready = partial(_answers, self.server)
        with child(self.command, folder, ready=ready, owner=self.owner, stop="INT"):
            yield self.server


@contextmanager
def new_cluster(*, hasty: bool = True) -> Iterator[Cluster]:
    """A server on a free port of this machine alone; PostgreSQL refuses to run as root."""
    owner = "postgres" if is_root() else None
    server = Postgres(free_port(), secrets.token_hex(8))
    with private_folder(owner) as folder:
        # Both of one version, however many are installed.
        program = Path(binary("postgres", *_PLACES)).resolve()
        _make_cluster(program.with_name("initdb"), folder, server.password, owner)
        options = [f"port={server.port}", "listen_addresses=127.0.0.1", "unix_socket_directories="]
        command = [str(program), "-D", str(folder / "data")]
        for option in (*options, *(_HASTE if hasty else ())):
            command += ["-c", option]
        yield Cluster(server, command, folder, owner)


@contextmanager
def running_postgres(*, hasty: bool = True) -> Iterator[Postgres]:
    """A new server, whose data go with it, also where the tests are killed.

    One that is not `hasty` keeps what it was told also where the machine fails, as it is installed.
    """
    with new_cluster(hasty=hasty) as cluster, cluster.running(cluster.folder) as server:
        yield server


@contextmanager
def restarted(cluster: Cluster) -> Iterator[Postgres]:
    """The server on the data that it has, until the block ends."""
    with private_folder(cluster.owner) as folder, cluster.running(folder) as server:
        yield server


def _make_cluster(initdb: Path, folder: Path, password: str, owner: str | None) -> None:
    secret = folder / "password"
    secret.write_text(password)
    command = [str(initdb), "-D", str(folder / "data"), "--no-sync", "--username=postgres"]
    command += ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", f"--pwfile={secret}"]
    made = subprocess.run(command, capture_output=True, cwd=folder, check=False, **as_user(owner))
    assert made.returncode == 0, made.stderr.decode()


def _answers(server: Postgres) -> bool:
    try:
        with server.connect():
            return True
    except psycopg.OperationalError:
        return False

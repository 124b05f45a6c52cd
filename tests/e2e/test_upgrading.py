"""A new version beside the old one, on one database and one port: nobody notices. See docs/deploy.md."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from connector.adapters.store.migrate import MIGRATIONS as CONNECTOR_TABLES
from connector.config import Settings, SettingsError
from connector.databases import migrate_database
from profile_api.keys import TEST_KEY
from tests.e2e.test_backup import Receiver, asked, load
from tests.running import ROOT, clean_environment, copy_part, fake_upstream, until

NEXT = "99.0.0"
# As systemd is told to start the web server.
(WEB,) = re.findall(
    r"^ExecStart=.*/bin/(.*)$", (ROOT / "deploy/connector@.service").read_text("utf-8"), re.M
)
PARTS = ("app.py", "gunicorn.conf.py", "connector", "profile_api", "schemas", "wire")
# What systemd does for a service with a socket: the descriptor is number 3, and the process is told so.
ACTIVATED = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""
ADDED = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade():
    op.add_column("watches", sa.Column("added", sa.Text(), nullable=True))
    op.create_table("added", sa.Column("id", sa.BigInteger(), primary_key=True))
"""


class Release:
    """One version of the product, and what it is started with."""

    def __init__(self, folder: Path, environment: dict[str, str], log: Path) -> None:
        self.folder = folder
        self.environment = environment
        self.log = log

    def start(
        self, *command: str, listener: socket.socket | None = None
    ) -> subprocess.Popen[bytes]:
        words = ["-m", *command]
        handed: tuple[int, ...] = ()
        if listener:
            handed = (listener.fileno(),)
            words = ["-c", ACTIVATED, str(listener.fileno()), *words]
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, *words],
                cwd=self.folder,
                env=self.environment,
                pass_fds=handed,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def migrate(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "connector", "migrate"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


def make_next(folder: Path) -> None:
    """A copy of this version with another number, and another migration."""
    folder.mkdir()
    for part in PARTS:
        copy_part(part, folder)
    before = CONNECTOR_TABLES.newest()
    revision = f"{int(before) + 1:04}"
    script = folder / f"connector/adapters/store/migrations/versions/{revision}_added.py"
    script.write_text(ADDED.format(revision=revision, before=before))
    (folder / "connector/__init__.py").write_text(f'__version__ = "{NEXT}"\n')


class Systemd:
    """As much of it as a service of the type `notify` sees."""

    def __init__(self, folder: Path) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self._address = folder / "notify"
        self._told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._told.bind(str(self._address))
        self._told.settimeout(60)
        self.environment = {"NOTIFY_SOCKET": str(self._address)}

    def wait_until_ready(self) -> None:
        assert self._told.recv(1000).startswith(b"READY=1")

    def close(self) -> None:
        self._told.close()
        self.listener.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    running = Systemd(tmp_path)
    yield running
    running.close()


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that are ended with the test, whatever becomes of it."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(90) == 0


def version_at(url: str) -> str:
    return str(requests.get(f"{url}/openapi.json", timeout=60).json()["info"]["version"])


def test_upgrade_and_restart_under_load_drop_nothing(
    tmp_path: Path, systemd: Systemd, started: list[subprocess.Popen[bytes]]
) -> None:
    """Migrate, start the new version on the same socket, stop the old one: each request is answered.

    In between both run on the migrated database; jobs and deliveries go on with either. Where a web
    server just starts again, as for new settings, who calls meanwhile waits for it.
    """
    database = tmp_path / "connector.db"
    settings = {"DATABASE_URL": f"sqlite:///{database}", "CONNECTOR_ALLOW_LOCAL_CALLBACKS": "true"}
    environment = systemd.environment | clean_environment(**settings, WEB_WORKERS="1")
    make_next(tmp_path / "new")
    old = Release(ROOT, environment, tmp_path / "old.log")
    new = Release(tmp_path / "new", environment, tmp_path / "new.log")
    migrate_database(Settings.from_env(settings))

    def serve(release: Release) -> subprocess.Popen[bytes]:
        started.append(release.start(*WEB.split(), listener=systemd.listener))
        systemd.wait_until_ready()
        return started[-1]

    with fake_upstream() as running:
        receiver = Receiver(running)
        web = serve(old)
        started.append(worker := old.start("connector", "work"))
        with load(systemd.url, TEST_KEY, receiver.url):
            until(lambda: receiver.ids)
            assert version_at(systemd.url) != NEXT
            assert new.migrate().returncode == 0
            assert requests.get(f"{systemd.url}/readyz", timeout=60).status_code == 200
            with pytest.raises(SettingsError, match="was migrated by a newer version"):
                migrate_database(Settings.from_env(settings))
            next_web = serve(new)
            started.append(next_worker := new.start("connector", "work"))
            stop(web)
            stop(worker)
            assert version_at(systemd.url) == NEXT
            stop(next_web)
            next_web = serve(new)
            told = len(receiver.ids)
            until(lambda: len(receiver.ids) > told)
        until(lambda: asked(database, "SELECT 1 FROM jobs WHERE ended_at IS NULL") == [])
        until(lambda: asked(database, "SELECT 1 FROM deliveries WHERE state = 'pending'") == [])
        stop(next_web)
        stop(next_worker)
    assert sorted(set(receiver.ids)) == sorted(receiver.ids)

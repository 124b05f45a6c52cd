"""How a web server ends: what is in flight is answered and kept, and nothing new begins."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from profile_api.services.samples import DOCUMENTED
from tests.running import (
    ROOT,
    FakeUpstream,
    Received,
    Server,
    clean_environment,
    fake_upstream,
    reply,
    running_server,
    until,
)

NAMES = {"gthread": ".DiscreetWorker", "gevent": ".DiscreetGeventWorker"}
# Longer than the test waits: nothing may end only because it has passed.
PATIENT = {"WEB_KEEPALIVE_SECONDS": "3600", "WEB_GRACEFUL_TIMEOUT_SECONDS": "3600"}
WITHOUT_GEVENT = """
import sys
sys.modules["gevent"] = None
from gunicorn.app.wsgiapp import run
run()
"""


class Held:
    """Look-ups that an upstream answers when it is told to."""

    def __init__(self, upstream: FakeUpstream, handles: list[str]) -> None:
        self.asked = threading.Semaphore(0)
        self.go_on = threading.Event()
        for handle in handles:
            upstream.scripts[handle] = self.hold

    def hold(self, connection: socket.socket, request: Received) -> None:
        self.asked.release()
        if self.go_on.wait(60):
            user = DOCUMENTED["user"] | {"uniqueId": request.body["handle"]}
            connection.sendall(reply(200, {**DOCUMENTED, "user": user}))


def ask(url: str, action: str, **asked: object) -> dict[str, Any]:
    address = f"{url}/api/actions/{action}"
    answer = requests.post(address, json=asked, headers={"X-API-Key": "sk_any"}, timeout=60)
    assert answer.status_code == 200, answer.text
    row: dict[str, Any] = answer.json()
    return row


def look_up(url: str, handle: str) -> dict[str, Any]:
    return ask(url, "get_profile", handle=handle, max_age_seconds=3600)


def is_refused(server: Server) -> bool:
    address = urlsplit(server.url)
    try:
        socket.create_connection((address.hostname, address.port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    """One that knows every key."""
    with fake_upstream() as running:
        running.answers("None", reply(400, {"error": "'handle' parameter is required"}))
        yield running


@pytest.fixture(params=NAMES)
def worker_class(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_stop_answers_and_keeps_what_is_in_flight(
    tmp_path: Path, upstream: FakeUpstream, worker_class: str
) -> None:
    """SIGTERM in the middle of look-ups: none is cut off, and none is paid for again."""
    handles = [f"drained.{number}" for number in range(8)]
    held = Held(upstream, handles)
    settings = {"PROFILE_API_URL": upstream.url, "WEB_WORKER_CLASS": worker_class, **PATIENT}
    with (
        ThreadPoolExecutor(len(handles)) as pool,
        running_server(tmp_path, **settings) as server,
    ):
        answers = [pool.submit(look_up, server.url, handle) for handle in handles]
        for _ in handles:
            assert held.asked.acquire(timeout=60)
        server.process.terminate()
        until(lambda: is_refused(server))
        held.go_on.set()
        rows = [answer.result() for answer in answers]
        assert [row["user_unique_id"] for row in rows] == handles
        assert server.process.wait(60) == 0
    with running_server(tmp_path, **settings) as server:
        again = [look_up(server.url, handle) for handle in handles]
        usage = ask(server.url, "get_usage")
    assert [row["cached"] for row in again] == [True] * len(handles)
    assert usage["credits_this_month"] == usage["saved_this_month"] == 2 * len(handles)
    assert [len(upstream.asked_for(handle)) for handle in handles] == [1] * len(handles)


def test_connections_without_a_request_do_not_hold_up_the_end(
    tmp_path: Path, worker_class: str
) -> None:
    """One that was kept open, and one that never asked; both would be waited for."""
    with running_server(tmp_path, WEB_WORKER_CLASS=worker_class, **PATIENT) as server:
        address = urlsplit(server.url)
        with (
            requests.Session() as session,
            socket.create_connection((address.hostname, address.port)),
        ):
            assert session.get(f"{server.url}/healthz", timeout=60).ok
            assert f'{NAMES[worker_class]}"' in server.log.read_text()
            server.process.terminate()
            assert server.process.wait(60) == 0


def test_worker_that_has_waited_long_enough_ends_by_itself(
    tmp_path: Path, upstream: FakeUpstream, worker_class: str
) -> None:
    """Killed by gunicorn, it could do nothing more for what it holds."""
    held = Held(upstream, ["hangs"])
    settings = {"WEB_WORKER_CLASS": worker_class, "WEB_GRACEFUL_TIMEOUT_SECONDS": "6"}
    with (
        ThreadPoolExecutor(1) as pool,
        running_server(tmp_path, PROFILE_API_URL=upstream.url, **settings) as server,
    ):
        answer = pool.submit(look_up, server.url, "hangs")
        assert held.asked.acquire(timeout=60)
        server.process.terminate()
        assert server.process.wait(60) == 0
        assert isinstance(answer.exception(), requests.ConnectionError)
        held.go_on.set()
    assert "Worker exiting" in server.log.read_text()


def test_process_whose_server_was_killed_lets_go_of_its_address(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    """Else whoever starts it again can't listen, and callers wait for one that accepts nobody."""
    held = Held(upstream, ["orphaned"])
    with (
        ThreadPoolExecutor(1) as pool,
        running_server(tmp_path, PROFILE_API_URL=upstream.url, **PATIENT) as server,
    ):
        answer = pool.submit(look_up, server.url, "orphaned")
        assert held.asked.acquire(timeout=60)
        server.process.kill()
        try:
            until(lambda: is_refused(server), seconds=30)
        finally:
            held.go_on.set()
        assert answer.result()["user_unique_id"] == "orphaned"


def test_missing_gevent_is_explained() -> None:
    """It is no part of requirements.txt; nobody has to read a traceback to find that out."""
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_GEVENT, "app:app"],
        cwd=ROOT,
        env=clean_environment(WEB_WORKER_CLASS="gevent"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode != 0
    assert result.stderr == (
        "The setting WEB_WORKER_CLASS is wrong: gevent is not installed;"
        " 'pip install -r requirements-gevent.txt' installs it.\n"
    )

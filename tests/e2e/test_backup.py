"""A backup under load, with real processes, and its life in another place."""

from __future__ import annotations

import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.test_instant import ENCRYPTION_KEY, Product, running_product
from tests.integration.test_restoring import run
from tests.running import FakeUpstream, Received, fake_upstream, reply, until

Send = Callable[..., requests.Response]
CREDITS = 1_000_000
CALLERS = 2
# Over the number that is looked up while the caller waits, so that the worker has something to do.
HANDLES = 15


class Receiver:
    """Where jobs are called back: it may keep who calls waiting, and remembers the ids."""

    def __init__(self, served: FakeUpstream) -> None:
        self.url = served.url
        self.go_on = threading.Event()
        self.go_on.set()
        self.waiting = 0
        self.ids: list[str] = []
        served.scripts["None"] = self._answer

    def _answer(self, connection: socket.socket, request: Received) -> None:
        self.waiting += not self.go_on.is_set()
        assert self.go_on.wait(60)
        self.ids.append(request.headers["webhook-id"])
        connection.sendall(reply(200, {}))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with fake_upstream() as running:
        yield Receiver(running)


@contextmanager
def load(url: str, key: str, target_url: str) -> Iterator[None]:
    """Jobs and questions how they stand, until the block ends; each of them has to be answered."""
    over = threading.Event()

    def post(caller: int) -> None:
        # Some keep their connection, others make one for each request.
        with requests.Session() as session:
            send = session.request if caller % 2 else requests.request
            number = 0
            while not over.is_set():
                handles = [f"p{caller}.{number}.{n}" for n in range(HANDLES)]
                body = {"handles": handles, "callback_url": f"{target_url}/done"}
                job = ask(url, key, "POST", "/api/actions/get_profiles", send, **body)
                while not job["ended_at"] and not over.wait(0.2):
                    job = ask(url, key, "GET", f"/api/jobs/{job['id']}", send)
                number += 1

    with ThreadPoolExecutor(CALLERS) as pool:
        callers = [pool.submit(post, number) for number in range(CALLERS)]
        try:
            yield
        finally:
            over.set()
    for caller in callers:
        caller.result()


def ask(
    url: str, key: str, method: str, path: str, send: Send = requests.request, **body: Any
) -> Any:
    headers = {"Authorization": f"Bearer {key}"}
    answer = send(method, f"{url}{path}", json=body or None, headers=headers, timeout=60)
    assert answer.ok, answer.text
    return answer.json()


@contextmanager
def product_in(folder: Path, upstream: FakeUpstream) -> Iterator[Product]:
    """With the embedded endpoint, and so with its ledger."""
    settings = {"PROFILE_API_URL": "", "LOG_LEVEL": "INFO"}
    with running_product(folder, upstream, **settings) as product:
        yield product


def asked(file: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def test_backup_under_load_is_of_one_moment_and_goes_on_elsewhere(
    tmp_path: Path, upstream: FakeUpstream, receiver: Receiver
) -> None:
    """No event without its delivery, no credit without its request; what was on its way is sent again.

    It comes with the same webhook-id, so that a receiver can tell.
    """
    file = tmp_path / "backup.db"
    with product_in(tmp_path / "old", upstream) as product, product.worker():
        key, _ = product.server.new_key(credits=CREDITS)
        with load(product.server.url, key, receiver.url):
            until(lambda: len(receiver.ids) > CALLERS)
            receiver.go_on.clear()
            until(lambda: receiver.waiting)
            made = product.command("backup", str(file))
            assert made.returncode == 0, made.stderr
            assert "holds the whole database" in made.stdout
            refused = product.command("restore", "--replace", str(file))
            assert "is in use: stop the web server and the workers first" in refused.stderr
            receiver.go_on.set()
    assert file.stat().st_mode & 0o777 == 0o600
    assert asked(file, "SELECT credits FROM api_keys") == asked(
        file, f"SELECT {CREDITS} - SUM(credits) FROM api_requests"
    )
    both = "events LEFT JOIN deliveries USING (sequence)"
    assert asked(file, f"SELECT 1 FROM {both} WHERE webhook_id IS NULL") == []
    on_their_way = asked(file, "SELECT webhook_id FROM deliveries WHERE state = 'pending'")
    assert {webhook_id for (webhook_id,) in on_their_way} & set(receiver.ids)

    receiver.ids.clear()
    database = tmp_path / "new" / "connector.db"
    database.parent.mkdir()
    restored = run(database.parent, "restore", file, name=database.name, key=ENCRYPTION_KEY)
    assert restored.returncode == 0, restored.stderr
    end_claims(database)
    with product_in(tmp_path / "new", upstream) as product, product.worker():
        until(lambda: asked(database, "SELECT 1 FROM jobs WHERE ended_at IS NULL") == [])
        until(lambda: asked(database, "SELECT 1 FROM deliveries WHERE state = 'pending'") == [])
        ended = asked(database, "SELECT COUNT(*) FROM events")[0][0]
        key, _ = product.server.new_key(credits=CREDITS)
        assert ask(product.server.url, key, "POST", "/api/actions/get_profile", handle="ada")["id"]
    assert {webhook_id for (webhook_id,) in on_their_way} <= set(receiver.ids)
    assert ended == asked(database, "SELECT COUNT(*) FROM jobs")[0][0]


def end_claims(file: Path) -> None:
    """As after the two minutes that claims of before the restore may last."""
    with closing(sqlite3.connect(file)) as connection, connection:
        for table in ("deliveries", "job_rows", "lookups"):
            connection.execute(f"UPDATE {table} SET lease_until = 0 WHERE lease_until > 0")

"""Batches with real processes: a connector, its workers, an upstream, and whoever is called back."""

from __future__ import annotations

import csv
import io
import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from standardwebhooks import Webhook

from connector.adapters.store.tables import JobRow
from schemas.jobs import MAX_BATCH
from tests.e2e.test_instant import HEADERS, Product, running_product
from tests.running import (
    FakeUpstream,
    Received,
    fake_upstream,
    reply,
    until,
)
from tests.watched import profile

GONE = reply(404, {"error": "TikTok profile not found for handle: x"})


class Held:
    """An upstream that answers each handle as its last digit says, and stops answering for a while."""

    def __init__(self, upstream: FakeUpstream, handles: int) -> None:
        self.held_after = handles * 3 // 10
        self.go_on = threading.Event()
        self.answered: Counter[str] = Counter()
        self._lock = threading.Lock()
        upstream.scripts |= {f"h{n}": self.answer for n in range(handles)}

    def answer(self, connection: socket.socket, request: Received) -> None:
        handle = request.body["handle"]
        with self._lock:
            waits = self.answered.total() >= self.held_after and not self.go_on.is_set()
            self.answered[handle] += not waits
        if waits:
            self.go_on.wait(60)
            return  # and hangs up on whoever was killed meanwhile
        connection.sendall(self.reply_to(handle))

    def done(self) -> list[str]:
        """Handles that need no other try."""
        return [h for h, times in self.answered.items() if times > fails_once(h)]

    def reply_to(self, handle: str) -> bytes:
        kinds = {
            "1": GONE,
            "2": reply(200, profile(handle, privateAccount=True)),
            "3": reply(200, b"<html>"),
            "4": reply(400, {"error": "This handle can't be processed."}),
        }
        if self.answered[handle] <= fails_once(handle):
            return reply(500, {"error": "Try again."})
        return kinds.get(handle[-1], reply(200, profile(handle)))


@pytest.fixture
def receiver() -> Iterator[FakeUpstream]:
    with fake_upstream() as running:
        yield running


@contextmanager
def product_on(url: str, folder: Path, upstream: FakeUpstream) -> Iterator[Product]:
    with running_product(folder, upstream, DATABASE_URL=url, LOG_LEVEL="INFO") as product:
        yield product


def test_killed_worker_is_resumed_and_pays_for_no_row_twice(
    database_url: str, tmp_path: Path, receiver: FakeUpstream
) -> None:
    """A thousand handles, a tenth of them failing in each way; SIGKILL after three tenths.

    Rows come in order, with what became of each; credits are two for each that was found; whoever
    asked to be called back gets all of it, signed.
    """
    receiver.answers("None", reply(200, {}))
    handles = [f"h{n}" if n % 10 else f"not a handle {n}" for n in range(MAX_BATCH)]
    with fake_upstream() as upstream, product_on(database_url, tmp_path, upstream) as product:
        held = Held(upstream, MAX_BATCH)
        answer = requests.post(
            f"{product.server.url}/api/actions/get_profiles",
            json={
                "handles": "\n".join(["@" + handles[7].upper(), *handles, handles[3]]),
                "max_age_seconds": 0,
                "callback_url": f"{receiver.url}/done",
            },
            headers=HEADERS,
            timeout=60,
        )
        assert answer.status_code == 202
        made = answer.json()
        path = f"/api/jobs/{made['id']}"
        assert "No worker is alive" in made["problem"]
        process = product.start()
        until(lambda: held.answered.total() == held.held_after)
        until(lambda: product.call("GET", path)["done"] == MAX_BATCH // 10 + len(held.done()))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        paid = product.call("GET", path)
        asked_before = Counter(held.answered)
        held.go_on.set()
        product.end_claims(JobRow)
        product.start()
        job = until(lambda: ended(product, path), seconds=150)
        rows = product.call("GET", f"{path}/rows?limit=1000")
        (told,) = until(lambda: receiver.received)
        table = requests.get(
            f"{product.server.url}{path}/rows?format=csv", headers=HEADERS, timeout=60
        )
    assert 0 < paid["credits_used"] < job["credits_used"]
    order = [handles[7], *handles[:7], *handles[8:]]
    assert [row["handle"] for row in rows] == order
    assert [row["position"] for row in rows] == [*range(1, MAX_BATCH + 1)]
    assert [row["lookup_status"] for row in rows] == [*map(status_of, order)]
    assert (job["state"], job["done"]) == ("finished", MAX_BATCH)
    kinds = ("found", "private", "not_found", "failed")
    tenths = [job[f"{kind}_count"] / (MAX_BATCH / 10) for kind in kinds]
    assert tenths == [5, 1, 1, 3]
    assert job["credits_used"] == 2 * MAX_BATCH * 6 / 10
    tries = {handle: 1 + fails_once(handle) for handle in handles if " " not in handle}
    assert held.answered == tries
    assert asked_before.total() == held.held_after
    Webhook(made["secret"]).verify(told.raw, dict(told.headers))
    assert told.body["id"] == made["id"]
    assert told.body["profiles"] == rows == job["profiles"]
    lines = [*csv.DictReader(io.StringIO(table.content.decode()))]
    assert [line["handle"] for line in lines] == order
    assert table.headers["Content-Type"].startswith("text/csv")


def fails_once(handle: str) -> bool:
    """Without cost, so that it is tried again: few of the first, as that takes its time."""
    return handle[-1] == "5" and len(handle) < 4


def ended(product: Product, path: str) -> Any:
    job = product.call("GET", path)
    return job if job["ended_at"] else None


def status_of(handle: str) -> str:
    if " " in handle:
        return "failed"
    kinds = {"1": "not_found", "2": "private", "3": "failed", "4": "failed"}
    return kinds.get(handle[-1], "found")

"""Instant triggers with real processes: a connector, its worker, an upstream, and a receiver."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from sqlalchemy import Connection, insert, update
from standardwebhooks import Webhook, WebhookVerificationError

from connector.__main__ import cli
from connector.adapters.store.tables import Delivery, JobRow, Snapshot, Watch
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
from tests.watched import MISSING_HANDLE, database, profile
from wire.database import writing

KEY = "sk_instant_9f2c"
HEADERS = {"Authorization": f"Bearer {KEY}"}
ENCRYPTION_KEY = "SgzyCyNw8b6ZEEqEcvzvuUGsCXiWwI_PzhLs9xGGYNk="


@pytest.fixture(scope="module")
def receiver() -> Iterator[FakeUpstream]:
    with fake_upstream() as running:
        yield running


class Product:
    """The connector and its workers, as an operator runs them."""

    def __init__(self, server: Server, settings: dict[str, str], folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.log = folder / "worker.log"
        self.started: list[subprocess.Popen[bytes]] = []
        database = {"DATABASE_URL": f"sqlite:///{folder}/connector.db"}
        self._settings = database | settings
        self._environment = clean_environment(**self._settings)

    def start(self, *program: str) -> subprocess.Popen[bytes]:
        """A worker that is at work, or something else that says so."""
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, *(program or ("-m", "connector", "work"))],
                cwd=ROOT,
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.started.append(process)
        until(
            lambda: (
                self.log.read_text().count("the worker is at work") == len(self.started)
                or process.poll() is not None
            )
        )
        assert process.poll() is None, self.log.read_text()
        return process

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        process = self.start()
        try:
            yield process
        finally:
            process.terminate()
            assert process.wait(60) == 0, self.log.read_text()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction on its database, beside it."""
        with database(self._environment["DATABASE_URL"]) as engine, writing(engine) as session:
            yield session

    def end_claims(self, of: type[Delivery | JobRow | Watch]) -> None:
        """Those of a worker that was killed, rather than to wait for the minute that they last."""
        with self.writing() as session:
            session.execute(update(of).where(of.lease_until.is_not(None)).values(lease_until=1))

    def command(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """An operator's command; in this process, as starting another takes longer than what it does."""
        invoke = CliRunner(env=self._settings, catch_exceptions=False).invoke
        # What it says of who acts is of that process alone.
        done = copy_context().run(partial(invoke, cli, words, input=given))
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

    def call(self, method: str, path: str, **body: Any) -> Any:
        answer = requests.request(
            method, f"{self.server.url}{path}", json=body or None, headers=HEADERS, timeout=60
        )
        assert answer.ok, answer.text
        return answer.json()


@pytest.fixture
def product(tmp_path: Path, upstream: FakeUpstream) -> Iterator[Product]:
    with running_product(tmp_path, upstream) as product:
        yield product


@contextmanager
def running_product(folder: Path, upstream: FakeUpstream, **settings: str) -> Iterator[Product]:
    """Looks at watched profiles again after a second; may send to this machine."""
    upstream.answers("", reply(400, MISSING_HANDLE))
    upstream.scripts["None"] = upstream.scripts[""]
    settings = {
        "PROFILE_API_URL": upstream.url,
        "WATCH_MIN_INTERVAL_SECONDS": "1",
        "CONNECTOR_ALLOW_LOCAL_CALLBACKS": "true",
        "LOG_LEVEL": "DEBUG",
        "CONNECTOR_ENCRYPTION_KEYS": ENCRYPTION_KEY,
        **settings,
    }
    with running_server(folder, **settings) as server:
        product = Product(server, settings, folder)
        try:
            yield product
        finally:
            for process in product.started:
                process.kill()
                process.wait()


def subscribe(
    product: Product, upstream: FakeUpstream, platform: str, name: str, target_url: str
) -> Any:
    """A subscription to the new videos of a profile that is there."""
    upstream.answers(name, reply(200, profile(name)))
    inputs = {"handles": [f"@{name.capitalize()}"]}
    return product.call(
        "POST",
        f"/{platform}/hooks",
        trigger="new_video",
        target_url=target_url,
        inputs=inputs,
    )


def post_video(upstream: FakeUpstream, name: str) -> None:
    """Once the baseline was seen, which a second look proves, a video appears."""
    until(lambda: len(upstream.asked_for(name)) > 1)
    upstream.answers(name, reply(200, profile(name, videos=3)))


def test_subscription_tells_a_receiver_once_signed_and_ends(
    product: Product, upstream: FakeUpstream, receiver: FakeUpstream
) -> None:
    """From the subscription to the last answer, as Zapier goes through it."""
    receiver.answers("instant", reply(200, {}))
    made = subscribe(product, upstream, "zapier", "instant", f"{receiver.url}/hook")
    assert made["state"] == "active"
    note = requests.get(f"{product.server.url}/readyz", timeout=60)
    assert note.ok
    assert "connector work" in note.json()["checks"]["worker"]
    with product.worker():
        post_video(upstream, "instant")
        (event,) = until(lambda: receiver.asked_for("instant"))
        assert event.path == "/hook"
        assert event.body["latest_video_id"] == "instant-v3"
        Webhook(made["secret"]).verify(event.raw, dict(event.headers))
        with pytest.raises(WebhookVerificationError):
            Webhook(made["secret"]).verify(event.raw.replace(b"v3", b"v4"), dict(event.headers))
        ready = requests.get(f"{product.server.url}/readyz", timeout=60).json()
        assert ready["checks"]["worker"] == "ok"
        delivered = until(lambda: product.call("GET", "/zapier/deliveries?state=delivered"))
        assert [row["event_id"] for row in delivered] == [event.body["event_id"]]
        assert product.call("DELETE", f"/zapier/hooks/{made['id']}")["deleted"] is True
        assert product.call("GET", "/zapier/hooks") == []
    assert len(receiver.asked_for("instant")) == 1
    assert KEY not in product.log.read_text()
    assert made["secret"] not in product.log.read_text()


def test_dead_letters_are_listed_and_sent_again(
    product: Product, upstream: FakeUpstream, receiver: FakeUpstream
) -> None:
    """By an operator's commands; 410 ends the subscription at the first try."""
    receiver.answers("refused", reply(410, {}))
    subscribe(product, upstream, "make", "refused", f"{receiver.url}/hook")
    assert "No deliveries." in product.command("deliveries", "list").stdout
    with product.worker():
        post_video(upstream, "refused")
        (dead,) = until(lambda: product.call("GET", "/make/deliveries?state=dead")["items"])
        assert dead["attempts"] == 1
        (hook,) = product.call("GET", "/make/hooks")["items"]
        assert "410" in hook["reason"]
        assert dead["id"] in product.command("deliveries", "list", "--state", "dead").stdout
        receiver.answers("refused", reply(204, b""))
        replayed = product.command("deliveries", "replay", dead["id"])
        assert replayed.returncode == 0, replayed.stderr
        until(lambda: product.call("GET", "/make/deliveries?state=delivered")["items"])
    first, second = receiver.asked_for("refused")
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    unknown = product.command("deliveries", "replay", "999")
    assert unknown.returncode == 1
    assert "There is no delivery 999" in unknown.stderr


def test_killed_worker_loses_nothing_and_pays_nothing_twice(
    product: Product, upstream: FakeUpstream, receiver: FakeUpstream
) -> None:
    """SIGKILL while a receiver holds the event: another worker sends it again, with the same id."""
    held = threading.Event()

    def hold(_connection: socket.socket, _request: Received) -> None:
        held.set()
        time.sleep(20)

    receiver.scripts["killed"] = hold
    subscribe(product, upstream, "api", "killed", receiver.url)
    process = product.start()
    post_video(upstream, "killed")
    assert held.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    product.end_claims(Delivery)
    receiver.answers("killed", reply(200, {}))
    with product.worker():
        until(lambda: product.call("GET", "/api/deliveries?state=delivered"))
    first, second = receiver.asked_for("killed")
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.raw == second.raw
    assert json.loads(first.raw)["latest_video_id"] == "killed-v3"


def test_sigterm_finishes_what_is_in_flight(
    product: Product, upstream: FakeUpstream, receiver: FakeUpstream
) -> None:
    """The receiver answers after the signal; the answer still counts, and no one sends it again."""
    held, go = threading.Event(), threading.Event()

    def hold(connection: socket.socket, _request: Received) -> None:
        held.set()
        go.wait(10)
        connection.sendall(reply(200, {}))

    receiver.scripts["drained"] = hold
    subscribe(product, upstream, "api", "drained", receiver.url)
    process = product.start()
    post_video(upstream, "drained")
    assert held.wait(60)
    process.terminate()
    go.set()
    assert process.wait(60) == 0
    (row,) = product.call("GET", "/api/deliveries")
    assert (row["state"], row["attempts"]) == ("delivered", 1)


def test_planted_secrets_are_found_nowhere(
    product: Product, upstream: FakeUpstream, receiver: FakeUpstream
) -> None:
    """Raw database, its write-ahead log, logs at DEBUG, answers: no key, no signing secret.

    Though both come back from where they are known: from the upstream, and from the receiver.
    """
    made = subscribe(product, upstream, "api", "planted", f"{receiver.url}/s3cret-path")
    hook = f"/api/hooks/{made['id']}"
    secrets = [made["secret"], product.call("POST", f"{hook}/rotate")["secret"]]
    receiver.answers("planted", reply(500, {"error": secrets}, {"X-Secret": secrets[0]}))
    with product.worker():
        until(lambda: len(upstream.asked_for("planted")) > 1)
        product.call("POST", f"{hook}/test")
        until(lambda: receiver.asked_for("planted"))
        upstream.answers("planted", reply(500, {"error": f"Key {KEY} failed"}))
        until(lambda: product.call("GET", "/api/hooks")[0]["problems"])
        files = {path.name: path.read_bytes() for path in product.folder.glob("connector.db*")}
        answers = [
            requests.request(method, f"{product.server.url}{path}", headers=HEADERS, timeout=60)
            for method, path in (
                ("GET", "/api/hooks"),
                ("GET", "/api/deliveries"),
                ("GET", "/api/profiles/planted/history?format=csv"),
                ("POST", f"/api/hooks/{secrets[0]}/rotate"),
                ("POST", f"/api/hooks/{KEY}/test"),
            )
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404, 404]
    assert len(files["connector.db-wal"]) > 0
    assert b"planted" in b"".join(files.values())
    for delivered in receiver.asked_for("planted"):
        for secret in secrets:
            Webhook(secret).verify(delivered.raw, dict(delivered.headers))
    logs = [product.log.read_bytes(), product.server.log.read_bytes()]
    assert b"s3cret-path" not in b"".join(logs)
    told = [answer.content for answer in answers]
    spoken = [*(part for s in secrets for part in (s, s.removeprefix("whsec_"))), KEY]
    raw = [base64.b64decode(secret.removeprefix("whsec_")) for secret in secrets]
    for secret in (*(text.encode() for text in spoken), *raw):
        assert not [text for text in (*files.values(), *logs, *told) if secret in text]


def test_worker_forgets_what_is_too_old(product: Product, upstream: FakeUpstream) -> None:
    """With its first beat; what it sees meanwhile stays."""
    subscribe(product, upstream, "api", "forgotten", "https://hooks.example.com/1")
    past = {"watch_id": 1, "seen_at": 0, "status": "found"}
    with product.writing() as session:
        session.execute(insert(Snapshot).values(past))
    history = "/api/profiles/forgotten/history"
    assert [row["seen_at"][:4] for row in product.call("GET", history)] == ["1970"]
    with product.worker():
        until(lambda: upstream.asked_for("forgotten"))
        until(lambda: "1970" not in [row["seen_at"][:4] for row in product.call("GET", history)])
    assert product.call("GET", history)


def test_local_receivers_are_refused_unless_allowed(front: Server, upstream: FakeUpstream) -> None:
    """By default: with what is wrong, at the time when it can be corrected."""
    for target in ("http://hooks.example.com", "https://127.1/", "https://[::ffff:127.0.0.1]/"):
        answer = requests.post(
            f"{front.url}/zapier/hooks",
            json={"trigger": "new_video", "target_url": target, "handles": ["x"]},
            headers=HEADERS,
            timeout=60,
        )
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("target_url: ")

"""Whether a receiver that hangs holds up the others: how late their events arrive, with and without it.

The worker is the product's own process. Events are due evenly over some seconds; the hanging receiver has
a long backlog that is due before any of them.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from statistics import quantiles
from typing import Any

import click
from sqlalchemy import Engine, insert

from benchmarks.results import write_table
from connector.adapters.crypto import FernetVault, new_encryption_key
from connector.adapters.store.tables import Connection, Delivery, Event, Subscription
from connector.adapters.store.time import to_ms
from connector.databases import migrate
from connector.domain.deliveries import PENDING
from connector.domain.subscriptions import ACTIVE
from tests.running import ROOT, clean_environment
from wire.database import open_engine, writing

RECEIVERS, EACH, BACKLOG = 20, 100, 500
OVER_SECONDS = 20
# A worker of 32 threads has begun by then.
START_SECONDS = 4


class Receivers:
    """One server: `/hang` never answers, every other path does at once. Keeps when events arrived."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}
        self.port = 0

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().partition("content-length: ")[2].split()[0])
                body = json.loads(await reader.readexactly(length))
                if head.startswith("POST /hang "):
                    await asyncio.sleep(3600)
                self.arrived.setdefault(body["event_id"], time.time())
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async def _serve(self, ready: threading.Event) -> None:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await server.serve_forever()

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """In a thread of its own, until this process ends."""
        ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True).start()
        ready.wait()
        yield


def measure(*, hanging: bool) -> list[float]:
    """How many seconds after it was due each event for the other receivers arrived."""
    receivers, key = Receivers(), new_encryption_key()
    with tempfile.TemporaryDirectory() as folder, receivers.serving():
        url = f"sqlite:///{folder}/bench.db"
        engine = open_engine(url)
        migrate(engine)
        due = _fill(engine, receivers.port, key, hanging=hanging)
        settings = {
            "DATABASE_URL": url,
            "CONNECTOR_ALLOW_LOCAL_CALLBACKS": "true",
            "CONNECTOR_ENCRYPTION_KEYS": key,
        }
        command = [sys.executable, "-m", "connector", "work"]
        with subprocess.Popen(command, cwd=ROOT, env=clean_environment(**settings)) as worker:
            while time.time() < max(due.values()) + 5:
                time.sleep(0.5)
            worker.kill()
        engine.dispose()
    missing = due.keys() - receivers.arrived.keys()
    assert not missing, f"{len(missing)} events did not arrive"
    return [receivers.arrived[event] - at for event, at in due.items()]


def _fill(engine: Engine, port: int, key: str, *, hanging: bool) -> dict[str, float]:
    """Subscriptions with their deliveries; when each event for the others is due."""
    start = datetime.now(UTC) + timedelta(seconds=START_SECONDS)
    sealed = FernetVault([key]).seal(json.dumps([f"whsec_{base64.b64encode(b'x' * 32).decode()}"]))
    due: dict[str, float] = {}
    rows: list[tuple[str, str, datetime]] = []
    for number in range(RECEIVERS * EACH):
        at = start + timedelta(seconds=OVER_SECONDS) * number / (RECEIVERS * EACH)
        rows.append((f"s{number % RECEIVERS}", f"e{number}", at))
        due[f"e{number}"] = at.timestamp()
    if hanging:
        rows += [("hang", f"h{number}", start - timedelta(hours=1)) for number in range(BACKLOG)]
    with writing(engine) as session:
        owner = {"id": "c", "platform": "api", "sealed_key": sealed, "created_at": 0}
        session.execute(insert(Connection).values(owner))
        names = [*(f"s{n}" for n in range(RECEIVERS)), "hang"]
        session.execute(insert(Subscription), [_subscription(n, port, sealed) for n in names])
        session.execute(insert(Event), [_event(n, *row) for n, row in enumerate(rows, 1)])
        session.execute(insert(Delivery), [_delivery(n, *row) for n, row in enumerate(rows, 1)])
    return due


def _subscription(name: str, port: int, sealed: str) -> dict[str, Any]:
    return {
        "id": name,
        "connection_id": "c",
        "trigger": "new_video",
        "inputs": "{}",
        "inputs_hash": name,
        "interval_seconds": 900,
        "target_url": f"http://127.0.0.1:{port}/{name}",
        "sealed_secrets": sealed,
        "state": ACTIVE,
        "created_at": 0,
    }


def _event(sequence: int, name: str, event_id: str, _at: datetime) -> dict[str, Any]:
    body = json.dumps({"event_id": event_id})
    return {
        "sequence": sequence,
        "subscription_id": name,
        "event_id": event_id,
        "body": body,
        "created_at": 0,
    }


def _delivery(sequence: int, name: str, event_id: str, at: datetime) -> dict[str, Any]:
    return {
        "sequence": sequence,
        "subscription_id": name,
        "webhook_id": f"msg_{event_id}",
        "state": PENDING,
        "due_at": to_ms(at),
        "attempt": 0,
        "updated_at": 0,
    }


@click.command()
def hanging() -> None:
    """Measure how late events arrive beside a receiver that hangs, and write the table."""
    rows = []
    for name, with_it in (("every receiver answers", False), ("one of them hangs", True)):
        late = measure(hanging=with_it)
        cuts = quantiles(late, n=100)
        cells = [f"{seconds * 1000:.0f}" for seconds in (cuts[49], cuts[94], cuts[98], max(late))]
        rows.append((name, str(len(late)), *cells))
        click.echo("  ".join(rows[-1]))
    title = (
        f"Deliveries: {RECEIVERS} receivers, {EACH * RECEIVERS / OVER_SECONDS:.0f} events a second"
    )
    write_table("hanging", title, ("case", "events", "p50 ms", "p95 ms", "p99 ms", "max ms"), rows)


if __name__ == "__main__":
    hanging()

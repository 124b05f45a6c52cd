"""Real processes for tests: gunicorn with the whole product, and an upstream that does as it is told."""

from __future__ import annotations

import json
import os
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import requests

from connector.adapters.crypto import new_encryption_key
from connector.databases import migrate
from profile_api.keys import new_key
from profile_api.store import Store
from wire.database import open_engine

ROOT = Path(__file__).parent.parent
# Not sys.executable resolved: the virtual environment's own folder holds it.
NODE = str(Path(sys.executable).with_name("node"))
PLATFORM_SOURCES = {"zapier": "ZAPIER", "make": "MAKE_DOT_COM", "api": "API"}


def clean_environment(**settings: str) -> dict[str, str]:
    """The environment a fresh machine has, and `settings`."""
    names = ("PATH", "HOME", "LANG", "WEB_WORKER_CLASS")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return {**kept, **settings}


def copy_part(name: str, folder: Path) -> None:
    """Copies a file or folder of the project to `folder`, while other tests may compile what is in it."""
    source = ROOT / name
    if source.is_dir():
        shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("*.pyc.*"))
    else:
        shutil.copy(source, folder / name)


def _ports() -> Iterator[int]:
    """Those of this test process alone, below the ones that systems give to whoever asks for any."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", f"gw{os.getpid()}")[2:])
    first = 20_000 + number % 12 * 1000
    return cycle(range(first, first + 1000))


_PORTS = _ports()


def free_port() -> int:
    """One that nobody listens on, and that no other test is given before its server listens."""
    for port in _PORTS:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("unreachable")


@dataclass
class Server:
    """A running gunicorn: its address, its database, its process and its log."""

    url: str
    store: Store
    process: subprocess.Popen[bytes]
    log: Path

    def new_key(self, *, credits: int = 1_000_000, rate_limit: int = 1_000_000) -> tuple[str, int]:
        key = new_key()
        key_id = self.store.create_key(
            key, name="test", credits=credits, rate_limit=rate_limit, now=datetime.now(UTC)
        )
        assert key_id is not None
        return key, key_id

    def credits_of(self, key_id: int) -> int:
        return next(row.credits for row in self.store.list_keys() if row.id == key_id)

    def processes(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [self.process.pid, *map(int, children.split())]


@contextmanager
def running_server(folder: Path, **settings: str) -> Iterator[Server]:
    """Gunicorn with one worker on a free port, migrated and ready; ended with SIGTERM."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    database = settings.get("DATABASE_URL", f"sqlite:///{folder}/connector.db")
    engine = open_engine(database)
    migrate(engine)
    environment = clean_environment(
        **{
            "PORT": str(port),
            "DATABASE_URL": database,
            "WEB_WORKERS": "1",
            # Some tests ask as a crowd does, with one key.
            "RATE_LIMIT_PER_KEY": "0",
            "CONNECTOR_ENCRYPTION_KEYS": new_encryption_key(),
        }
        | settings
    )
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "app:app"],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, process, log)
        yield Server(url, Store(engine), process, log)
    finally:
        process.terminate()
        process.wait(90)
        engine.dispose()


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        try:
            if requests.get(f"{url}/readyz", timeout=5).ok:
                return
        except (requests.ConnectionError, requests.Timeout):
            pass  # it has just begun, on a machine that may be busy
        time.sleep(0.1)
    raise AssertionError(f"not ready: {log.read_text()}")


def until(there: Callable[[], Any], seconds: float = 100) -> Any:
    """What `there` answers, as soon as that is something."""
    for _ in range(round(seconds / 0.1)):
        if found := there():
            return found
        time.sleep(0.1)
    raise AssertionError("it never came")


def early_in_a_minute() -> None:
    """Comes back while much of the minute is left by which limits count."""
    until(lambda: time.time() % 60 < 40)


@dataclass
class Received:
    """One request as the upstream got it."""

    path: str
    headers: Mapping[str, str]
    body: Any
    raw: bytes = b""


Script = Callable[[socket.socket, Received], None]


@dataclass
class FakeUpstream:
    """A raw HTTP server whose behaviour is chosen by the handle it is asked for."""

    url: str
    scripts: dict[str, Script] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)

    def asked_for(self, handle: str) -> list[Received]:
        return [
            r for r in self.received if isinstance(r.body, dict) and r.body.get("handle") == handle
        ]

    def answers(self, handle: str, *replies: bytes) -> None:
        """Sends `replies` one request each; the last one from then on."""
        left = list(replies)
        lock = threading.Lock()

        def script(connection: socket.socket, _request: Received) -> None:
            with lock:
                reply = left.pop(0) if len(left) > 1 else left[0]
            connection.sendall(reply)

        self.scripts[handle] = script


def reply(status: int, body: object, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole HTTP answer; a body that is not bytes goes out as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        "Connection": "close",
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Status\r\n{head}\r\n".encode() + content


def _hang_up(_connection: socket.socket, _request: Received) -> None:
    """What an unknown handle gets."""


class _Handler(socketserver.BaseRequestHandler):
    upstream: FakeUpstream

    def handle(self) -> None:
        head, _, rest = self._read_head().partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:])
        }
        while len(rest) < int(headers.get("content-length", 0)):
            if not (more := self.request.recv(65536)):
                return
            rest += more
        body = json.loads(rest) if rest else None
        request = Received(lines[0].split(" ")[1], headers, body, rest)
        self.upstream.received.append(request)
        script = self.upstream.scripts.get(str((body or {}).get("handle")), _hang_up)
        # The other side hangs up, as some tests want it to.
        with suppress(OSError):
            script(self.request, request)

    def _read_head(self) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            chunk = self.request.recv(65536)
            if not chunk:
                return data
            data += chunk
        return data


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256


@contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[str]:
    """The address of a server that answers until the block ends, however that ends."""
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@contextmanager
def fake_upstream() -> Iterator[FakeUpstream]:
    upstream = FakeUpstream("")
    handler = type("Handler", (_Handler,), {"upstream": upstream})
    with serving(_Server(("127.0.0.1", 0), handler)) as upstream.url:
        yield upstream

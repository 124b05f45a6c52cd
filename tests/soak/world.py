"""The outside as the soak plays it: an upstream whose profiles post, and a receiver. Both count."""

from __future__ import annotations

import json
import select
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from tests.watched import MISSING_HANDLE, profile

# A receiver works on an event for so long, so that there is something to interrupt; on some for longer.
WORK_SECONDS = 0.05
LONG_WORK_SECONDS = 2.5
LONG_ONE_IN = 8
# Of so many events, one is refused at its first try.
REFUSED_ONE_IN = 50


def event_id(name: str, video: int) -> str:
    """The id of the event that `profile(name)` has posted its video number `video`."""
    return f"id-{name}:{name}-v{video}"


@dataclass
class World:
    """What was posted and asked, and what arrived. `hooks` are secrets by the path of their target."""

    url: str = ""
    videos: dict[str, int] = field(default_factory=dict)
    hooks: dict[str, str] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    arrived: Counter[tuple[str, str]] = field(default_factory=Counter)
    webhook_ids: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    unsigned: int = 0
    refused: set[tuple[str, str]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def post(self, name: str) -> None:
        """The profile has one more video."""
        with self.lock:
            self.videos[name] += 1

    def answer(self, handle: str | None) -> tuple[int, bytes]:
        """What the upstream answers when it is asked for `handle`."""
        if not handle:
            return 400, MISSING_HANDLE
        with self.lock:
            self.asked[handle] += 1
            videos = self.videos[handle]
        return 200, json.dumps(profile(handle, videos=videos)).encode()

    def receive(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[str, str] | None:
        """The event, as (path, event id); null where it is refused, which is at its first try."""
        told = (path, json.loads(body)["event_id"])
        with self.lock:
            try:
                Webhook(self.hooks[path]).verify(body, headers)
            except WebhookVerificationError:
                self.unsigned += 1
            self.webhook_ids.setdefault(told, set()).add(headers["webhook-id"])
            if int(told[1].rpartition("v")[2]) % REFUSED_ONE_IN or told in self.refused:
                return told
            self.refused.add(told)
            return None

    def keep(self, told: tuple[str, str]) -> None:
        """The receiver has done what the event was for."""
        with self.lock:
            self.arrived[told] += 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body of an answer in one packet each would wait for each other.
    disable_nagle_algorithm = True
    world: World

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return  # its sender was killed in the middle
        if self.path.startswith("/api/"):
            self._send(*self.world.answer(json.loads(body).get("handle")))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = self.world.receive(self.path, headers, body)
        time.sleep(WORK_SECONDS if zlib.crc32(body) % LONG_ONE_IN else LONG_WORK_SECONDS)
        if told is None:
            self._send(500, b"{}")
        elif not self._hung_up():
            self.world.keep(told)
            self._send(200, b"{}")

    def _hung_up(self) -> bool:
        """Whether the sender is gone: then what was begun for it is undone, as in a transaction."""
        return bool(select.select([self.connection], [], [], 0)[0])

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: there are thousands."""

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True  # its sender was killed


class _Server(ThreadingHTTPServer):
    request_queue_size = 256


@contextmanager
def running_world(names: list[str]) -> Iterator[World]:
    """The outside on a free port of this machine, with a profile of two videos for each name."""
    world = World(videos=dict.fromkeys(names, 2))
    handler = type("Handler", (_Handler,), {"world": world})
    with _Server(("127.0.0.1", 0), handler) as server:
        world.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield world
        server.shutdown()

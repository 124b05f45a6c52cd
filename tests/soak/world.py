"""The outside as the soak plays it, on one port: the upstream, and receivers of all kinds."""

from __future__ import annotations

import json
import random
import select
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.running import serving
from tests.soak.receivers import FORBIDDEN, HOOK, TOLD, Receivers, reset
from tests.soak.upstream import Upstream

# A receiver works on an event for so long, so that there is something to interrupt; on some for longer.
WORK_SECONDS = 0.05
LONG_WORK_SECONDS = 2.5
LONG_ONE_IN = 8
# Each process knows the upstream by an address of its own, so that the upstream knows who asks.
BY = "/by/"


def event_id(name: str, video: int) -> str:
    """The id of the event that `profile(name)` has posted its video number `video`."""
    return f"id-{name}:{name}-v{video}"


@dataclass
class World:
    """Where the outside is, and who is there."""

    url: str
    upstream: Upstream
    receivers: Receivers


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body of an answer in one packet each would wait for each other.
    disable_nagle_algorithm = True
    world: World

    def do_GET(self) -> None:
        self.world.receivers.led_astray += self.path == FORBIDDEN
        self._send(404, b"{}")

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return  # its sender was killed in the middle
        if self.path.startswith(BY):
            self._answer(body)
        elif self.path.startswith((HOOK, TOLD)):
            self._receive(body)
        elif self.path == FORBIDDEN:
            self.world.receivers.led_astray += 1
            self._send(200, b"{}")
        else:
            self.close_connection = True
            self.world.receivers.misbehave(self.path, self.connection, self.world.url)

    def _answer(self, body: bytes) -> None:
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        by = self.path.removeprefix(BY).partition("/")[0]
        answer, call = self.world.upstream.answer(key, json.loads(body), by=by)
        try:
            time.sleep(answer.after_seconds)
            if answer.status:
                self._send(answer.status, answer.body, **answer.headers)
            else:
                self.close_connection = True
                reset(self.connection)
        finally:
            if call:
                self.world.upstream.end(call)

    def _receive(self, body: bytes) -> None:
        receivers = self.world.receivers
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = receivers.receive(self.path, headers, body)
        try:
            time.sleep(WORK_SECONDS if zlib.crc32(body) % LONG_ONE_IN else LONG_WORK_SECONDS)
            if told is None:
                self._send(500, b"{}")
            elif not self._hung_up():
                receivers.keep(told)
                self._send(200, b"{}")
        finally:
            receivers.end()

    def _hung_up(self) -> bool:
        """Whether the sender is gone: then what was begun for it is undone, as in a transaction."""
        return bool(select.select([self.connection], [], [], 0)[0])

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: there are thousands."""

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True  # its sender was killed, or has had enough


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    # One that hangs is not waited for.
    daemon_threads = True


@contextmanager
def running_world(names: list[str], keys: frozenset[str], *, seed: int) -> Iterator[World]:
    """The outside on a free port of this machine, with a profile of two videos for each name."""
    upstream = Upstream(keys, dict.fromkeys(names, 2), random.Random(seed))
    world = World("", upstream, Receivers())
    handler = type("Handler", (_Handler,), {"world": world})
    with serving(_Server(("127.0.0.1", 0), handler)) as world.url:
        yield world

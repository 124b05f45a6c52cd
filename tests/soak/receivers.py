"""Receivers as the soak plays them: honest ones, which count, and hostile ones, which do as they like."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from standardwebhooks import Webhook, WebhookVerificationError

# Of so many events, one is refused at its first try.
REFUSED_ONE_IN: Final = 50
HOOK, TOLD, FORBIDDEN = "/hook/", "/told/", "/forbidden"
"""Where events of watched profiles go, other results, and what nobody may be led to."""
KEEPING_SECONDS: Final = 2.0

Told = tuple[str, str]


@dataclass
class Receivers:
    """What arrived. `secrets` sign what is sent to a path; an event is told as (path, its id)."""

    secrets: dict[str, list[str]] = field(default_factory=dict)
    arrived: Counter[Told] = field(default_factory=Counter)
    webhook_ids: dict[Told, set[str]] = field(default_factory=dict)
    hits: Counter[str] = field(default_factory=Counter)
    unsigned: int = 0
    led_astray: int = 0
    _early: dict[str, list[tuple[dict[str, str], bytes]]] = field(default_factory=dict)
    _refused: set[Told] = field(default_factory=set)
    _open: int = 0
    _kept: deque[float] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sign_with(self, path: str, secret: str) -> None:
        """What is sent to `path` is signed with `secret`, from now on or already."""
        with self._lock:
            self.secrets.setdefault(path, []).append(secret)
            early = self._early.pop(path, [])
        for headers, body in early:
            self._verify(path, headers, body)

    def receive(self, path: str, headers: dict[str, str], body: bytes) -> Told | None:
        """What is told, as (path, id); null where it is refused, which is at its first try."""
        told = (path, told_id(json.loads(body)))
        self._verify(path, headers, body)
        with self._lock:
            self._open += 1
            self.webhook_ids.setdefault(told, set()).add(headers["webhook-id"])
            if not _is_refused(told[1]) or told in self._refused:
                return told
            self._refused.add(told)
            return None

    def _verify(self, path: str, headers: dict[str, str], body: bytes) -> None:
        with self._lock:
            secrets = self.secrets.get(path)
            if not secrets:
                # It is faster than the answer that says what signs it.
                self._early.setdefault(path, []).append((headers, body))
                return
            if not any(_is_signed(secret, headers, body) for secret in secrets):
                self.unsigned += 1

    def keep(self, told: Told) -> None:
        """The receiver has done what the event was for."""
        now = time.monotonic()
        with self._lock:
            self.arrived[told] += 1
            self._kept.append(now)
            while self._kept[0] < now - KEEPING_SECONDS:
                self._kept.popleft()

    def end(self) -> None:
        """A receiver has answered, or hung up."""
        with self._lock:
            self._open -= 1

    @property
    def are_at_work(self) -> bool:
        """Whether an honest one has not answered yet."""
        return self._open > 0

    def in_flight(self) -> int:
        """Deliveries that a kill may interrupt now, before it is known that they arrived."""
        since = time.monotonic() - KEEPING_SECONDS
        with self._lock:
            return self._open + sum(at >= since for at in self._kept)

    def misbehave(self, path: str, connection: socket.socket, url: str) -> None:
        """Does what the name in a hostile `path` says."""
        name = path.split("/")[2]
        with self._lock:
            self.hits[name] += 1
        HOSTILE[name](connection, url)


def told_id(body: Mapping[str, Any]) -> str:
    """What tells one body from another: an event's id, a delivery's number, a job."""
    if "event_id" in body:
        return str(body["event_id"])
    if "profiles" in body:
        return str(body["id"])
    return str(body["event_sequence"])


def _is_refused(told: str) -> bool:
    number = told.rpartition("v")[2]
    return number.isdigit() and int(number) % REFUSED_ONE_IN == 0


def _is_signed(secret: str, headers: dict[str, str], body: bytes) -> bool:
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def _answers(head: str) -> Callable[[socket.socket, str], None]:
    def send(connection: socket.socket, url: str) -> None:
        connection.sendall(f"HTTP/1.1 {head.format(url=url)}\r\nContent-Length: 0\r\n\r\n".encode())

    return send


def _hang(connection: socket.socket, _url: str) -> None:
    connection.settimeout(60)
    connection.recv(1)


def _drip(connection: socket.socket, _url: str) -> None:
    for letter in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20:
        connection.sendall(bytes([letter]))
        time.sleep(1)


def _endless(connection: socket.socket, _url: str) -> None:
    connection.sendall(b"HTTP/1.1 500 Endless\r\nConnection: close\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65536)


def _garbage(connection: socket.socket, _url: str) -> None:
    connection.sendall(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" * 20)


def reset(connection: socket.socket, _url: str = "") -> None:
    """Hangs up without a farewell."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


HOSTILE: Final[Mapping[str, Callable[[socket.socket, str], None]]] = {
    "hang": _hang,
    "drip": _drip,
    "fail": _answers("500 Failed"),
    "gone": _answers("410 Gone"),
    "redirect": _answers("302 Found\r\nLocation: {url}/forbidden"),
    "moved": _answers("308 Moved\r\nLocation: {url}/forbidden"),
    "endless": _endless,
    "garbage": _garbage,
    "reset": reset,
}
"""What receivers may do, by name."""

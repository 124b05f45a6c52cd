"""A Redis server of the tests' own, which keeps nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.children import binary, child, private_folder
from tests.running import free_port


@dataclass(frozen=True)
class Redis:
    """A running server."""

    port: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def ask(self, *words: str) -> str:
        """The first line of its answer to one command, as it comes: `+PONG`, `:3`, `-ERR ...`."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(" ".join(words).encode() + b"\r\n")
            with connection.makefile("r", encoding="utf-8") as answer:
                return answer.readline().rstrip()

    def wipe(self) -> None:
        """Loses all that it holds, as a broker does that was replaced."""
        assert self.ask("FLUSHALL") == "+OK"


@contextmanager
def running_redis() -> Iterator[Redis]:
    """A server on a free port of this machine alone."""
    server = Redis(free_port())
    with private_folder(None) as folder:
        command = [binary("redis-server"), "--port", str(server.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(folder)]
        with child(command, folder, ready=lambda: _answers(server)):
            yield server


def _answers(server: Redis) -> bool:
    try:
        return server.ask("PING") == "+PONG"
    except OSError:
        return False

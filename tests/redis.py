"""A Redis server of the tests' own, which keeps nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from tests.children import binary, child, private_folder
from tests.running import free_port


@dataclass(frozen=True)
class Redis:
    """A running server."""

    port: int
    password: str | None = None

    @property
    def url(self) -> str:
        return f"redis://{f':{self.password}@' if self.password else ''}127.0.0.1:{self.port}/0"

    def ask(self, *words: str) -> str:
        """The first line of its answer to one command, as it comes: `+PONG`, `:3`, `-ERR ...`."""
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection,
            connection.makefile("rw", encoding="utf-8", newline="\r\n") as answer,
        ):
            if self.password:
                _said(answer, "AUTH", self.password)
            return _said(answer, *words)

    def wipe(self) -> None:
        """Loses all that it holds, as a broker does that was replaced."""
        assert self.ask("FLUSHALL") == "+OK"


@contextmanager
def running_redis(given: Redis | None = None) -> Iterator[Redis]:
    """A new server on this machine alone: the one that was `given`, or one on a free port."""
    server = given or Redis(free_port())
    with private_folder(None) as folder:
        command = [binary("redis-server"), "--port", str(server.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(folder)]
        command += ["--requirepass", server.password] if server.password else []
        with child(command, folder, ready=lambda: _answers(server)):
            yield server


def _said(answer: TextIO, *words: str) -> str:
    answer.write(" ".join(words) + "\n")
    answer.flush()
    return answer.readline().rstrip()


def _answers(server: Redis) -> bool:
    try:
        return server.ask("PING") == "+PONG"
    except OSError:
        return False

"""Clients that send or take a byte at a time, or nothing: others are answered all the same."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import requests

from connector.web.patience import HEAD_SECONDS
from tests.running import Server, running_server

THREADS = 4
CLIENTS = 12
# Of servers that two tests share.
pytestmark = pytest.mark.xdist_group("slow clients")
# What gunicorn gives each of these is but seconds.
MANY = {"silent": 60, "leaving": 60}
_POST = (
    b"POST /api/actions/get_profile HTTP/1.1\r\nHost: x\r\nX-API-Key: sk_test_demo\r\n"
    b"Content-Type: application/json\r\n"
)
SLOW = {
    "silent": b"",
    "head": b"GET /zapier/me HTTP/1.1\r\nHost: x\r\nX-A: ",
    "next head": b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET ",
    "body": _POST + b"Content-Length: 900000\r\n\r\n{",
    "chunks": _POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1000\r\n",
    # More than the kernel takes for a client that reads nothing.
    "answer": b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n" * 4,
    "leaving": b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
}


@pytest.fixture(scope="module", params=["gthread", "gevent"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One with fewer threads than there are slow clients."""
    settings = {"WEB_WORKER_CLASS": request.param, "WEB_THREADS": str(THREADS)}
    with running_server(tmp_path_factory.mktemp(request.param), **settings) as running:
        yield running


def connected(server: Server, sent: bytes) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.settimeout(60)
    client.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
    client.sendall(sent)
    return client


@contextmanager
def slow_clients(server: Server, kind: str) -> Iterator[list[socket.socket]]:
    """Clients that go on for as long as they may, a byte at a time where they have begun to send."""
    clients = [connected(server, SLOW[kind]) for _ in range(MANY.get(kind, CLIENTS))]
    if kind == "next head":
        # Now nothing is left but the half of one.
        assert all(client.recv(65536) for client in clients)
    over = threading.Event()

    def trickle() -> None:
        while not over.wait(0.2):
            for client in clients:
                with suppress(OSError):
                    client.send(b"a")

    sender = threading.Thread(target=trickle)
    if kind in ("head", "body", "chunks"):
        sender.start()
    try:
        yield clients
    finally:
        over.set()
        if sender.ident:
            sender.join()
        for client in clients:
            client.close()


def test_slow_clients_keep_nobody_from_being_answered(server: Server) -> None:
    """More of each kind than there are threads; gunicorn alone waits for them for ever."""
    for kind in SLOW:
        with slow_clients(server, kind):
            assert requests.get(f"{server.url}/healthz", timeout=120).ok, kind
    assert "Traceback" not in server.log.read_text()


def test_head_that_does_not_come_is_refused_in_our_words(server: Server) -> None:
    """Also where nobody waits for its thread: at last it is told why."""
    with connected(server, SLOW["head"]) as client:
        client.settimeout(HEAD_SECONDS + 50)
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"request_timeout"' in answer

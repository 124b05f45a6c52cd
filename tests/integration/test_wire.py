"""HTTP exchanges under a total deadline, over the network and within the process."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import pytest
import requests
import trustme

from connector.adapters.in_process import WSGIAdapter
from tests.running import FakeUpstream, Received, reply
from wire.http import (
    Broken,
    NotSent,
    Reply,
    TimedOut,
    TooLarge,
    exchange,
    new_session,
    read_bounded,
)


def ask(
    url: str, handle: str, *, session: requests.Session | None = None, seconds: float = 30
) -> Reply:
    request = requests.Request("POST", url, json={"handle": handle})
    return exchange(
        session or new_session(pool_size=2), request, deadline_seconds=seconds, max_bytes=1000
    )


def test_answer_comes_back_whole(upstream: FakeUpstream) -> None:
    upstream.answers("w.whole", reply(418, {"a": 1}, {"X-Some": "thing"}))
    answer = ask(upstream.url, "w.whole")
    assert (answer.status, answer.body, answer.headers["x-some"]) == (418, b'{"a": 1}', "thing")


def test_connection_is_used_again(upstream: FakeUpstream) -> None:
    """A pooled connection keeps no deadline of an earlier answer."""
    connections = []

    def twice(connection: socket.socket, _request: Received) -> None:
        connections.append(connection)
        for _ in range(2):
            connection.sendall(reply(200, {}, {"Connection": "keep-alive"}))
            while (got := connection.recv(65536)) and b"w.kept" not in got:
                pass

    upstream.scripts["w.kept"] = twice
    session = new_session(pool_size=1)
    assert [ask(upstream.url, "w.kept", session=session).status for _ in range(2)] == [200, 200]
    assert len(connections) == 1


def test_redirect_is_an_answer(upstream: FakeUpstream) -> None:
    upstream.answers("w.moved", reply(307, {}, {"Location": upstream.url}))
    assert ask(upstream.url, "w.moved").status == 307
    assert len(upstream.asked_for("w.moved")) == 1


def test_too_large_is_noticed_at_the_limit(upstream: FakeUpstream) -> None:
    upstream.answers("w.exact", reply(200, b"x" * 1000))
    upstream.answers("w.large", reply(200, b"x" * 1001))
    assert len(ask(upstream.url, "w.exact").body) == 1000
    with pytest.raises(TooLarge):
        ask(upstream.url, "w.large")


def test_reading_stops_where_the_limit_is_passed() -> None:
    read = []

    def chunks() -> Iterable[bytes]:
        for n in range(100):
            read.append(n)
            yield b"x" * 10

    with pytest.raises(TooLarge):
        read_bounded(chunks(), 25)
    assert len(read) == 3


def test_refused_connection_sent_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotSent):
        ask(f"http://127.0.0.1:{port}", "x")


def test_unknown_host_sent_nothing() -> None:
    with pytest.raises(NotSent):
        ask("http://no-such-host.invalid", "x")


@pytest.mark.parametrize("seconds", [0, -1])
def test_past_deadline_sends_nothing(upstream: FakeUpstream, seconds: float) -> None:
    with pytest.raises(TimedOut):
        ask(upstream.url, "w.late", seconds=seconds)
    assert upstream.asked_for("w.late") == []


def test_cookie_of_one_caller_is_not_sent_with_the_key_of_another(upstream: FakeUpstream) -> None:
    session = new_session(pool_size=1)
    upstream.answers("w.cookie", reply(200, {}, {"Set-Cookie": "session=alice; Path=/"}))
    for _ in range(2):
        ask(upstream.url, "w.cookie", session=session)
    assert [r.headers.get("cookie") for r in upstream.asked_for("w.cookie")] == [None, None]


def test_certificate_that_is_not_trusted_gets_nothing() -> None:
    """Judged in the handshake, so the call cannot have been charged."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            # The client hangs up in the handshake, and what follows is not its concern.
            with suppress(OSError), listener.accept()[0] as plain:
                context.wrap_socket(plain, server_side=True)

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(NotSent):
            ask(f"https://localhost:{listener.getsockname()[1]}", "x")


def test_tls_is_bound_by_the_deadline_too(upstream: FakeUpstream) -> None:
    """A plain server on the other end of a TLS handshake is a broken one, not a hanging one."""
    with pytest.raises((Broken, TimedOut)):
        ask(upstream.url.replace("http:", "https:"), "w.tls", seconds=10)


def test_environment_does_not_redirect_a_key(
    upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Neither a proxy variable nor a netrc, which would replace the caller's key."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    upstream.answers("w.env", reply(200, {}))
    assert ask(upstream.url, "w.env").status == 200
    (request,) = upstream.asked_for("w.env")
    assert "authorization" not in request.headers


def in_process(application: Callable[..., Any]) -> requests.Session:
    session = new_session(pool_size=1)
    session.mount("http://inside", WSGIAdapter(application))
    return session


def test_application_inside_answers_like_one_outside() -> None:
    seen: dict[str, Any] = {}

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ, body=environ["wsgi.input"].read())
        start_response("201 Created", [("Content-Type", "x/y"), ("X-A", "b")])
        return [b"an", b"swer"]

    answer = ask("http://inside/some/path?q=1", "me", session=in_process(application))
    assert (answer.status, answer.headers["x-a"], answer.body) == (201, "b", b"answer")
    assert (seen["PATH_INFO"], seen["QUERY_STRING"]) == ("/some/path", "q=1")
    assert seen["body"] == b'{"handle": "me"}'
    assert seen["CONTENT_TYPE"] == "application/json"


def test_application_inside_is_bound_by_the_deadline() -> None:
    release = threading.Event()

    def application(_environ: Any, start_response: Any) -> list[bytes]:
        release.wait(60)
        start_response("200 OK", [])
        return []

    with pytest.raises(TimedOut):
        ask("http://inside/", "x", session=in_process(application), seconds=0.2)
    release.set()


def test_application_inside_that_raises_is_broken() -> None:
    def application(_environ: Any, _start_response: Any) -> list[bytes]:
        raise RuntimeError("boom")

    with pytest.raises(Broken):
        ask("http://inside/", "x", session=in_process(application))


def test_application_inside_is_read_up_to_the_limit() -> None:
    def application(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"x" * 600, b"x" * 600]

    with pytest.raises(TooLarge):
        ask("http://inside/", "x", session=in_process(application))

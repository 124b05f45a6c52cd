"""An upstream that does everything wrong: the documented error, in time, and the process lives."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.test_get_profile import get_profile
from tests.running import FakeUpstream, Received, Server, reply

# The deadline of `hasty_front` is 2 s; what does not end by itself would take minutes.
HOPELESS_SECONDS = 120
MEGABYTE = 1024 * 1024
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def drip(data: bytes) -> Callable[[socket.socket, Received], None]:
    def script(connection: socket.socket, _request: Received) -> None:
        ends_at = time.monotonic() + HOPELESS_SECONDS
        for byte in data * 1000:
            if time.monotonic() > ends_at:
                return
            connection.sendall(bytes([byte]))
            time.sleep(0.3)

    return script


def drip_body(connection: socket.socket, request: Received) -> None:
    connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
    drip(b" ")(connection, request)


def silence(connection: socket.socket, _request: Received) -> None:
    connection.settimeout(HOPELESS_SECONDS)
    connection.recv(1)


def reset(connection: socket.socket, _request: Received) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


def send(data: bytes) -> Callable[[socket.socket, Received], None]:
    return lambda connection, _request: connection.sendall(data)


def endless(connection: socket.socket, _request: Received) -> None:
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(60):
        connection.sendall(b"100000\r\n" + b" " * MEGABYTE + b"\r\n")


USER = b'{"user": {"id": "1", "uniqueId": "x"}, "deep": '
SCRIPTS = {
    "drips.its.headers": (drip(b"HTTP/1.1 200 OK\r\nX-A: b\r\n"), 504, "upstream_timeout"),
    "drips.its.body": (drip_body, 504, "upstream_timeout"),
    "says.nothing": (silence, 504, "upstream_timeout"),
    "closes.at.once": (send(b""), 502, "upstream_invalid"),
    "resets": (reset, 502, "upstream_invalid"),
    "closes.in.mid.body": (
        send(HEAD + b'Content-Length: 5000\r\n\r\n{"user": {'),
        502,
        "upstream_invalid",
    ),
    "is.not.http": (send(b"SSH-2.0-OpenSSH_9.2\r\n"), 502, "upstream_invalid"),
    "answers.html": (send(reply(200, b"<html>hello</html>")), 502, "upstream_invalid"),
    "answers.60.mb": (send(reply(200, b" " * 60 * MEGABYTE)), 502, "upstream_invalid"),
    "never.ends": (endless, 502, "upstream_invalid"),
    "zip.bomb": (
        send(reply(200, gzip.compress(b" " * 200 * MEGABYTE), {"Content-Encoding": "gzip"})),
        502,
        "upstream_invalid",
    ),
    "is.not.gzip": (
        send(reply(200, b"plain", {"Content-Encoding": "gzip"})),
        502,
        "upstream_invalid",
    ),
    "nests.100.000": (send(reply(200, b"[" * 100_000 + b"]" * 100_000)), 502, "upstream_invalid"),
    "nests.500": (
        send(reply(200, USER + b"[" * 500 + b"]" * 500 + b"}")),
        502,
        "upstream_invalid",
    ),
    "huge.number": (send(reply(200, USER + b"9" * 5000 + b"}")), 502, "upstream_invalid"),
    "infinite.number": (send(reply(200, USER + b"1e999}")), 502, "upstream_invalid"),
    "truncated": (send(reply(200, USER)), 502, "upstream_invalid"),
    "empty.object": (send(reply(200, {})), 502, "upstream_invalid"),
    "null.user": (send(reply(200, {"user": None})), 502, "upstream_invalid"),
    "list": (send(reply(200, [{"user": {"id": "1"}}])), 502, "upstream_invalid"),
    "bad.headers": (
        send(b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"b" * 100_000 + b"\r\n\r\n{}"),
        502,
        "upstream_invalid",
    ),
}


def peak_kilobytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


@pytest.mark.parametrize("handle", SCRIPTS)
def test_hostile_answer_becomes_a_documented_error(
    front: Server, hasty_front: Server, upstream: FakeUpstream, handle: str
) -> None:
    """Within the deadline, without much memory, in the same process as before."""
    script, status, code = SCRIPTS[handle]
    upstream.scripts[handle] = script
    server = hasty_front if code == "upstream_timeout" else front
    processes = server.processes()
    before = max(map(peak_kilobytes, processes))
    response = get_profile(server, "zapier", handle, "sk_any")
    assert (response.status_code, response.json()["error_code"]) == (status, code)
    assert "charged" in response.json()["advice"]
    assert server.processes() == processes
    # 8 MB of an answer are read; parsing and decoding may hold a few copies of them.
    assert max(map(peak_kilobytes, processes)) - before < 64 * 1024
    assert len(upstream.asked_for(handle)) == 1


def test_nobody_there_is_tried_twice_and_named(tmp_path: Path) -> None:
    """A refused connection can't have been charged, so it is tried again before giving up."""
    from tests.running import free_port, running_server

    port = free_port()
    with running_server(tmp_path, PROFILE_API_URL=f"http://127.0.0.1:{port}") as server:
        response = get_profile(server, "zapier", "x.y", "sk_any")
    body = response.json()
    assert (response.status_code, body["error_code"]) == (502, "upstream_unavailable")
    assert (body["error"], body["retryable"]) == ("The profile API can't be reached.", True)


def test_loose_values_are_null_with_a_warning(front: Server, upstream: FakeUpstream) -> None:
    """One odd value costs its own field, not the row."""
    payload = {
        "user": {"id": 6659752019493208069, "uniqueId": "odd", "verified": "maybe", "bioLink": 5},
        "stats": {"followerCount": "many", "heart": 1.5, "videoCount": True},
        "itemList": [{"id": "1", "createTime": "soon"}, "not an item"],
    }
    upstream.answers("odd", reply(200, payload))
    row = get_profile(front, "make", "odd", "sk_any").json()
    assert row["id"] == "6659752019493208069"
    assert row["user_verified"] is row["stats_follower_count"] is row["hearts"] is None
    assert row["recent_video_count"] == 1
    assert {w.split(" ")[0] for w in row["warnings"]} == {
        "user.verified",
        "user.bioLink",
        "stats.followerCount",
        "stats.heart",
        "stats.videoCount",
        "createTime",
        "Items",
    }

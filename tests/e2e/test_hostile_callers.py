"""Callers that do everything wrong: refused in our words, unpaid, and not repeated in a log."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from typing import Any

import pytest
import requests

from connector.web.app import MAX_BODY_BYTES as CONNECTOR_LIMIT
from profile_api.app import MAX_BODY_BYTES as ENDPOINT_LIMIT
from schemas.errors import ErrorBody
from schemas.fields import declared_fields
from tests.running import FakeUpstream, Server, reply

SECRET = "sk_SECRET_in_a_body"
ROUTES = ["/zapier/actions/get_profile", "/api/v1/get-tiktok-profile"]
JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"


def send(server: Server, raw: bytes) -> tuple[int, str, dict[str, Any]]:
    """Sends `raw` and hangs up its side; answers the first answer's status, head and JSON body."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(raw)
        data = b""
        # A server that refuses a body may be gone before all of it was sent; its answer is there.
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return int(head.split()[1]), head.decode(), json.loads(body[:length])


def post(path: str, key: str, head: str, body: bytes) -> bytes:
    lines = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{head}\r\n\r\n"
    return lines.encode() + body


MALFORMED = {
    "no size": f'{{"key": "{SECRET}"}}\r\n\r\n'.encode(),
    "negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "no number": b"ZZ\r\nhello\r\n0\r\n\r\n",
    "no terminator": b"2\r\n{}XX0\r\n\r\n",
    "cut off": b'14\r\n{"handle": "stoolp',
    "no end": b'1a\r\n{"handle": "stoolpreside"}\r\n',
    "bad trailer": f'1a\r\n{{"handle": "stoolpreside"}}\r\n0\r\nX-API-Key {SECRET}\r\n\r\n'.encode(),
}


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("case", MALFORMED)
@pytest.mark.parametrize("kind", [JSON, FORM], ids=["json", "form"])
def test_malformed_chunks_are_a_bad_request(
    server: Server, path: str, case: str, kind: str
) -> None:
    """Not a fault of ours, and nobody's secret in the log."""
    key, key_id = server.new_key(credits=2)
    raw = post(path, key, f"{kind}\r\nTransfer-Encoding: chunked", MALFORMED[case])
    status, _, body = send(server, raw)
    assert status == 400
    if path == ROUTES[1]:
        assert body == {"error": "Invalid JSON in request body"}
    else:
        assert body["error"] == "The request body is incomplete or malformed."
    assert server.credits_of(key_id) == 2
    assert SECRET not in server.log.read_text()


@pytest.mark.parametrize("path", [*ROUTES, "/zapier/actions/get_profile?handle=stoolpresidente"])
@pytest.mark.parametrize(
    ("head", "sent"),
    [
        (f"{JSON}\r\nContent-Length: 99", b'{"handle": "abcdef"}'),
        (f"{FORM}\r\nContent-Length: 22", b"handle=stoolpres"),
        (f"{JSON}\r\nContent-Length: 9", b""),
    ],
    ids=["json", "form", "empty"],
)
def test_cut_off_request_is_not_carried_out(
    server: Server, path: str, head: str, sent: bytes
) -> None:
    """Half a handle is another handle, and whoever hung up hears no answer."""
    key, key_id = server.new_key(credits=2)
    status, _, _ = send(server, post(path, key, head, sent))
    assert status == 400
    assert server.credits_of(key_id) == 2


def test_whole_chunked_body_is_read(server: Server) -> None:
    """Or the cases above would prove nothing."""
    key, _ = server.new_key()
    body = b'1a\r\n{"handle": "stoolpresident\r\n3\r\ne"}\r\n0\r\n\r\n'
    raw = post(ROUTES[0], key, f"{JSON}\r\nTransfer-Encoding: chunked\r\nConnection: close", body)
    status, _, row = send(server, raw)
    assert (status, row["handle"]) == (200, "stoolpresidente")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /zapier/me?x=" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /zapier/me HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"GET /zapier/me HTTP/1.1\r\nHost: x\r\nno colon here\r\n\r\n", 400),
        (b"GET /zapier/me HTTP/9.9\r\nHost: x\r\n\r\n", 400),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: rot13\r\n\r\n", 501),
        (b"G\xc3\xb6T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ],
    ids=["long address", "long header", "no colon", "version", "coding", "method"],
)
def test_what_the_web_server_refuses_has_the_published_body(
    server: Server, raw: bytes, status: int
) -> None:
    """Gunicorn's own answers are HTML, which no platform can read."""
    answered, head, body = send(server, raw)
    assert answered == status
    assert "Content-Type: application/json" in head
    assert list(body) == list(declared_fields(ErrorBody))
    assert body["request_id"] in head
    assert body["request_id"] in server.log.read_text()


@pytest.mark.parametrize(
    "header",
    [
        {"SCRIPT_NAME": "/x"},
        {"SCRIPT_NAME": "/zapier"},
        {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "off"},
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "1.2.3.4"},
    ],
)
def test_no_header_of_a_caller_moves_the_application(
    server: Server, header: dict[str, str]
) -> None:
    response = requests.get(
        f"{server.url}/zapier/me", headers={"X-API-Key": "sk_test_demo", **header}, timeout=60
    )
    assert response.status_code == 200


def test_key_in_a_request_id_is_not_logged(server: Server) -> None:
    response = requests.get(
        f"{server.url}/healthz", headers={"X-Request-ID": "sk_SECRET_as_an_id"}, timeout=60
    )
    assert response.headers["X-Request-ID"] != "sk_SECRET_as_an_id"
    assert "sk_SECRET_as_an_id" not in server.log.read_text()


@pytest.mark.parametrize("body", [b"<html>Bad Request</html>", b"", b"{}", b'{"error": ""}'])
def test_connection_test_is_not_passed_by_any_web_server(
    upstream: FakeUpstream, front: Server, body: bytes
) -> None:
    """A wrong PROFILE_API_URL must not make every key look good."""
    upstream.answers("None", reply(400, body))
    response = requests.get(f"{front.url}/make/me", headers={"X-API-Key": "sk_any"}, timeout=60)
    assert (response.status_code, response.json()["error_code"]) == (502, "upstream_invalid")


def test_monstrous_names_are_answered_in_time(upstream: FakeUpstream, front: Server) -> None:
    """A capital letter 4 million times over, and 2,000 values under a name of 20,000."""
    user = {
        "id": "1",
        "uniqueId": "x",
        "A" * 4_000_000: 1,
        "n" * 20_000: dict.fromkeys(map(str, range(2_000)), 1),
    }
    upstream.answers("monstrous", reply(200, {"user": user}))
    response = requests.post(
        f"{front.url}/zapier/actions/get_profile",
        json={"handle": "monstrous"},
        headers={"X-API-Key": "sk_any"},
        timeout=60,
    )
    assert response.status_code == 200
    assert len(response.content) < 10_000


LIMITS = {
    "/zapier/actions/get_profile": CONNECTOR_LIMIT,
    "/zapier/hooks": CONNECTOR_LIMIT,
    "/api/v1/get-tiktok-profile": ENDPOINT_LIMIT,
}


@pytest.mark.parametrize(("path", "limit"), LIMITS.items())
@pytest.mark.parametrize("chunked", [False, True], ids=["sized", "chunked"])
def test_body_may_have_the_limit_and_not_a_byte_more(
    server: Server, path: str, limit: int, chunked: bool
) -> None:
    """What is too long is refused as such, unpaid; what is just short enough is read."""
    key, key_id = server.new_key(credits=2)
    for extra, status in ((0, 400), (1, 413)):
        body = json.dumps({"handle": ""}).encode().ljust(limit + extra)
        head = f"Content-Length: {len(body)}"
        if chunked:
            head = "Transfer-Encoding: chunked"
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        answered, _, said = send(server, post(path, key, f"{JSON}\r\n{head}", body))
        assert answered == status, said
    assert server.credits_of(key_id) == 2


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ("", 200),
        ("--b--\r\n", 200),
        ("--b\r\nnonsense--b--\r\n", 400),
        ("--b\r\nnonsense", 400),
        ("nonsense", 400),
        ('--b\r\nContent-Disposition: form-data; name="what"\r\n\r\nwatching\r\n--b--\r\n', 200),
    ],
)
def test_form_of_which_nothing_can_be_read_is_refused(
    server: Server, parts: str, status: int
) -> None:
    """Also where nothing is required: it was meant to say something."""
    key, _ = server.new_key()
    answer = requests.post(
        f"{server.url}/make/actions/get_usage",
        data=parts,
        headers={"X-API-Key": key, "Content-Type": "multipart/form-data; boundary=b"},
        timeout=60,
    )
    assert answer.status_code == status, answer.text
    if status == 400:
        assert answer.json()["error"] == "The request body is incomplete or malformed."

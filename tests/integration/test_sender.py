"""Sending over real sockets: signed, bounded, and to nowhere that it should not go."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from standardwebhooks import Webhook, WebhookVerificationError

from connector.adapters.sender import MAX_ANSWER_BYTES, WebhookSender
from connector.domain.deliveries import Outcome
from connector.domain.targets import is_denied
from tests.running import FakeUpstream, Received, reply
from tests.unit.test_targets import DENIED
from tests.verifying import verifies
from wire.http import new_session, retry_after_seconds

SECRETS = ["whsec_" + "QUFB" * 8, "whsec_" + "QkJC" * 8]
BODY = json.dumps({"handle": "received", "name": "Ada 🌸"}, ensure_ascii=False).encode()


def send(
    url: str,
    *,
    body: bytes = BODY,
    seconds: float = 30,
    now: datetime | None = None,
    may_dial: Callable[[str], bool] = lambda _: True,
    secrets: list[str] = SECRETS[:1],
) -> Outcome:
    sender = WebhookSender(new_session(pool_size=2, may_dial=may_dial), deadline_seconds=seconds)
    return sender.send(
        target_url=url,
        body=body,
        webhook_id="msg_1",
        secrets=secrets,
        now=now or datetime.now(UTC),
    )


def test_official_verifier_takes_the_delivery_and_no_other(upstream: FakeUpstream) -> None:
    """One flipped byte, another secret, or another id: refused."""
    raw: list[bytes] = []
    upstream.answers("received", reply(204, b""))
    assert send(upstream.url, secrets=SECRETS).delivered
    headers = upstream.asked_for("received")[-1].headers
    raw.append(BODY)
    for secret in SECRETS:
        assert Webhook(secret).verify(BODY, dict(headers)) == json.loads(BODY)
    for body, changed in (
        (BODY.replace(b"Ada", b"Bda"), {}),
        (BODY, {"webhook-id": "msg_2"}),
        (BODY, {"webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)}),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRETS[0]).verify(body, {**headers, **changed})
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "Q0ND" * 8).verify(BODY, dict(headers))
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize(("age", "accepted"), [(299, True), (300, True), (301, False)])
def test_old_delivery_can_not_be_replayed(upstream: FakeUpstream, age: int, accepted: bool) -> None:
    """So each try is signed with its own time."""
    upstream.answers("received", reply(200, {}))
    sent_at = datetime(2026, 11, 24, 12, tzinfo=UTC)
    send(upstream.url, now=sent_at)
    headers = upstream.asked_for("received")[-1].headers
    for moment in (sent_at + timedelta(seconds=age), sent_at - timedelta(seconds=age)):
        assert verifies(SECRETS[0], BODY, headers, moment) is accepted


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_is_not_followed(upstream: FakeUpstream, status: int) -> None:
    """It could lead to where the target may not."""
    before = len(upstream.received)
    upstream.answers("received", reply(status, {}, {"Location": f"{upstream.url}/metadata"}))
    outcome = send(upstream.url)
    assert (outcome.status, outcome.delivered) == (status, False)
    assert len(upstream.received) == before + 1


def test_wait_that_is_asked_for_is_read(upstream: FakeUpstream) -> None:
    now = datetime.now(UTC)
    later = now + timedelta(seconds=90)
    for text in ("90", later.strftime("%a, %d %b %Y %H:%M:%S GMT")):
        upstream.answers("received", reply(429, {}, {"Retry-After": text}))
        outcome = send(upstream.url, now=now)
        assert outcome.throttled
        assert 89 <= (outcome.retry_after_seconds or 0) <= 90


@pytest.mark.parametrize("asked", ["100000000000000", "1e300", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_nobody_waits_longer_than_a_week(asked: str) -> None:
    """Time can't be reckoned with whatever a stranger writes."""
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert retry_after_seconds({"Retry-After": asked}, now) == 7 * 24 * 3600


def test_long_answer_is_not_read(upstream: FakeUpstream) -> None:
    """100 MB offered, a little taken; and it is a success all the same."""
    sent = 0

    def offer(connection: socket.socket, _request: Received) -> None:
        nonlocal sent
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n")
        for _ in range(1600):
            connection.sendall(b" " * 65536)
            sent += 65536

    upstream.scripts["received"] = offer
    assert send(upstream.url).delivered
    # What was read, and what fits into the buffers between.
    assert sent < 100 * MAX_ANSWER_BYTES


def test_beginning_of_the_answer_is_handed_on(upstream: FakeUpstream) -> None:
    """Also where it is a failure; asked for as plain text, since nobody unpacks it."""
    upstream.answers("received", reply(422, b"No such field: name\xff"))
    assert send(upstream.url).answer == "No such field: name\ufffd"
    assert upstream.asked_for("received")[-1].headers["accept-encoding"] == "identity"
    upstream.answers("received", reply(200, b"x" * 70_000))
    assert send(upstream.url).answer == "x" * 1000
    upstream.answers("received", reply(204, b""))
    assert send(upstream.url).answer is None


def test_slow_answer_is_cut_at_the_deadline(upstream: FakeUpstream) -> None:
    def drip(connection: socket.socket, _request: Received) -> None:
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Some: thing\r\n" * 1000:
            connection.sendall(bytes([byte]))
            time.sleep(0.1)

    upstream.scripts["received"] = drip
    outcome = send(upstream.url, seconds=3)
    assert (outcome.status, outcome.error) == (None, "The receiver did not answer in time.")


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 1000\r\n\r\nhalf",
        b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nOK",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["cut off", "not gzip", "not chunked"],
)
@pytest.mark.parametrize("status", [200, 410])
def test_status_counts_however_the_body_ends(
    upstream: FakeUpstream, status: int, rest: bytes
) -> None:
    """The receiver has spoken: to send again would give it the event ten times."""
    upstream.answers("received", b"HTTP/1.1 %d Some\r\n%s" % (status, rest))
    assert send(upstream.url).status == status


def test_slow_body_is_cut_at_the_deadline_and_its_status_counts(upstream: FakeUpstream) -> None:
    def drip(connection: socket.socket, _request: Received) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b" ")
            time.sleep(0.1)

    upstream.scripts["received"] = drip
    began = time.monotonic()
    assert send(upstream.url, seconds=3).delivered
    assert time.monotonic() - began < 60


def test_long_head_is_not_read(upstream: FakeUpstream) -> None:
    """Headers are part of the answer: the library would take 6 MB of them."""
    sent = 0

    def boast(connection: socket.socket, _request: Received) -> None:
        nonlocal sent
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for number in range(95):
            line = b"X-%d: %s\r\n" % (number, b"a" * 60000)
            connection.sendall(line)
            sent += len(line)

    upstream.scripts["received"] = boast
    assert send(upstream.url).delivered
    assert sent < 50 * 60000


@dataclass
class Names:
    """A look-up of names that answers each time with the next of `answers`, the last from then on."""

    answers: list[list[str]]
    asked: list[str] = field(default_factory=list)
    release: threading.Event | None = None

    def __call__(self, host: str, port: int, *args: object, **kwargs: object) -> object:
        if not host.endswith(".example"):
            return _look_up(host, port, *args, **kwargs)  # type: ignore[arg-type]  # as they came
        self.asked.append(host)
        if self.release is not None:
            self.release.wait(30)
        addresses = self.answers[min(len(self.asked), len(self.answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in addresses]


_look_up = socket.getaddrinfo


def test_slow_look_up_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the name's own server could hold a worker beyond its lease."""
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", Names([["127.0.0.1"]], release=release))
    began = time.monotonic()
    outcome = send("http://slow.example/", seconds=0.2)
    release.set()
    assert time.monotonic() - began < 25
    assert outcome.error == "The receiver can't be reached."


def test_next_address_is_tried(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose first address is down, as IPv6 often is, still gets its events."""
    port = upstream.url.rpartition(":")[2]
    monkeypatch.setattr(socket, "getaddrinfo", Names([["127.0.0.9", "127.0.0.1"]]))
    upstream.answers("received", reply(200, {}))
    assert send(f"http://two.example:{port}/").delivered


@pytest.mark.parametrize("addresses", [["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"], []])
def test_one_denied_address_denies_the_name(
    upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    port = upstream.url.rpartition(":")[2]
    before = len(upstream.received)
    monkeypatch.setattr(socket, "getaddrinfo", Names([addresses]))
    outcome = send(
        f"http://mixed.example:{port}/", may_dial=lambda ip: not is_denied(ip, allow_local=True)
    )
    assert outcome.error == "The receiver's name leads to an address that is not public."
    assert len(upstream.received) == before


@pytest.mark.parametrize("kind", ["good", "wrong name", "expired", "nobody's"])
def test_receiver_has_to_prove_who_it_is(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name, though its address is what is dialled; and past any proxy of the environment."""
    for variable in ("HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setattr(socket, "getaddrinfo", Names([["127.0.0.1"]]))
    trusted = trustme.CA()
    trusted.cert_pem.write_to_path(tmp_path / "ca.pem")
    name = "else.example" if kind == "wrong name" else "good.example"
    ends = datetime.now(UTC) + timedelta(days=-2 if kind == "expired" else 2)
    authority = trustme.CA() if kind == "nobody's" else trusted
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_after=ends).configure_cert(context)
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(
            target=_serve_once, args=(listener, context, requests), daemon=True
        )
        thread.start()
        session = new_session(pool_size=1, may_dial=lambda _: True)
        session.verify = str(tmp_path / "ca.pem")
        outcome = WebhookSender(session).send(
            target_url=f"https://good.example:{port}/",
            body=BODY,
            webhook_id="msg_1",
            secrets=SECRETS[:1],
            now=datetime.now(UTC),
        )
        thread.join(10)
    assert outcome.delivered is (kind == "good")
    assert len(requests) == (kind == "good")


def _serve_once(listener: socket.socket, context: ssl.SSLContext, requests: list[bytes]) -> None:
    with suppress(OSError), listener.accept()[0] as plain:
        # Whoever does not trust the certificate hangs up in the handshake.
        secure = context.wrap_socket(plain, server_side=True)
        with secure:
            data = b""
            while BODY not in data:
                data += secure.recv(65536)
            requests.append(data)
            secure.sendall(reply(200, {}))


@pytest.fixture(scope="module")
def dials_of_threads() -> dict[int, list[object]]:
    """By thread, where it tried to connect a socket to, as the interpreter itself reports it."""
    dials: dict[int, list[object]] = {}

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event == "socket.connect":
            dials.setdefault(threading.get_ident(), []).append(arguments[1])

    sys.addaudithook(note)
    return dials


@pytest.fixture
def dials(dials_of_threads: dict[int, list[object]]) -> list[object]:
    """Those of this thread, from now on."""
    dials_of_threads[threading.get_ident()] = []
    return dials_of_threads[threading.get_ident()]


@pytest.mark.parametrize("address", DENIED)
def test_name_that_leads_to_a_denied_address_is_not_dialled(
    address: str, dials: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every address of the table: no socket is connected, to it or to anything else."""
    monkeypatch.setattr(socket, "getaddrinfo", Names([[address]]))
    outcome = send("https://denied.example/", may_dial=lambda ip: not is_denied(ip))
    assert outcome.error == "The receiver's name leads to an address that is not public."
    assert dials == []


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST", "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0x7f000001"),
        *("0177.0.0.1", "0", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::127.0.0.1]"),
        *("[64:ff9b::7f00:1]", "[2002:7f00:1::]", "169.254.169.254", "[fd00:ec2::254]"),
        *("10.0.0.1", "100.64.0.1", "168.63.129.16", "[fec0::1]", "[fe80::1]"),
    ],
)
def test_address_that_is_denied_is_not_dialled(
    upstream: FakeUpstream, dials: list[object], host: str
) -> None:
    """However it is spelt; the receiver that listens at some of them hears nothing."""
    before = len(upstream.received)
    port = upstream.url.rpartition(":")[2]
    outcome = send(f"http://{host}:{port}/", may_dial=lambda ip: not is_denied(ip))
    assert outcome.error == "The receiver's name leads to an address that is not public."
    assert dials == []
    assert len(upstream.received) == before


def test_dials_are_seen(upstream: FakeUpstream, dials: list[object]) -> None:
    """Or none would prove nothing."""
    upstream.answers("received", reply(200, {}))
    port = int(upstream.url.rpartition(":")[2])
    assert send(f"http://2130706433:{port}/").delivered
    assert dials == [("127.0.0.1", port)]


def test_name_is_looked_up_once(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads elsewhere the second time is not asked a second time."""
    port = int(upstream.url.rpartition(":")[2])
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, *args: object, **kwargs: object) -> object:
        if host != "rebinding.example":
            return real(host, *args, **kwargs)  # type: ignore[arg-type]  # as they came
        asked.append(host)
        address = "192.0.2.1" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    before = len(upstream.received)
    # 192.0.2.1 stands for a public address; nothing answers there.
    outcome = send(
        f"http://rebinding.example:{port}/", seconds=1, may_dial=lambda ip: ip != "127.0.0.1"
    )
    assert outcome.error == "The receiver can't be reached."
    assert len(asked) == 1
    assert len(upstream.received) == before


def test_nobody_there_is_said_without_the_address() -> None:
    outcome = send("http://127.0.0.1:9/secret-path?token=s3cret")
    assert outcome.error == "The receiver can't be reached."

"""Sending over real sockets: signed, bounded, and to nowhere that it should not go."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from connector.adapters.sender import MAX_ANSWER_BYTES, WebhookSender
from connector.domain.deliveries import Outcome
from connector.domain.targets import is_denied
from tests.running import FakeUpstream, Received, reply
from wire.http import new_session

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


@pytest.mark.parametrize(("age", "accepted"), [(295, True), (305, False)])
def test_old_delivery_can_not_be_replayed(upstream: FakeUpstream, age: int, accepted: bool) -> None:
    """So each try is signed with its own time."""
    upstream.answers("received", reply(200, {}))
    send(upstream.url, now=datetime.now(UTC) - timedelta(seconds=age))
    headers = dict(upstream.asked_for("received")[-1].headers)
    if accepted:
        assert Webhook(SECRETS[0]).verify(BODY, headers)
    else:
        with pytest.raises(WebhookVerificationError, match="too old"):
            Webhook(SECRETS[0]).verify(BODY, headers)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_is_not_followed(upstream: FakeUpstream, status: int) -> None:
    """It could lead to where the target may not."""
    before = len(upstream.received)
    upstream.answers("received", reply(status, {}, {"Location": f"{upstream.url}/metadata"}))
    outcome = send(upstream.url)
    assert (outcome.status, outcome.delivered) == (status, False)
    assert len(upstream.received) == before + 1


def test_wait_that_is_asked_for_is_read(upstream: FakeUpstream) -> None:
    later = datetime.now(UTC) + timedelta(seconds=90)
    for text in ("90", later.strftime("%a, %d %b %Y %H:%M:%S GMT")):
        upstream.answers("received", reply(429, {}, {"Retry-After": text}))
        outcome = send(upstream.url)
        assert outcome.throttled
        assert 88 <= (outcome.retry_after_seconds or 0) <= 90


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


def test_slow_answer_is_cut_at_the_deadline(upstream: FakeUpstream) -> None:
    def drip(connection: socket.socket, _request: Received) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b" ")
            time.sleep(0.1)

    upstream.scripts["received"] = drip
    outcome = send(upstream.url, seconds=0.5)
    assert (outcome.status, outcome.error) == (None, "The receiver did not answer in time.")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.1"])
def test_address_that_is_denied_is_not_dialled(upstream: FakeUpstream, name: str) -> None:
    """Judged by what the name leads to, whatever the name is."""
    before = len(upstream.received)
    port = upstream.url.rpartition(":")[2]
    outcome = send(f"http://{name}:{port}/", may_dial=lambda ip: not is_denied(ip))
    assert outcome.status is None
    assert outcome.error == "The receiver's name leads to an address that is not public."
    assert len(upstream.received) == before


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

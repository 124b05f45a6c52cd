"""Incoming webhooks over real HTTP: whoever knows the address fires them, and nobody pays for strangers."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from standardwebhooks import Webhook

from connector.web.app import MAX_BODY_BYTES
from schemas.fields import declared_fields
from schemas.profile import ProfileRow
from tests.e2e.test_hostile_callers import send
from tests.e2e.test_instant import Product, running_product
from tests.running import (
    FakeUpstream,
    Server,
    fake_upstream,
    reply,
    running_server,
    until,
)
from tests.watched import profile

SECRET = "It's a Secret to Everybody"
BODY = '{"handle": "stoolpresidente"}'
KEPT_OUT = "sk_planted_5b1d"


class Owner:
    """An account with two look-ups' worth of credits, and what it makes."""

    def __init__(self, server: Server, credits: int = 4) -> None:
        self.server = server
        self.key, self._id = server.new_key(credits=credits)
        self._credits = credits

    def call(self, method: str, path: str, **body: Any) -> Any:
        url = f"{self.server.url}{path}"
        headers = {"X-API-Key": self.key}
        answer = requests.request(method, url, json=body or None, headers=headers, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def make(self, platform: str = "api", **asked: Any) -> Any:
        return self.call("POST", f"/{platform}/webhooks", name="Form", **asked)

    @property
    def spent(self) -> int:
        return self._credits - self.server.credits_of(self._id)


@pytest.fixture
def owner(server: Server) -> Owner:
    return Owner(server)


def post(made: Any, body: str | bytes = BODY, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    headers = {"Content-Type": "application/json"} | named
    return requests.post(made["url"], data=body, headers=headers, timeout=60)


def curl(*words: str) -> Any:
    return json.loads(subprocess.check_output(["curl", "-sS", "--max-time", "60", *words]))


WAYS: dict[str, Callable[[str], Any]] = {
    "curl with json": lambda url: curl(url, "-H", "Content-Type: application/json", "-d", BODY),
    "curl with json that it calls a form": lambda url: curl(url, "-d", BODY),
    "curl with text": lambda url: curl(
        url, "-H", "Content-Type: text/plain", "--data-raw", "@stoolpresidente"
    ),
    "html form": lambda url: requests.post(
        url, data={"a": "1", "username": "@stoolpresidente"}, timeout=60
    ).json(),
    "html form with a file": lambda url: requests.post(
        url, data={"username": "stoolpresidente"}, files={"f": b"\xff"}, timeout=60
    ).json(),
    "query": lambda url: requests.get(f"{url}?handle=stoolpresidente", timeout=60).json(),
    "query of a post": lambda url: requests.post(f"{url}?user=stoolpresidente", timeout=60).json(),
    "json that it calls text": lambda url: requests.post(
        url, data=BODY, headers={"Content-Type": "text/plain"}, timeout=60
    ).json(),
    "text of no kind, with a mark": lambda url: requests.post(
        f"{url}/", data="\ufeffstoolpresidente\n".encode(), timeout=60
    ).json(),
}


@pytest.mark.parametrize("way", WAYS)
def test_handle_may_come_in_any_way(owner: Owner, way: str) -> None:
    """Without a key or a header of ours; the row comes back, for 2 credits."""
    row = WAYS[way](owner.make()["url"])
    assert list(row) == list(declared_fields(ProfileRow))
    assert (row["user_nickname"], row["request_source"]) == ("Dave Portnoy", "API")
    assert owner.spent == 2


def test_path_leads_to_the_handle(owner: Owner) -> None:
    made = owner.make("make", handle_path="items.1.who")
    body = {"handle": "nobody", "items": [{}, {"who": "stoolpresidente"}]}
    row = requests.post(made["url"], json=body, timeout=60).json()
    assert (row["user_nickname"], row["request_source"]) == ("Dave Portnoy", "MAKE_DOT_COM")
    refused = requests.post(made["url"], data={"handle": "stoolpresidente"}, timeout=60)
    assert (refused.status_code, refused.json()["error"]) == (
        400,
        "No handle was found at items.1.who.",
    )


def github(body: str, secret: str = SECRET) -> dict[str, str]:
    signature = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={signature}"}


def test_github_style_fires_and_a_wrong_signature_does_not(owner: Owner) -> None:
    made = owner.make(signature_style="github", signature_secret=SECRET)
    wrong = [github(BODY, "another secret"), github(f"{BODY} "), {}, {"X-Hub-Signature-256": "ü"}]
    for headers in wrong:
        refused = post(made, **headers)
        assert (refused.status_code, refused.json()["error_code"]) == (401, "invalid_signature")
        assert "X-Hub-Signature-256" in refused.json()["error"]
    assert owner.spent == 0
    assert post(made, **github(BODY)).json()["user_nickname"] == "Dave Portnoy"
    assert owner.spent == 2


def standard(secret: str, *, age: int = 0, message: str = "msg_1") -> dict[str, str]:
    at = datetime.now(UTC) - timedelta(seconds=age)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message, at, BODY),
    }


def test_replay_is_answered_as_before_or_refused(owner: Owner) -> None:
    """Within 5 minutes it is not done twice; after them it is nobody's."""
    made = owner.make(signature_style="standard")
    secret = made["signature_secret"]
    for age in (-330, 330):
        refused = post(made, **standard(secret, age=age))
        assert (refused.status_code, refused.json()["error_code"]) == (401, "invalid_signature")
    assert owner.spent == 0
    first, second = (post(made, **standard(secret, age=age)) for age in (0, 2))
    assert first.status_code == second.status_code == 200
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.content == first.content
    assert "Idempotent-Replayed" not in post(made, **standard(secret, message="msg_2")).headers
    assert owner.spent == 2


def test_delivery_of_github_is_done_once(owner: Owner) -> None:
    made = owner.make(signature_style="github", signature_secret=SECRET)
    first, second = (post(made, **github(BODY), X_GitHub_Delivery="guid") for _ in range(2))
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.content == first.content


def test_request_with_a_key_is_done_once(owner: Owner) -> None:
    """By either method, and never mixed with another webhook's."""
    made, other = owner.make(), owner.make()
    for _ in range(2):
        answer = post(made, Idempotency_Key="1")
    assert answer.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in post(other, Idempotency_Key="1").headers
    reused = post(made, '{"handle": "bo"}', Idempotency_Key="1")
    assert (reused.status_code, reused.json()["error_code"]) == (422, "idempotency_key_reused")
    url = f"{made['url']}?handle=stoolpresidente"
    for _ in range(2):
        answer = requests.get(url, headers={"Idempotency-Key": "2"}, timeout=60)
    assert answer.headers["Idempotent-Replayed"] == "true"


def test_ended_address_is_unknown_at_once(owner: Owner) -> None:
    """In the words that one gets which never was; 0 credits."""
    made = owner.make()
    owner.call("DELETE", f"/api/webhooks/{made['id']}")
    never = {"url": made["url"][:-1] + ("A" if made["url"][-1] != "A" else "B")}
    answers = [post(url) for url in (made, never)]
    assert [answer.status_code for answer in answers] == [404, 404]
    first, second = ({**answer.json(), "request_id": ""} for answer in answers)
    assert first == second
    assert first["error"] == "There is no such webhook."
    assert owner.spent == 0


def test_replaced_address_is_unknown_at_once(owner: Owner) -> None:
    made = owner.make()
    renewed = owner.call("POST", f"/api/webhooks/{made['id']}/rotate")
    assert post(made).status_code == 404
    assert post(renewed).status_code == 200


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE"])
def test_other_methods_look_nothing_up(owner: Owner, method: str) -> None:
    """What only looks whether it is there pays nothing; no other site's page reads an answer."""
    url = f"{owner.make()['url']}?handle=stoolpresidente"
    answer = requests.request(method, url, headers={"Origin": "https://evil.example"}, timeout=60)
    assert answer.status_code == (200 if method == "OPTIONS" else 405)
    assert not [name for name in answer.headers if name.startswith("Access-Control")]
    assert owner.spent == 0


def raw(made: Any, head: str, body: bytes) -> bytes:
    path = "/" + made["url"].split("/", 3)[3]
    return f"POST {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode() + body


BROKEN = {
    "cut off": ("Content-Type: text/plain\r\nContent-Length: 99", b"stoolpres", 400),
    "cut off form": (
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 22",
        b"handle=stoolpres",
        400,
    ),
    "malformed chunks": ("Content-Type: text/plain\r\nTransfer-Encoding: chunked", b"ZZ\r\nx", 400),
    "not json": ("Content-Type: application/json\r\nContent-Length: 1", b"{", 400),
    "no form": (
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 6",
        b"--x\r\n\r",
        400,
    ),
    "part without a name": (
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 51",
        b"--x\r\nContent-Disposition: form-data\r\n\r\nada\r\n--x--\r\n",
        400,
    ),
    "too large": (
        f"Content-Type: text/plain\r\nContent-Length: {MAX_BODY_BYTES + 1}",
        b"@stoolpresidente " * 61_682,
        413,
    ),
    "deep": (
        "Content-Type: application/json\r\nContent-Length: 20000",
        b"[" * 10_000 + b"]" * 10_000,
        400,
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_request_is_not_carried_out(owner: Owner, case: str) -> None:
    head, body, status = BROKEN[case]
    answered, _, said = send(owner.server, raw(owner.make(), head, body))
    assert (answered, list(said)) == (
        status,
        ["error", "error_code", "retryable", "advice", "request_id"],
    )
    assert owner.spent == 0


def test_limits_answer_as_published(owner: Owner) -> None:
    made = owner.make(requests_per_minute=1)
    poor = owner.make(daily_credits=1)
    refused = next(answer for answer in (post(made) for _ in range(3)) if not answer.ok)
    assert (refused.status_code, refused.json()["error_code"]) == (429, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    spent = post(poor)
    assert (spent.status_code, spent.json()["error_code"]) == (403, "budget_exceeded")
    assert owner.spent == 2


def test_fifty_at_once_keep_within_the_day(tmp_path: Path, database_url: str) -> None:
    """Exactly ten are served, over two processes; the account pays for ten."""
    with running_server(tmp_path, WEB_WORKERS="2", DATABASE_URL=database_url) as server:
        owner = Owner(server, credits=1000)
        made = owner.make(daily_credits=20, requests_per_minute=1000)

        def fire(number: int) -> int:
            return requests.get(f"{made['url']}?handle=racer{number}", timeout=60).status_code

        with ThreadPoolExecutor(50) as pool:
            assert Counter(pool.map(fire, range(50))) == {200: 10, 403: 40}
        assert owner.spent == 20
        (listed,) = owner.call("GET", "/api/webhooks")
        assert listed["credits_today"] == 20


def test_addresses_begin_with_the_public_one(tmp_path: Path, upstream: FakeUpstream) -> None:
    """And nothing secret is in a log, an error or the database, wherever it is put."""
    upstream.answers("None", reply(400, {"error": "'handle' parameter is required"}))
    upstream.answers("planted", reply(500, {"error": "x"}))
    settings = {
        "PROFILE_API_URL": upstream.url,
        "CONNECTOR_BASE_URL": "https://c.example.com/base/",
        "LOG_LEVEL": "DEBUG",
    }
    upstream.answers(
        "", reply(400, {"error": "'handle' parameter is required and must be a non-empty string."})
    )
    upstream.scripts["None"] = upstream.scripts[""]
    with running_server(tmp_path, **settings) as server:
        made = requests.post(
            f"{server.url}/api/webhooks",
            json={
                "signature_style": "github",
                "signature_secret": "planted-signature-secret",
                "mode": "forward",
                "target_url": "https://hooks.example.com/1",
            },
            headers={"X-API-Key": KEPT_OUT, "Idempotency-Key": "1"},
            timeout=60,
        ).json()
        assert made["url"].startswith("https://c.example.com/base/webhooks/wh_")
        token = made["url"].rpartition("/")[2]
        body = '{"handle": "planted"}'
        texts = [
            requests.request(
                method, f"{server.url}{path}", data=body, headers=headers, timeout=60
            ).text
            for method in ("POST", "GET", "HEAD", "PUT")
            for path in (
                f"/webhooks/{token}",
                f"/webhooks/{token}/more",
                f"/webhooks/{token}x",
                f"/webhooks/x?handle={token}",
                f"/{token}",
                f"/api/webhooks/{token}",
            )
            for headers in ({**github(body, "planted-signature-secret"), "X-Request-ID": token}, {})
        ]
        texts.append(str(send(server, f"GET /webhooks/{token} HTTP/9.9\r\n\r\n".encode())))
        log = server.log.read_text()
        database = b"".join(path.read_bytes() for path in tmp_path.glob("connector.db*"))
    assert '"route":"/webhooks/<token>","status":502' in log
    for secret in (token, "planted-signature-secret", made["secret"], KEPT_OUT):
        assert not [text for text in (*texts, log) if secret in text]
        assert secret.encode() not in database


@pytest.fixture
def product(tmp_path: Path, upstream: FakeUpstream) -> Iterator[Product]:
    with running_product(tmp_path, upstream) as product:
        yield product


def test_row_is_forwarded_signed_to_the_target(product: Product, upstream: FakeUpstream) -> None:
    """By a worker, with the secret of the answer, and seen among the deliveries."""
    upstream.answers("forwarded", reply(200, profile("forwarded")))
    with fake_upstream() as receiver, product.worker():
        receiver.answers("forwarded", reply(200, {}))
        asked = {"mode": "forward", "target_url": f"{receiver.url}/in"}
        made = product.call("POST", "/zapier/webhooks", **asked)
        answer = requests.post(made["url"], data="@Forwarded", timeout=60)
        assert (answer.status_code, answer.json()["state"]) == (202, "pending")
        (received,) = until(lambda: receiver.asked_for("forwarded"))
        event = Webhook(made["secret"]).verify(received.raw, dict(received.headers))
        until(lambda: product.call("GET", "/zapier/deliveries?state=delivered"))
    assert list(event) == [*declared_fields(ProfileRow), "event_sequence"]
    assert (str(event["event_sequence"]), event["request_source"]) == (
        answer.json()["id"],
        "ZAPIER",
    )


def test_job_is_called_back_signed(product: Product, upstream: FakeUpstream) -> None:
    """To the fixed target, or where the request says, with the secret of its own answer."""
    upstream.answers("called.back", reply(200, profile("called.back")))
    asked = {"mode": "callback", "callers_choose": True}
    with fake_upstream() as receiver, product.worker():
        receiver.scripts["None"] = lambda connection, _: connection.sendall(reply(200, {}))
        made = product.call("POST", "/api/webhooks", target_url=f"{receiver.url}/a", **asked)
        body = {"user": "called.back"}
        fixed = requests.post(made["url"], json=body, timeout=60)
        own = requests.post(
            made["url"], json={**body, "callback_url": f"{receiver.url}/b"}, timeout=60
        )
        assert (fixed.status_code, own.status_code) == (202, 202)
        assert fixed.json()["secret"] is None
        until(lambda: len(receiver.received) == 2)
    for path, secret, answer in (
        ("/a", made["secret"], fixed),
        ("/b", own.json()["secret"], own),
    ):
        (received,) = [one for one in receiver.received if one.path == path]
        job = Webhook(secret).verify(received.raw, dict(received.headers))
        assert (job["id"], job["state"]) == (answer.json()["id"], "finished")
        assert [row["handle"] for row in job["profiles"]] == ["called.back"]


def test_commands_make_list_and_end(product: Product, upstream: FakeUpstream) -> None:
    """The API key comes from the standard input or the environment, and no argument holds a secret."""
    upstream.answers("commanded", reply(200, profile("commanded")))
    made = run(product, "create", "--name", "Form\x1b")
    assert made.returncode == 0, made.stderr
    url = re.search(r"^url: http://.*(/webhooks/wh_\S+)$", made.stdout, re.M)
    assert url
    assert "signature_secret" not in made.stdout
    row = requests.get(f"{product.server.url}{url[1]}?handle=commanded", timeout=60).json()
    assert (row["handle"], row["request_source"]) == ("commanded", "API")
    listed = run(product, "list").stdout
    (webhook_id,) = re.findall(
        r"^([0-9a-f]{32})  api  answer  unsigned  active  Form\?$", listed, re.M
    )
    assert run(product, "revoke", webhook_id).returncode == 0
    assert "There is no such webhook" in run(product, "revoke", webhook_id).stderr
    assert requests.get(f"{product.server.url}{url[1]}?handle=x", timeout=60).status_code == 404
    refused = run(product, "create", "--mode", "forward")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "target_url: Give it with the mode forward" in refused.stderr
    assert "Give the API key" in run(product, "create", key="").stderr


def run(
    product: Product, *words: str, key: str = "sk_commanded"
) -> subprocess.CompletedProcess[str]:
    return product.command("webhooks", *words, given=f"{key}\n")

"""Idempotency-Key over real HTTP: whatever a caller repeats, it is done and paid once."""

from __future__ import annotations

import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.running import FakeUpstream, Received, Server, reply
from tests.watched import MISSING_HANDLE, profile

ACTION = "/zapier/actions/get_profile"


def post(
    server: Server, name: str, path: str = ACTION, *, key: str = "row-1", **body: object
) -> requests.Response:
    headers = {"X-API-Key": f"sk_{name}", "Idempotency-Key": key}
    body = {"handle": name, "max_age_seconds": 0, **body}
    return requests.post(server.url + path, json=body, headers=headers, timeout=60)


@pytest.mark.parametrize("path", [ACTION, "/make/searches/find_profile", "/api/request"])
def test_twenty_at_once_cost_one_call(front: Server, upstream: FakeUpstream, path: str) -> None:
    """One is done; the others are told to wait, or get its answer."""
    name = f"once_{path.split('/')[1]}"

    def answer(connection: socket.socket, _request: Received) -> None:
        time.sleep(0.5)
        connection.sendall(reply(200, profile(name)))

    upstream.scripts[name] = answer
    request = {"url": "/api/v1/get-tiktok-profile", "body": {"handle": name}}

    def send(_: int) -> requests.Response:
        return post(front, name, path, **request)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(send, range(20)))
    statuses = Counter(response.status_code for response in answers)
    assert statuses[200] >= 1
    assert statuses[200] + statuses[409] == 20
    again = send(0)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert {each.text for each in answers if each.ok} == {again.text}
    assert len(upstream.asked_for(name)) == 1


def test_key_of_another_request_is_refused(front: Server, upstream: FakeUpstream) -> None:
    upstream.answers("reused", reply(200, profile("reused")))
    assert post(front, "reused").status_code == 200
    refused = post(front, "reused", handle="other")
    assert (refused.status_code, refused.json()["error_code"]) == (422, "idempotency_key_reused")
    assert post(front, "reused", key="row-2").status_code == 200
    assert len(upstream.asked_for("reused")) == 2
    assert upstream.asked_for("other") == []


def test_failure_that_cost_nothing_is_tried_again(front: Server, upstream: FakeUpstream) -> None:
    upstream.answers("flaky", reply(500, {"error": "Down."}), reply(200, profile("flaky")))
    assert post(front, "flaky").status_code == 502
    assert post(front, "flaky").status_code == 200


def test_failure_that_may_have_cost_is_not_repeated(front: Server, upstream: FakeUpstream) -> None:
    """The caller has to look first; a new key asks again."""
    upstream.answers("broken", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", reply(200, {}))
    for _ in range(2):
        assert post(front, "broken").json()["error_code"] == "upstream_invalid"
    assert len(upstream.asked_for("broken")) == 1


def test_subscription_is_made_once(front: Server, upstream: FakeUpstream) -> None:
    """A workflow that is run again makes no second one; the secret is shown again."""
    upstream.answers("", reply(400, MISSING_HANDLE))
    upstream.scripts["None"] = upstream.scripts[""]
    asked = {
        "trigger": "new_video",
        "target_url": "https://hooks.example.com/1",
        "handles": ["subscribed"],
    }
    first, second = (post(front, "subscribed", "/api/hooks", **asked) for _ in range(2))
    assert first.status_code == second.status_code == 201
    assert first.json()["secret"] == second.json()["secret"]
    listed = requests.get(
        f"{front.url}/api/hooks", headers={"X-API-Key": "sk_subscribed"}, timeout=60
    )
    assert len(listed.json()) == 1


def test_form_is_still_read(front: Server, upstream: FakeUpstream) -> None:
    upstream.answers("formed", reply(200, profile("formed")))
    headers = {"X-API-Key": "sk_formed", "Idempotency-Key": "1"}
    for _ in range(2):
        answer = requests.post(
            front.url + ACTION, data={"handle": "formed"}, headers=headers, timeout=60
        )
        assert answer.json()["user_id"] == "id-formed"


def test_bad_key_is_told_first(front: Server) -> None:
    answer = requests.post(front.url + ACTION, headers={"Idempotency-Key": "1"}, timeout=60)
    assert answer.status_code == 401

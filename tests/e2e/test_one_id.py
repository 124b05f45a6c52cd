"""One id leads through all of it: the request's line, the worker's lines, rows, upstream and receiver."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import requests

from tests.e2e.test_instant import running_product
from tests.running import FakeUpstream, fake_upstream, reply, until
from tests.watched import profile

GIVEN = "order-4711.a"


def lines(*logs: Path) -> list[dict[str, Any]]:
    """Each line of the logs: there is none that is no JSON object."""
    return [json.loads(line) for log in logs for line in log.read_text().splitlines()]


def test_request_is_followed_to_its_receiver(tmp_path: Path, upstream: FakeUpstream) -> None:
    """Through real processes, and none but the lines that belong to it have its id."""
    upstream.answers("followed", reply(200, profile("followed")))
    with running_product(tmp_path, upstream) as product, fake_upstream() as receiver:
        receiver.scripts["None"] = lambda connection, _: connection.sendall(reply(200, {}))
        with product.worker():
            made = product.call(
                "POST", "/api/webhooks", mode="callback", target_url=f"{receiver.url}/secret-path"
            )
            fired = requests.post(
                made["url"],
                json={"handle": "followed"},
                headers={"X-Request-ID": GIVEN},
                timeout=60,
            )
            (delivery,) = until(lambda: product.call("GET", "/api/deliveries?state=delivered"))
            job = product.call("GET", f"/api/jobs/{fired.json()['id']}")
        web, work = lines(product.server.log), lines(product.log)
    assert fired.headers["X-Request-ID"] == GIVEN
    assert [asked.headers["x-request-id"] for asked in upstream.asked_for("followed")] == [GIVEN]
    assert [sent.headers["x-request-id"] for sent in receiver.received] == [GIVEN]
    assert (delivery["request_id"], job["request_id"]) == (GIVEN, GIVEN)
    assert followed(web) == [
        ("request", {"method": "POST", "route": "/webhooks/<token>", "status": 202})
    ]
    row = {"job_id": job["id"], "handle": "followed", "outcome": "found", "credits": 2}
    sent = {"delivery_id": int(delivery["id"]), "outcome": "delivered", "status": 200}
    target = {"problem": None, "target": f"{receiver.url}/…path"}
    # In whatever order: the row is kept, and so the delivery begun, before its line is written.
    assert dict(followed(work)) == {
        "row of a batch": {**row, "attempt": 1},
        "delivery tried": {**sent, **target, "attempt": 1},
    }
    assert {line["logger"] for line in web} == {"gunicorn.error", "connector.requests"}
    assert [line["event"] for line in work if "worker" in line] == [
        "the worker is at work",
        "the worker has stopped",
    ]


def followed(log: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """What the lines with the id say, but for times."""
    mine = [line for line in log if line.get("request_id") == GIVEN]
    times = ("timestamp", "milliseconds", "level", "logger", "event", "request_id")
    return [
        (line["event"], {key: value for key, value in line.items() if key not in times})
        for line in mine
        if all(key in line for key in times)
    ]

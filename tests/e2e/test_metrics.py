"""`/metrics` of real processes: true for all of them together, and for nobody else's eyes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from connector.adapters.metrics import Metrics
from connector.config import Settings
from connector.observing import answer_scrapes
from connector.web.metrics import Scrape, metrics_app
from tests.running import (
    ROOT,
    FakeUpstream,
    Server,
    clean_environment,
    fake_upstream,
    free_port,
    reply,
    running_server,
    until,
)
from tests.watched import MISSING_HANDLE, profile

TOKEN = "metrics-t0ken"
KEY = "sk_counted_31c7"
HANDLE = "counted.one"
HEADERS = {"Authorization": f"Bearer {KEY}"}


def scrape(url: str, token: str = TOKEN) -> dict[str, float]:
    """Every sample by its name and the values of its labels."""
    answer = requests.get(
        f"{url}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=60
    )
    assert answer.ok, answer.text
    assert KEY not in answer.text
    assert HANDLE not in answer.text
    families = text_string_to_metric_families(answer.text)
    return {named(s.name, s.labels): s.value for family in families for s in family.samples}


def named(name: str, labels: Mapping[str, str]) -> str:
    return " ".join([name.removeprefix("connector_"), *labels.values()])


def look_up(server: Server, times: int) -> None:
    for _ in range(times):
        requests.post(
            f"{server.url}/zapier/actions/get_profile",
            json={"handle": HANDLE},
            headers=HEADERS,
            timeout=60,
        ).raise_for_status()


def test_processes_count_together_and_restarts_lose_nothing(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    """A process that takes another's place goes on with its counts, in its files."""
    upstream.answers(HANDLE, reply(200, profile(HANDLE)))
    counted = "http_requests_total POST zapier /zapier/actions/get_profile 200"
    with running_server(
        tmp_path,
        PROFILE_API_URL=upstream.url,
        CONNECTOR_METRICS_TOKEN=TOKEN,
        WEB_WORKERS="2",
        TMPDIR=str(tmp_path),
    ) as server:
        for _ in range(3):
            # gunicorn starts one after the other.
            before = until(lambda: len(now := set(server.processes())) == 3 and now)
            look_up(server, 4)
            found = scrape(server.url)
            for pid in before - {server.process.pid}:
                os.kill(pid, signal.SIGKILL)
            until(lambda old=before: len(set(server.processes()) - old) == 2)
        look_up(server, 4)
        found = scrape(server.url)
        (folder,) = tmp_path.glob("connector-metrics-*")
        # gunicorn itself may have one place more.
        assert len(list(folder.glob("counter_*.db"))) <= 3
        requests.request("BREW", f"{server.url}/{HANDLE}", timeout=60)
        after = scrape(server.url)
    assert found[counted] == 16
    assert found["cache_lookups_total miss"] + found["cache_lookups_total hit"] == 16
    assert found["upstream_call_seconds_count look_up ok"] == found["cache_lookups_total miss"]
    assert found["credits_today charged get_profile"] == 2
    assert found["database_up"] == 1
    # What strangers make up is no label, and a scrape counts for nothing.
    assert after["http_requests_total (none) (none) (none) 404"] == 1
    assert not [name for name in after if "/metrics" in name]
    assert not folder.exists()
    log = server.log.read_text()
    assert "GET /metrics" not in log
    assert TOKEN not in log


def test_only_who_has_the_token_reads(server: Server, front: Server) -> None:
    """Without one, everybody where sample data answers, and nobody where keys cost money."""
    assert requests.get(f"{server.url}/metrics", timeout=60).ok
    hidden = requests.get(f"{front.url}/metrics", timeout=60)
    assert (hidden.status_code, hidden.json()["error_code"]) == (404, "not_found")
    scraped = Scrape(lambda: b"x 1", "text/plain", token=TOKEN, is_open=True)
    assert TOKEN not in repr(scraped)
    client = metrics_app(scraped).test_client()
    for given in ("", TOKEN, f"Bearer {TOKEN}x", "Bearer \xff"):
        answer = client.get("/metrics", headers={"Authorization": given})
        assert (answer.status_code, answer.json["error_code"]) == (401, "invalid_token")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).data == b"x 1"


def test_worker_on_a_machine_of_its_own_is_scraped_there(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    """Its tries are its own; what the database knows is asked of the web server, for all."""
    upstream.answers(HANDLE, reply(200, profile(HANDLE)))
    upstream.scripts["None"] = lambda connection, _request: connection.sendall(
        reply(400, MISSING_HANDLE)
    )
    port = free_port()
    settings = {
        "PROFILE_API_URL": upstream.url,
        "CONNECTOR_METRICS_TOKEN": TOKEN,
        "CONNECTOR_ALLOW_LOCAL_CALLBACKS": "true",
        "CONNECTOR_ENCRYPTION_KEYS": "SgzyCyNw8b6ZEEqEcvzvuUGsCXiWwI_PzhLs9xGGYNk=",
        "WORKER_METRICS_PORT": str(port),
        "DATABASE_URL": f"sqlite:///{tmp_path}/connector.db",
    }
    with fake_upstream() as receiver, running_server(tmp_path, **settings) as server:
        # What a sample is of, before a look and after it.
        receiver.answers("stoolpresidente", reply(200, {}))
        receiver.answers(HANDLE, reply(200, {}))
        worker = subprocess.Popen(
            [sys.executable, "-m", "connector", "work"], cwd=ROOT, env=clean_environment(**settings)
        )
        try:
            hook = requests.post(
                f"{server.url}/api/hooks",
                json={
                    "trigger": "new_video",
                    "target_url": f"{receiver.url}/hook",
                    "inputs": {"handles": [HANDLE]},
                },
                headers=HEADERS,
                timeout=60,
            ).json()
            requests.post(
                f"{server.url}/api/hooks/{hook['id']}/test", headers=HEADERS, timeout=60
            ).raise_for_status()
            url = f"http://127.0.0.1:{port}"
            until(lambda: receiver.received)
            until(lambda: status_at(f"{url}/metrics"))
            theirs = until(
                lambda: (found := scrape(url)).get("delivery_try_seconds_count delivered") and found
            )
            until(lambda: scrape(url).get("watch_look_seconds_count ok"))
            ours = scrape(server.url)
            assert "workers_alive" not in theirs
            assert ours["workers_alive"] == ours["subscriptions_active"] == 1
            assert not [name for name in ours if name.startswith("delivery_try")]
            refused = requests.get(f"{url}/metrics", timeout=60)
            assert refused.status_code == 401
        finally:
            worker.terminate()
            assert worker.wait(60) == 0


def status_at(url: str) -> int | None:
    """Null while nobody listens."""
    with suppress(requests.ConnectionError):
        return requests.get(url, timeout=60).status_code
    return None


def test_worker_whose_port_another_still_has_works_and_answers_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As at an upgrade, where the new version starts before the old one stops."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    with socket.create_server(("127.0.0.1", port)):
        answer_scrapes(Settings(), port, Metrics())
        until(lambda: caplog.messages)
    until(lambda: status_at(url) == 200)

"""Credits are charged once, for answers only; keys stay where they belong."""

from __future__ import annotations

import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.e2e.test_get_profile import get_profile
from tests.running import (
    PLATFORM_SOURCES,
    FakeUpstream,
    Received,
    early_in_a_minute,
    reply,
    running_server,
)
from tests.watched import MISSING_HANDLE, profile

PLANTED = "sk_planted_7c1f5e0b9a"


def test_fifty_at_once_on_twenty_credits(tmp_path: Path, database_url: str) -> None:
    """Exactly ten are served, over two processes, and not a credit is over- or underdrawn."""
    with running_server(tmp_path, WEB_WORKERS="2", DATABASE_URL=database_url) as server:
        key, key_id = server.new_key(credits=20)
        with ThreadPoolExecutor(50) as pool:
            answers = list(
                pool.map(lambda n: get_profile(server, "api", f"racer{n}", key), range(50))
            )
        assert Counter(r.status_code for r in answers) == {200: 10, 403: 40}
        assert server.credits_of(key_id) == 0
        assert sum(r.credits for r in server.store.latest_requests(1000)) == 20


def test_two_hundred_at_once_share_one_call(
    tmp_path: Path, database_url: str, upstream: FakeUpstream
) -> None:
    """Over four processes: one asks the upstream, and all get what it answered."""

    def answer(connection: socket.socket, _request: Received) -> None:
        time.sleep(1)
        connection.sendall(reply(200, profile("shared")))

    upstream.scripts["shared"] = answer
    settings = {"PROFILE_API_URL": upstream.url, "DATABASE_URL": database_url, "WEB_WORKERS": "4"}
    key = {"X-API-Key": f"sk_shared_{tmp_path.name}"}
    before = len(upstream.asked_for("shared"))
    with running_server(tmp_path, **settings) as server, ThreadPoolExecutor(200) as pool:
        url = f"{server.url}/zapier/actions/get_profile"
        body = {"handle": "@Shared"}
        answers = list(
            pool.map(lambda _: requests.post(url, json=body, headers=key, timeout=60), range(200))
        )
    assert {answer.status_code for answer in answers} == {200}
    assert len(upstream.asked_for("shared")) - before == 1
    assert sum(answer.json()["credits_used"] for answer in answers) == 2


def test_fifty_at_once_on_a_limit_of_ten(tmp_path: Path, database_url: str) -> None:
    """The key's own limit counts over all processes; beyond it nothing is charged."""
    with running_server(tmp_path, WEB_WORKERS="2", DATABASE_URL=database_url) as server:
        key, key_id = server.new_key(credits=1000, rate_limit=10)
        early_in_a_minute()
        url = f"{server.url}/api/v1/get-tiktok-profile"

        def ask(_: int) -> requests.Response:
            return requests.post(
                url,
                json={"handle": "stoolpresidente"},
                headers={"Authorization": f"Bearer {key}"},
                timeout=60,
            )

        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(ask, range(50)))
        served = [r for r in answers if r.status_code == 200]
        assert len(served) == 10
        assert server.credits_of(key_id) == 1000 - 2 * len(served)
        refused = next(r for r in answers if r.status_code == 429)
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert refused.headers["X-RateLimit-Remaining"] == "0"


def test_no_key_in_any_log_or_error(tmp_path: Path, upstream: FakeUpstream) -> None:
    """Planted wherever a caller could put it, and echoed by the upstream; found nowhere."""
    echo = {"error": f"API key {PLANTED} is unknown to us"}
    upstream.answers("echoes.the.key", reply(401, echo))
    upstream.answers("fails.with.key", reply(500, echo))
    upstream.answers("None", reply(401, echo))
    with running_server(tmp_path, PROFILE_API_URL=upstream.url, LOG_LEVEL="DEBUG") as server:
        texts = []
        for platform in PLATFORM_SOURCES:
            for handle in ("echoes.the.key", "fails.with.key"):
                texts.append(get_profile(server, platform, handle, PLANTED).text)
            for path, headers in (
                ("me", {"X-API-Key": PLANTED}),
                (f"me?api_key={PLANTED}", {}),
                (f"{PLANTED}", {}),
                (f"searches/find_profile?handle={PLANTED}%20x", {"X-API-Key": PLANTED}),
            ):
                url = f"{server.url}/{platform}/{path}"
                texts.append(requests.get(url, headers=headers, timeout=60).text)
        log = server.log.read_text()
        database = b"".join(path.read_bytes() for path in tmp_path.glob("connector.db*"))
    assert "get_profile" in log
    assert not [text for text in (*texts, log) if PLANTED in text]
    assert PLANTED.encode() not in database


def test_malformed_header_is_not_logged_with_its_key(tmp_path: Path) -> None:
    """Gunicorn refuses such a request itself, before any code of ours."""
    import socket

    with running_server(tmp_path) as server:
        host, port = server.url.removeprefix("http://").split(":")
        for line in (f"Authorization Bearer {PLANTED}", f"Bad {PLANTED}: x", f"X\0{PLANTED}: y"):
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(f"GET /api/me HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n".encode())
                answer = connection.recv(65536)
            assert b" 400 " in answer
            assert PLANTED.encode() not in answer
        log = server.log.read_text()
    assert PLANTED not in log


def test_keys_are_stored_as_hashes(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        key, _ = server.new_key()
        assert get_profile(server, "api", "stoolpresidente", key).status_code == 200
        database = b"".join(path.read_bytes() for path in tmp_path.glob("connector.db*"))
        log = server.log.read_text()
    assert key.encode() not in database
    assert key not in log


def test_key_of_a_watcher_is_kept_sealed(tmp_path: Path, upstream: FakeUpstream) -> None:
    """The connector has to use it while nobody asks, and keeps it unreadable all the same."""
    upstream.answers("None", reply(400, MISSING_HANDLE))
    upstream.answers("sealed.one", reply(200, profile("sealed.one")))
    with running_server(tmp_path, PROFILE_API_URL=upstream.url) as server:
        response = requests.get(
            f"{server.url}/zapier/triggers/new_video?handles=sealed.one",
            headers={"X-API-Key": PLANTED},
            timeout=60,
        )
        assert response.status_code == 200
        log = server.log.read_text()
        database = b"".join(path.read_bytes() for path in tmp_path.glob("connector.db*"))
    assert b"sealed.one" in database
    assert PLANTED.encode() not in database
    assert PLANTED not in log

"""Limits a minute for a key and for an address: who is counted, where, and what is said beyond them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from connector.adapters import shared_counts
from connector.adapters.counts import MemoryCounts
from connector.adapters.shared_counts import QUIET_SECONDS, RedisCounts
from connector.domain.ports import Clock
from connector.web.errors import register_errors
from connector.web.rates import Counts, Rates, limit_rates
from connector.web.trace import register_trace
from tests.redis import Redis, running_redis
from tests.running import free_port

KEY = "sk_SECRET_that_is_counted"
LIMIT = 3


@dataclass
class Clock0(Clock):
    """Time that stands still unless it is told to go on."""

    moment: datetime = field(default_factory=lambda: datetime(2026, 1, 1, 12, 0, 20, tzinfo=UTC))

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


def door(clock: Clock0, counts: Counts | None = None, *, key: int = 0, address: int = 0) -> Flask:
    """An application with one route, and the limits."""
    app = Flask("door")
    register_trace(app)
    rates = Rates(counts=counts or MemoryCounts(), clock=clock, per_key=key, per_address=address)
    limit_rates(app, rates)
    register_errors(app, pages={})
    for path in ("/", "/healthz", "/readyz", "/metrics"):
        app.add_url_rule(path, path, lambda: "here")
    return app


def statuses(
    app: Flask, address: str = "8.8.8.8", times: int = LIMIT + 1, **asked: object
) -> list[int]:
    client = app.test_client()
    place = {"REMOTE_ADDR": address}
    path = str(asked.pop("path", "/"))
    return [client.get(path, environ_base=place, **asked).status_code for _ in range(times)]


Shared = Callable[[str, Clock0], RedisCounts]
REFUSED = [200] * LIMIT + [429]
ALL = [200] * (LIMIT + 1)


def test_key_is_refused_beyond_its_limit_whichever_way_it_comes() -> None:
    app = door(Clock0(), key=LIMIT)
    assert statuses(app, headers={"X-API-Key": KEY}) == REFUSED
    assert statuses(app, headers={"Authorization": f"Bearer {KEY}"}, times=1) == [429]
    assert statuses(app, headers={"X-API-Key": "sk_another"}, times=1) == [200]
    assert statuses(app) == ALL


def test_refusal_says_how_long_to_wait_and_the_next_minute_forgives() -> None:
    clock = Clock0()
    app = door(clock, key=LIMIT)
    statuses(app, headers={"X-API-Key": KEY})
    answer = app.test_client().get("/", headers={"X-API-Key": KEY})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "40")
    assert answer.json["error_code"] == "rate_limited"
    assert answer.json["error"] == "This connector takes 3 requests a minute from one API key."
    clock.sleep(40)
    assert statuses(app, headers={"X-API-Key": KEY}) == REFUSED


@pytest.mark.parametrize(
    ("address", "other", "same"),
    [
        ("8.8.8.8", "8.8.4.4", "::ffff:8.8.8.8"),
        ("2a00:1450:1:2::1", "2a00:1450:1:3::1", "2a00:1450:1:2:ffff::9"),
        ("8.8.8.8:40000", "8.8.4.4:40000", "8.8.8.8:40001"),
        ("[2a00:1450:1:2::1]:40000", "[2a00:1450:1:3::1]:40000", "2a00:1450:1:2::1"),
    ],
    ids=["IPv4", "IPv6", "IPv4 and a port", "IPv6 and a port"],
)
def test_address_is_refused_beyond_its_limit_whatever_it_asks(
    address: str, other: str, same: str
) -> None:
    """Guesses at keys, tokens and paths too; by IPv6 one customer has a whole network."""
    app = door(Clock0(), address=LIMIT)
    assert statuses(app, address, path="/nowhere") == [404] * LIMIT + [429]
    assert statuses(app, same, times=1) == [429]
    assert statuses(app, other, times=1) == [200]


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "fd00::1", "10.1.2.3:80", "unix:", ""]
)
def test_address_of_a_proxy_of_ones_own_is_not_counted(address: str) -> None:
    """Else everybody behind it would share one limit, wherever TRUSTED_PROXIES isn't set."""
    assert statuses(door(Clock0(), address=LIMIT), address) == ALL


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_monitors_are_never_refused(path: str) -> None:
    app = door(Clock0(), key=LIMIT, address=LIMIT)
    assert statuses(app, path=path, headers={"X-API-Key": KEY}) == ALL


def test_minute_that_ended_does_not_begin_again() -> None:
    """Of requests around its end the earlier may come last."""
    counts = MemoryCounts()
    assert [counts.count(["a"], minute)[0] for minute in [7, 6] * 3] == [1, 2, 3, 4, 5, 6]
    assert counts.count(["a"], 8) == [1]
    # A clock that ran ahead, and was set right, locks nobody out.
    assert counts.count(["a"], 6) == [1]


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shared]:
    """Makes counts in a Redis, and lets go of its connections at the end."""
    # A slow machine is no Redis that is gone.
    monkeypatch.setattr(shared_counts, "_TIMEOUT_SECONDS", 30)
    made: list[RedisCounts] = []

    def counts(url: str, clock: Clock0) -> RedisCounts:
        made.append(RedisCounts(url, clock))
        return made[-1]

    yield counts
    for each in made:
        each._redis.close()


def test_processes_count_together_in_redis_and_no_key_is_in_it(
    redis: Redis, shared: Shared
) -> None:
    redis.wipe()
    clock = Clock0()
    one, other = (door(clock, shared(redis.url, clock), key=LIMIT) for _ in range(2))
    assert statuses(one, headers={"X-API-Key": KEY}, times=2) == [200, 200]
    assert statuses(other, headers={"X-API-Key": KEY}, times=2) == [200, 429]
    assert redis.ask("DBSIZE") == ":1"
    assert redis.ask("EXISTS", f"connector:rate:29454480:key:{KEY}") == ":0"


def test_a_crowd_is_counted_together(redis: Redis, shared: Shared) -> None:
    """However many ask at the same moment: they wait for one of a few connections."""
    redis.wipe()
    counts, together = shared(redis.url, Clock0()), threading.Barrier(120)
    with ThreadPoolExecutor(together.parties) as crowd:

        def count(_number: int) -> int:
            together.wait()
            return counts.count(["key:one"], 1)[0]

        counted = sorted(crowd.map(count, range(together.parties)))
    assert counted == [*range(1, together.parties + 1)]


def test_requests_are_answered_while_redis_is_gone(
    caplog: pytest.LogCaptureFixture, shared: Shared
) -> None:
    """Each process counts alone then; it is said once when that begins, and once when it ends."""
    caplog.set_level(logging.WARNING)
    clock = Clock0()
    server = Redis(free_port(), password="SECRETword")
    app = door(clock, shared(server.url, clock), key=LIMIT)
    assert statuses(app, headers={"X-API-Key": KEY}) == REFUSED
    clock.sleep(QUIET_SECONDS)
    assert statuses(app, headers={"X-API-Key": KEY}, times=1) == [429]
    with running_redis(server):
        clock.sleep(QUIET_SECONDS)
        assert statuses(app, headers={"X-API-Key": KEY}) == REFUSED
    assert [record.message for record in caplog.records] == [
        "limits count in each process alone (ConnectionError)",
        "limits count in all processes again",
    ]

"""A whole worker in this process, with receivers on this machine: what holds up what."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from connector.adapters.sender import WebhookSender
from connector.domain.ports import Due
from connector.services.working import Worker
from tests.running import FakeUpstream, Received, fake_upstream, reply, until
from tests.watched import ToldClock, ToldWakeups, Watching, profile
from wire.http import new_session

THREADS = 8
BUSY, QUIET = 40, 10


class WaitingClock:
    """Says the time that it is told, and waits for real."""

    def __init__(self, told: ToldClock) -> None:
        self.now = told.now
        self.monotonic, self.sleep = time.monotonic, time.sleep


class Running:
    """A worker at work, and one receiver for everybody, chosen by the handle."""

    def __init__(self, watching: Watching, worker: Worker, receiver: FakeUpstream) -> None:
        self.watching = watching
        self.worker = worker
        self.receiver = receiver

    def subscribe(self, name: str) -> None:
        """A subscription to a profile whose first look is done."""
        hooks = replace(self.watching.hooks, allow_local=True)
        self.watching.profiles.answers[name] = profile(name)
        target = f"{self.receiver.url}/{name}"
        hooks.subscribe("new_video", target, {"handles": [name]}, self.watching.caller())
        self.watching.look()

    def post(self, name: str, videos: int) -> None:
        """So many events, which are due when the next look is."""
        self.watching.profiles.answers[name] = profile(name, videos=2 + videos)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        thread = threading.Thread(target=self.worker.run)
        thread.start()
        try:
            yield
        finally:
            self.worker.stop()
            thread.join()


@pytest.fixture
def database_kind() -> str:
    """One of them: threads and sockets are what is tried."""
    return "sqlite"


@pytest.fixture
def running(watching: Watching) -> Iterator[Running]:
    with fake_upstream() as receiver, new_session(pool_size=THREADS) as session:
        worker = replace(
            watching.worker(),
            courier=replace(
                watching.courier,
                sender=WebhookSender(session, deadline_seconds=60),
                allow_local=True,
            ),
            clock=WaitingClock(watching.clock),
            threads=THREADS,
        )
        yield Running(watching, worker, receiver)


def test_hanging_receiver_holds_up_nobody_else(running: Running) -> None:
    """It has the older and the longer backlog; all that is for others arrives while it hangs."""
    done, arrived, lock = threading.Event(), [], threading.Lock()

    def hang(connection: socket.socket, _request: Received) -> None:
        done.wait(60)
        connection.sendall(reply(200, {}))

    def answer(connection: socket.socket, request: Received) -> None:
        with lock:
            arrived.append(request.body["event_id"])
            if len(arrived) == QUIET * 3:
                done.set()
        connection.sendall(reply(200, {}))

    names = ["hanging", "ada", "bo", "cy"]
    for name in names:
        running.receiver.scripts[name] = hang if name == "hanging" else answer
        running.subscribe(name)
        running.post(name, BUSY if name == "hanging" else QUIET)
        running.watching.clock.move(seconds=1)
    running.watching.clock.move(minutes=20)
    with running.at_work():
        assert done.wait(50)
        held = len(running.receiver.asked_for("hanging"))
    assert held <= 4
    assert len(set(arrived)) == QUIET * 3


def test_hanging_receivers_leave_threads_for_looks(running: Running) -> None:
    """However many hang: what is watched is still looked at."""
    done, looked = threading.Event(), threading.Event()
    call = running.watching.profiles.call

    def notice(body: Any, **kwargs: Any) -> Any:
        if body["handle"] == "dot":
            looked.set()
        return call(body, **kwargs)

    def hang(connection: socket.socket, _request: Received) -> None:
        done.wait(60)
        connection.sendall(reply(200, {}))

    names = ["ada", "bo", "cy"]
    for name in names:
        running.receiver.scripts[name] = hang
        running.subscribe(name)
        running.post(name, BUSY)
    running.watching.clock.move(minutes=20)
    running.watching.look()
    running.subscribe("dot")
    running.watching.profiles.call = notice  # type: ignore[method-assign]
    with running.at_work():
        until(lambda: sum(len(running.receiver.asked_for(name)) for name in names) >= THREADS // 2)
        running.watching.clock.move(minutes=20)
        assert looked.wait(20)
        done.set()


def test_batches_hold_up_nothing_else(running: Running) -> None:
    """However many hang: half of the threads are left for looks and deliveries."""
    running.subscribe("ada")
    running.receiver.answers("ada", reply(200, {}))
    arrived, go_on, asked = threading.Event(), threading.Event(), []
    call = running.watching.profiles.call

    def hang(body: Any, **kwargs: Any) -> Any:
        if body["handle"].startswith("row"):
            asked.append(body["handle"])
            go_on.wait(50)
        return call(body, **kwargs)

    def arrive(connection: socket.socket, _request: Received) -> None:
        arrived.set()
        connection.sendall(reply(200, {}))

    running.watching.profiles.call = hang  # type: ignore[method-assign]
    running.receiver.scripts["ada"] = arrive
    for key in ("sk_b", "sk_c"):
        rows = [f"row{n}" for n in range(20)]
        running.watching.jobs.look_up(rows, running.watching.caller(key), max_age_seconds=60)
    with running.at_work():
        until(lambda: len(asked) == THREADS // 2)
        running.post("ada", 1)
        running.watching.clock.move(minutes=20)
        assert arrived.wait(50)
        assert len(asked) == THREADS // 2
        go_on.set()


def test_worker_that_is_woken_begins_a_batch(running: Running) -> None:
    """Its first rows are told of; what they leave is found by the sweeps that follow."""
    woken: list[Callable[[Due, int], None]] = []

    class Wakes(ToldWakeups):
        @contextmanager
        def heard(self, wake: Callable[[Due, int], None], *, threads: int) -> Iterator[None]:
            woken.append(wake)
            yield

    watching = running.watching
    rows = [f"row{n}" for n in range(30)]
    swept, claim_due = threading.Event(), watching.stores.jobs.claim_due

    def sweep(*args: Any, **kwargs: Any) -> Any:
        try:
            return claim_due(*args, **kwargs)
        finally:
            swept.set()

    watching.stores.jobs.claim_due = sweep  # type: ignore[method-assign]
    running.worker = replace(running.worker, wakeups=Wakes(), sweep_seconds=1e6)
    with running.at_work():
        assert swept.wait(50)
        job = watching.jobs.look_up(rows, watching.caller(), max_age_seconds=60).value
        ((kind, number), *_) = watching.wakeups.sent
        woken[0](kind, number)
        until(lambda: watching.jobs.find(job["id"], watching.caller())["ended_at"])
    assert sorted(handle for handle, _ in watching.profiles.asked) == sorted(rows)

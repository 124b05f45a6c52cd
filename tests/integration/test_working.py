"""A whole worker in this process, with receivers on this machine: what holds up what."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from connector.adapters.sender import WebhookSender
from connector.adapters.store.workers import Workers
from connector.adapters.wakeups import NoWakeups
from connector.services.working import Worker
from tests.running import FakeUpstream, Received, fake_upstream, reply
from tests.watched import ToldClock, Watching, profile
from wire.database import open_engine
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
def running(tmp_path: Path) -> Iterator[Running]:
    engine = open_engine(f"sqlite:///{tmp_path}/working.db")
    watching = Watching(engine)
    with fake_upstream() as receiver, new_session(pool_size=THREADS) as session:
        worker = Worker(
            name="w",
            watches=watching.watches,
            deliveries=watching.deliveries,
            workers=Workers(engine),
            watcher=watching.watcher,
            courier=replace(watching.courier, sender=WebhookSender(session), allow_local=True),
            forgetting=watching.forgetting,
            wakeups=NoWakeups(),
            clock=WaitingClock(watching.clock),
            random=lambda: 0.5,
            threads=THREADS,
            sweep_seconds=0,
        )
        yield Running(watching, worker, receiver)
    engine.dispose()


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

"""One soak: profiles post, visitors ask, processes are killed, and in the end everything has arrived."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import requests
from sqlalchemy import Engine

from tests.soak.books import Books
from tests.soak.killing import Killing
from tests.soak.load import Visitor
from tests.soak.measuring import Measuring
from tests.soak.plan import HOSTILE_KEY, HOSTILE_NAME, POLLED_KEY, SENT_KEY, Plan
from tests.soak.processes import Process, Web, Worker
from tests.soak.receivers import HOOK, Told
from tests.soak.routes import routes_in
from tests.soak.tally import Tally
from tests.soak.upstream import LISTED_VIDEOS, connection_of
from tests.soak.world import World, event_id

HANDLES_EACH = 5
SETTLED_SECONDS = 240
# Longer than anything is held back: a row of a batch that failed three times waits two minutes.
QUIET_SECONDS = 150


@dataclass
class Soak:
    """The running product in its world. `say` tells whoever watches how it goes."""

    plan: Plan
    world: World
    web: Web
    workers: list[Worker]
    engine: Engine
    say: Callable[[str], None]
    environment: dict[str, str]
    tally: Tally = field(default_factory=Tally)
    polled: set[str] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)
    routes: frozenset[str] = frozenset()
    exit_codes: list[int] = field(default_factory=list)
    visitors: list[Visitor] = field(default_factory=list)
    killing: Killing = field(init=False)
    measuring: Measuring = field(init=False)
    half_at: float = 0.0
    held_back: int = 0

    def run(self) -> None:
        """Everything, in order."""
        self._begin()
        started = time.monotonic()
        self.half_at = started + self.plan.seconds / 2
        self.killing = Killing(
            world=self.world,
            web=self.web,
            workers=self.workers,
            chance=random.Random(self.plan.seed),
            say=self.say,
            every_seconds=self.plan.kill_seconds,
            spare_at=started + self.plan.seconds / 3,
            over=self.over,
        )
        self.measuring = Measuring.over(self.plan.seconds, self._processes)
        self.world.upstream.hostile = not self.plan.is_brief
        self._storm(started)
        self._settle()
        self.over.set()
        for worker in self.workers:
            worker.wait_until_ready()
        self.exit_codes = [process.stop() for process in self.processes]

    @property
    def processes(self) -> list[Process]:
        """All that may be killed."""
        return [*self.workers, self.web]

    def _begin(self) -> None:
        self.web.start()
        self.web.wait_until_ready()
        self.routes = routes_in(requests.get(f"{self.web.url}/", timeout=60).json())
        self._subscribe()
        self._poll()
        for worker in self.workers:
            worker.start()
        for visitor in self.visitors:
            visitor.routes = self.routes
            visitor.settle_in()
        names = self.plan.names
        self._wait("each profile was seen", lambda: all(self._seen(name) for name in names))

    def _seen(self, name: str) -> bool:
        # The second look begins only when the first is kept.
        return self.world.upstream.asked[name] > 1

    def _storm(self, started: float) -> None:
        """All at once, until the time is over."""
        posting = threading.Thread(target=self._post)
        visiting = [threading.Thread(target=visitor.run) for visitor in self.visitors]
        threads = [*visiting, threading.Thread(target=self.measuring.run)]
        for thread in (posting, threading.Thread(target=self._keep_polling), *threads):
            thread.start()
        try:
            self.killing.run(self.plan.kills)
            posting.join()
            self.over.wait(max(started + self.plan.seconds - time.monotonic(), 0))
        finally:
            self.measuring.stop()
            for visitor in self.visitors:
                visitor.over.set()
        for thread in threads:
            thread.join()

    def _processes(self) -> dict[int, str]:
        try:
            children = self.web.children
        except OSError:
            children = []  # it has just been killed
        named = {process.pid: process.name for process in self.processes}
        return named | dict.fromkeys(children, "web process")

    def _subscribe(self) -> None:
        names = self.plan.names
        for start in range(0, len(names), HANDLES_EACH):
            self._hook(SENT_KEY, f"{HOOK}{start}", names[start : start + HANDLES_EACH])
        for name in self.plan.hostile:
            self._hook(HOSTILE_KEY, f"/hostile/{name}/cb_soak_{name}", [HOSTILE_NAME])

    def _hook(self, key: str, path: str, handles: list[str]) -> None:
        made = self.web.call(
            "POST",
            "/api/hooks",
            key,
            trigger="new_video",
            target_url=f"{self.world.url}{path}",
            inputs={"handles": handles},
        )
        assert made.status_code == 201, made.text
        self.tally.learn(made.json())
        self.world.receivers.sign_with(path, made.json()["secret"])

    def _poll(self, cursor: str = "") -> str:
        """One page of events; the cursor to the next."""
        handles = ",".join(self.plan.polled_names)
        path = f"/api/triggers/new_video?handles={handles}&cursor={cursor}"
        answer = self.web.call("GET", path, POLLED_KEY)
        answer.raise_for_status()
        self.polled.update(row["event_id"] for row in answer.json())
        return answer.headers.get("X-Next-Cursor", "")

    def _keep_polling(self) -> None:
        while not self.over.wait(self.plan.poll_seconds):
            try:
                self._poll()
            except requests.RequestException:
                continue  # its server was killed, or the upstream failed; the next poll tells the same

    def _post(self) -> None:
        for _ in range(self.plan.videos):
            for name in self.world.upstream.videos:
                if self._is_looked_at(name):
                    self.world.upstream.post(name)
                else:
                    self.held_back += 1
            if self.over.wait(self.plan.pause_seconds):
                return

    def _is_looked_at(self, name: str) -> bool:
        """Whether its watcher was shown nearly all its videos: what is listed no more, nobody tells."""
        upstream, watcher = self.world.upstream, connection_of(self.plan.watchers[name], "api")
        return upstream.videos[name] - upstream.shown[watcher, name] < LISTED_VIDEOS // 2

    def _settle(self) -> None:
        """Until everything has arrived, or nothing has for long, or things arrive without end."""
        self.world.upstream.hostile = False
        began = since = time.monotonic()
        last = -1
        while not self._is_done() and time.monotonic() - since < QUIET_SECONDS:
            if time.monotonic() - began > SETTLED_SECONDS:
                return
            count = self.world.receivers.arrived.total() + len(self.polled)
            if count != last:
                last, since = count, time.monotonic()
            time.sleep(0.3)
        self.say(f"settled after {time.monotonic() - began:.0f} s")

    def _is_done(self) -> bool:
        arrived, books = self.world.receivers.arrived, Books(self.engine)
        return (
            self.posted() <= arrived.keys()
            and self.polled_posted() <= self.polled
            and self.tally.accepted <= arrived.keys()
            and books.undelivered() + books.unended_jobs() == 0
        )

    def posted(self) -> set[Told]:
        """Events that are sent, as they arrive."""
        return {
            (f"{HOOK}{number // HANDLES_EACH * HANDLES_EACH}", event_id(name, video))
            for number, name in enumerate(self.plan.names)
            for video in range(3, self.world.upstream.videos[name] + 1)
        }

    def polled_posted(self) -> set[str]:
        """Events that are polled."""
        return {
            event_id(name, video)
            for name in self.plan.polled_names
            for video in range(3, self.world.upstream.videos[name] + 1)
        }

    def _wait(self, what: str, there: Callable[[], bool]) -> None:
        for _ in range(900):
            if there():
                self.say(what)
                return
            time.sleep(0.1)
        raise AssertionError(f"it never came that {what}")

    def end(self) -> None:
        """Leaves nothing behind."""
        self.over.set()
        for visitor in self.visitors:
            visitor.over.set()
        for process in self.processes:
            process.end()

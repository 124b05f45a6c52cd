"""One soak: profiles post, processes are killed, and in the end everything has arrived."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests
from sqlalchemy import Engine, func, select

from connector.adapters.crypto import new_encryption_key
from connector.adapters.store.migrate import MIGRATIONS as CONNECTOR_TABLES
from connector.adapters.store.tables import Connection, CreditDay, Delivery, Snapshot, Watch
from connector.domain.deliveries import DELIVERED
from profile_api.migrate import MIGRATIONS as ENDPOINT_TABLES
from tests.running import clean_environment, free_port
from tests.soak.processes import Web, Worker
from tests.soak.verdict import Figures, Told
from tests.soak.world import World, event_id, running_world
from wire.database import open_engine, reading

SENT_KEY, POLLED_KEY = "sk_soak_sent", "sk_soak_polled"
WORKERS = 2
HANDLES_EACH = 5
POLLED = 10
# Longer than anything is held back: claims of the killed, a second try, a poll's deadline.
QUIET_SECONDS = 45
SETTLED_SECONDS = 90


@dataclass(frozen=True)
class Plan:
    """How much happens. `videos` are posted by each of `profiles`, `pause_seconds` apart."""

    database_url: str
    broker_url: str
    folder: Path
    profiles: int = 50
    videos: int = 30
    kills: int = 20
    threads: int = 8
    pause_seconds: float = 1.0
    fault: str = ""
    seed: int = 1

    @property
    def names(self) -> list[str]:
        """The profiles whose events are sent."""
        return [f"p{n}" for n in range(self.profiles)]

    @property
    def polled_names(self) -> list[str]:
        """The profiles whose events are polled."""
        return [f"q{n}" for n in range(POLLED)]


@dataclass
class Soak:
    """The running product in its world. `say` tells whoever watches how it goes."""

    plan: Plan
    world: World
    web: Web
    workers: list[Worker]
    engine: Engine
    say: Callable[[str], None]
    kills: int = 0
    worker_kills: int = 0
    polled: set[str] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> Figures:
        """Everything, in order."""
        self.web.start()
        self.web.wait_until_ready()
        self._subscribe()
        self._poll()
        for worker in self.workers:
            worker.start()
        self._wait("each profile was seen", lambda: all(self._seen(n) for n in self.plan.names))
        threads = [threading.Thread(target=each) for each in (self._post, self._keep_polling)]
        for thread in threads:
            thread.start()
        self._kill()
        threads[0].join()
        self._settle()
        self.over.set()
        threads[1].join()
        for worker in self.workers:
            worker.wait_until_ready()
        codes = [process.stop() for process in (*self.workers, self.web)]
        assert codes == [0] * len(codes), f"exit codes {codes}"
        return self._figures()

    def _seen(self, name: str) -> bool:
        # The second look begins only when the first is kept.
        return self.world.asked[name] > 1

    def _subscribe(self) -> None:
        names = self.plan.names
        for start in range(0, len(names), HANDLES_EACH):
            path = f"/hook/{start}"
            made = self.web.call(
                "POST",
                "/api/hooks",
                SENT_KEY,
                trigger="new_video",
                target_url=f"{self.world.url}{path}",
                inputs={"handles": names[start : start + HANDLES_EACH]},
            )
            assert made.status_code == 201, made.text
            self.world.hooks[path] = made.json()["secret"]

    def _poll(self, cursor: str = "") -> str:
        """One page of events; the cursor to the next."""
        handles = ",".join(self.plan.polled_names)
        path = f"/api/triggers/new_video?handles={handles}&cursor={cursor}"
        answer = self.web.call("GET", path, POLLED_KEY)
        answer.raise_for_status()
        self.polled.update(row["event_id"] for row in answer.json())
        return answer.headers.get("X-Next-Cursor", "")

    def _keep_polling(self) -> None:
        while not self.over.wait(self.plan.pause_seconds):
            try:
                self._poll()
            except requests.RequestException:
                continue  # its server was killed; the next poll answers the same

    def _post(self) -> None:
        for _ in range(self.plan.videos):
            for name in (*self.plan.names, *self.plan.polled_names):
                self.world.post(name)
            time.sleep(self.plan.pause_seconds)

    def _kill(self) -> None:
        """At random moments, while profiles post; of every five kills, one is the web server's."""
        chance = random.Random(self.plan.seed)
        between = self.plan.videos * self.plan.pause_seconds / max(self.plan.kills, 1)
        for number in range(self.plan.kills):
            time.sleep(between * (0.5 + chance.random()))
            victim = self.web if number % 5 == 4 else chance.choice(self.workers)
            victim.kill()
            victim.start()
            self.kills += 1
            self.worker_kills += victim is not self.web
            self.say(f"kill {self.kills}: {len(self.world.arrived)} events have arrived")

    def _settle(self) -> None:
        """Until everything has arrived, or nothing has for long, or things arrive without end."""
        began = since = time.monotonic()
        last = -1
        while not self._done() and time.monotonic() - since < QUIET_SECONDS:
            if time.monotonic() - began > SETTLED_SECONDS:
                return
            count = self.world.arrived.total() + len(self.polled)
            if count != last:
                last, since = count, time.monotonic()
            time.sleep(0.2)

    def _done(self) -> bool:
        return (
            self._posted() <= self.world.arrived.keys()
            and self._polled_posted() <= self.polled
            and self._undelivered() == 0
        )

    def _posted(self) -> set[Told]:
        return {
            (f"/hook/{number // HANDLES_EACH * HANDLES_EACH}", event_id(name, video))
            for number, name in enumerate(self.plan.names)
            for video in range(3, self.world.videos[name] + 1)
        }

    def _polled_posted(self) -> set[str]:
        return {
            event_id(name, video)
            for name in self.plan.polled_names
            for video in range(3, self.world.videos[name] + 1)
        }

    def _undelivered(self) -> int:
        return self._count(select(func.count()).where(Delivery.state != DELIVERED))

    def _count(self, query: object) -> int:
        with reading(self.engine) as session:
            return int(session.execute(query).scalar_one() or 0)  # type: ignore[call-overload]

    def _figures(self) -> Figures:
        of_sent = select(Connection.id).join(Watch).where(Watch.handle == self.plan.names[0])
        looks = (
            select(func.count()).select_from(Snapshot).join(Watch, Watch.id == Snapshot.watch_id)
        )
        booked = select(func.sum(CreditDay.credits) / 2)
        return Figures(
            posted=frozenset(self._posted()),
            arrived=self.world.arrived,
            webhook_ids=self.world.webhook_ids,
            unsigned=self.world.unsigned,
            undelivered=self._undelivered(),
            polled_posted=frozenset(self._polled_posted()),
            polled=frozenset(self.polled),
            worker_kills=self.worker_kills,
            threads=self.plan.threads,
            looks_paid=sum(self.world.asked[name] for name in self.plan.names),
            looks_kept=self._count(looks.where(Watch.connection_id.in_(of_sent))),
            looks_booked=self._count(booked.where(CreditDay.connection_id.in_(of_sent))),
        )

    def _wait(self, what: str, there: Callable[[], bool]) -> None:
        for _ in range(600):
            if there():
                self.say(what)
                return
            time.sleep(0.1)
        raise AssertionError(f"it never came that {what}")


@contextmanager
def soaking(plan: Plan, say: Callable[[str], None]) -> Iterator[Soak]:
    """A soak that is ready to be run; its processes end with it."""
    engine = open_engine(plan.database_url)
    for tables in (ENDPOINT_TABLES, CONNECTOR_TABLES):
        tables.up(engine)
    with running_world([*plan.names, *plan.polled_names]) as world:
        environment = clean_environment(
            DATABASE_URL=plan.database_url,
            CONNECTOR_BROKER_URL=plan.broker_url,
            PORT=str(free_port()),
            PROFILE_API_URL=world.url,
            WATCH_MIN_INTERVAL_SECONDS="1",
            WATCH_DAILY_CREDITS="1000000",
            WORKER_THREADS=str(plan.threads),
            WEB_WORKERS="1",
            CONNECTOR_DEADLINE_SECONDS="3",
            CONNECTOR_ALLOW_LOCAL_CALLBACKS="true",
            CONNECTOR_ENCRYPTION_KEYS=new_encryption_key(),
        )
        web = Web("web", plan.folder, environment)
        names = [f"worker{n}" for n in range(WORKERS)]
        workers = [Worker(name, plan.folder, environment, plan.fault) for name in names]
        soak = Soak(plan, world, web, workers, engine, say)
        try:
            yield soak
        finally:
            soak.over.set()
            for process in (*workers, web):
                process.end()
            engine.dispose()

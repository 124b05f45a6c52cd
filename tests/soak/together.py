"""A soak put together: the database, the outside, the product's processes and their visitors."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from connector.adapters.crypto import new_encryption_key
from connector.databases import migrate
from tests.running import clean_environment, free_port
from tests.soak.load import Visitor
from tests.soak.plan import HOSTILE_NAME, Plan
from tests.soak.processes import Web, Worker
from tests.soak.run import Soak
from tests.soak.world import BY, World, running_world
from wire.database import open_engine

WORKERS: Final = ("worker1", "worker2")


@contextmanager
def soaking(plan: Plan, say: Callable[[str], None]) -> Iterator[Soak]:
    """A soak that is ready to be run; its processes end with it."""
    engine = open_engine(plan.database_url)
    migrate(engine)
    names = [*plan.names, *plan.polled_names, HOSTILE_NAME]
    with running_world(names, plan.keys, seed=plan.seed) as world:
        environment = clean_environment(
            **plan.settings,
            PORT=str(free_port()),
            CONNECTOR_ENCRYPTION_KEYS=new_encryption_key(),
        )
        web = Web("web", plan.folder, _knowing(environment, world, "web"), fault=plan.fault)
        workers = [
            Worker(
                name,
                plan.folder,
                _knowing(environment, world, name),
                fault=plan.fault,
                lease_seconds=plan.lease_seconds,
            )
            for name in WORKERS
        ]
        soak = Soak(plan, world, web, workers, engine, say, environment)
        soak.visitors = _visitors(soak)
        try:
            yield soak
        finally:
            soak.end()
            engine.dispose()


def _knowing(environment: dict[str, str], world: World, name: str) -> dict[str, str]:
    """The settings of the process so called."""
    return environment | {"PROFILE_API_URL": f"{world.url}{BY}{name}"}


def _visitors(soak: Soak) -> list[Visitor]:
    plan, over = soak.plan, threading.Event()
    return [
        Visitor(
            number=number,
            api_key=key,
            platform=platform,
            url=soak.web.url,
            world_url=soak.world.url,
            receivers=soak.world.receivers,
            tally=soak.tally,
            rate=plan.rate / len(plan.visitors),
            over=over,
            chance=random.Random(plan.seed + number),
        )
        for number, (key, platform) in enumerate(plan.visitors)
    ]

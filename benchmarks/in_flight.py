"""Many slow look-ups at a time: how near to the ideal, how late the answers are, and in what memory.

Each client keeps one connection and asks again once it is answered. The upstream takes a second, so the
ideal is one answer a second for each client. Clients run in this process, the upstream in its own.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, product, takewhile
from statistics import quantiles

import click

from benchmarks.databases import DATABASES, new_database
from benchmarks.results import write_table
from benchmarks.serving import Answer, Memory, Serving, client, gunicorn, look_ups
from benchmarks.upstream import running_upstream
from connector.config import Settings

DELAY_SECONDS = 1.0
WORKERS = 2
WARM_UP_SECONDS = 5.0
# An upstream's timer may be early by so much.
_TOLERANCE = 1.01


@dataclass(frozen=True)
class Case:
    """So many clients on the product with this database; on the upstream itself where it is null."""

    clients: int
    database: str | None = None
    max_age_seconds: int = 0

    @property
    def name(self) -> str:
        """What `--only` looks for."""
        return f"{self.clients} {self.database or 'alone'} {self.max_age_seconds}"

    @property
    def settings(self) -> dict[str, str]:
        """Of the product: a process has threads to spare, as connections are not shared out evenly."""
        default = Settings().web_threads
        return {"WEB_THREADS": str(self.clients)} if self.clients > default else {}


def cases() -> Iterator[Case]:
    """For each load the load and the upstream alone, then the product."""
    for clients in (500, 1000):
        yield Case(clients)
        for database, max_age_seconds in product(DATABASES, (0, 60)):
            yield Case(clients, database, max_age_seconds)


@dataclass(frozen=True)
class Held:
    """What was answered in `seconds`, and the server's memory while all clients waited."""

    good: list[Answer]
    errors: int
    seconds: float
    memory: Memory

    def of_ideal(self, case: Case) -> float:
        """The part that was answered of what an upstream without anything in front would answer."""
        return len(self.good) * DELAY_SECONDS / (self.seconds * case.clients)

    def added_ms(self, percent: int) -> float:
        """How much later than the upstream's own delay that part of the good answers came, at most."""
        if len(self.good) < 2:
            return math.nan
        cuts = quantiles([answer.seconds for answer in self.good], n=100)
        return (cuts[percent - 1] - DELAY_SECONDS) * 1000

    def row(self, case: Case, at_rest: Memory | None) -> tuple[str, ...]:
        """As a line of the table."""
        return (
            str(case.clients),
            case.database or "load and upstream alone",
            str(case.max_age_seconds) if case.database else "",
            f"{self.of_ideal(case):.3f}",
            f"{self.added_ms(50):.1f}",
            f"{self.added_ms(99):.1f}",
            str(self.errors),
            f"{at_rest.pss_mb:.0f}" if at_rest else "",
            f"{self.memory.pss_mb:.0f}" if at_rest else "",
        )


COLUMNS = (
    "clients",
    "database",
    "max_age_seconds",
    "of ideal",
    "added p50 ms",
    "added p99 ms",
    "errors",
    "PSS MB at rest",
    "PSS MB",
)


async def hold(
    port: int, case: Case, seconds: float, memory: Callable[[], Memory] = Memory
) -> Held:
    """Keeps every client waiting until so many seconds after the warm-up; counts what came in them."""
    answers: list[Answer] = []
    failures: list[Exception] = []
    begins = time.monotonic() + WARM_UP_SECONDS
    ends = begins + seconds
    # No handle comes twice: each look-up is one that nobody knows yet.
    numbers = takewhile(lambda _: time.monotonic() < ends, count())
    bodies = look_ups(numbers, max_age_seconds=case.max_age_seconds)

    async def one(after: float) -> None:
        await asyncio.sleep(after)
        try:
            await client(port, bodies, answers.append)
        except (OSError, EOFError) as exc:
            failures.append(exc)

    starts = (DELAY_SECONDS * n / case.clients for n in range(case.clients))
    async with asyncio.timeout(WARM_UP_SECONDS + seconds + 90), asyncio.TaskGroup() as group:
        for after in starts:
            group.create_task(one(after))
        await asyncio.sleep(ends - time.monotonic())
        held = memory()
    good = [a for a in answers if a.status == "200" and begins <= a.at < ends]
    bad = sum(answer.status != "200" for answer in answers)
    return Held(good, bad + len(failures), seconds, held)


@contextmanager
def product_of(database: str, upstream: str, **settings: str) -> Iterator[Serving]:
    """The product with two processes, on a new database."""
    with new_database(database) as url:
        settings |= {
            "WEB_WORKERS": str(WORKERS),
            "DATABASE_URL": url,
            "PROFILE_API_URL": upstream,
        }
        with gunicorn("app:app", **settings) as server:
            yield server


def measure(case: Case, seconds: float) -> tuple[Held, Memory | None]:
    """What a case's clients got, and the memory of the server before any asked."""
    with running_upstream(DELAY_SECONDS) as upstream:
        if case.database is None:
            port = int(upstream.rpartition(":")[2])
            return asyncio.run(hold(port, case, seconds)), None
        with product_of(case.database, upstream, **case.settings) as server:
            at_rest = server.settle()
            return asyncio.run(hold(server.port, case, seconds, server.memory)), at_rest


@click.command()
@click.option("--seconds", default=10.0, show_default=True, help="How long each case is counted.")
@click.option("--only", default="", help="Cases whose names hold this, such as '500 sqlite 60'.")
def in_flight(seconds: float, only: str) -> None:
    """Measure many slow look-ups at a time, and write the table into RESULTS.md."""
    rows, problems = [], []
    for case in cases():
        if only not in case.name:
            continue
        held, at_rest = measure(case, seconds)
        rows.append(held.row(case, at_rest))
        click.echo("  ".join(rows[-1]))
        if held.errors or held.of_ideal(case) > _TOLERANCE:
            problems.append(case.name)
    if problems:
        raise click.ClickException(f"errors, or more than the ideal: {', '.join(problems)}")
    if not only:
        title = f"Look-ups that take {DELAY_SECONDS:g} s, {WORKERS} processes"
        write_table("in_flight", title, COLUMNS, rows)


if __name__ == "__main__":
    in_flight()

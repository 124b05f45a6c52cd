"""What a request costs: CPU time of all the server's processes, beside floors that do the same with less.

Each server is gunicorn with one worker and the product's own settings, in front of one fast upstream.
Rounds go over all of them in turn, so that a noisy machine is noisy for each; only ratios mean anything.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import click
import requests

from benchmarks.results import write_table
from benchmarks.upstream import running_upstream
from connector.adapters.crypto import new_encryption_key
from connector.config import Settings
from connector.databases import migrate_database
from tests.running import ROOT, clean_environment, free_port, until

CLIENTS = 16
KEY = "sk_bench"
PATH = "/api/actions/get_profile"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Case:
    """One server and what it is asked. `handles` is over how many profiles the requests go."""

    name: str
    application: str
    videos: int = 5
    max_age_seconds: int = 0
    handles: int = 500
    milliseconds: list[float] = field(default_factory=list)


def cases() -> list[Case]:
    """The floors, then the product. The second one is what ratios are of."""
    return [
        Case("bare Flask, no upstream", "benchmarks.floors:bare"),
        Case("Flask + urllib3, forwards", "benchmarks.floors:forwarding"),
        Case("standard code, flattens", "benchmarks.floors:standard"),
        Case("product", "app:app"),
        Case("product, 30 videos", "app:app", videos=30),
        Case("product, cached", "app:app", max_age_seconds=3600, handles=1),
    ]


@dataclass(frozen=True)
class Memory:
    """Of several processes. A page that some of them share counts once in PSS, for each in RSS."""

    pss_mb: float = 0.0
    rss_mb: float = 0.0


@dataclass(frozen=True)
class Serving:
    """A running server."""

    port: int
    pid: int

    def processes(self) -> list[int]:
        """The process and all that it started."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]

    def cpu_seconds(self) -> float:
        """Of all processes."""
        return sum(map(_cpu_seconds, self.processes()))

    def memory(self) -> Memory:
        """Of all processes."""
        pids = self.processes()
        return Memory(*(sum(_memory_mb(pid, kind) for pid in pids) for kind in ("Pss", "Rss")))

    def settle(self) -> Memory:
        """Waits until nothing more is loaded; the memory at rest."""
        before, now = Memory(), self.memory()
        while now.pss_mb > before.pss_mb + 0.1:
            time.sleep(2)
            before, now = now, self.memory()
        return now


def _cpu_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS


def _memory_mb(pid: int, kind: str) -> float:
    sums = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(sums.partition(f"\n{kind}:")[2].split()[0]) / 1024


@contextmanager
def serving(case: Case) -> Iterator[Serving]:
    """The case's server, ready, with an upstream and a database of its own."""
    with (
        running_upstream(0, videos=case.videos) as upstream,
        tempfile.TemporaryDirectory() as folder,
        gunicorn(
            case.application,
            WEB_WORKERS="1",
            DATABASE_URL=f"sqlite:///{folder}/bench.db",
            PROFILE_API_URL=upstream,
        ) as server,
    ):
        yield server


@contextmanager
def gunicorn(application: str, **settings: str) -> Iterator[Serving]:
    """The application behind gunicorn, ready, on a database that is brought up to date."""
    port = free_port()
    # One key stands for a thousand callers.
    made = {"CONNECTOR_ENCRYPTION_KEYS": new_encryption_key(), "RATE_LIMIT_PER_KEY": "0"}
    environment = clean_environment(PORT=str(port), **made, **settings)
    migrate_database(Settings.from_env(environment))
    with started(
        [sys.executable, "-m", "gunicorn", application], port, PATH, environment
    ) as server:
        yield server


@contextmanager
def started(
    command: Sequence[str], port: int, path: str, environment: Mapping[str, str]
) -> Iterator[Serving]:
    """A server that runs until the block ends, as soon as it answers at `path`."""
    with (
        tempfile.NamedTemporaryFile() as log,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            until(lambda: _ready(process, f"http://127.0.0.1:{port}{path}", Path(log.name)))
            yield Serving(port, process.pid)
        finally:
            process.terminate()


def _ready(process: subprocess.Popen[bytes], url: str, log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    headers = {"Authorization": f"Bearer {KEY}"}
    try:
        return requests.post(url, json={"handle": "h0"}, headers=headers, timeout=5).ok
    except requests.RequestException:
        return False


@dataclass(frozen=True)
class Answer:
    """When it was there, in seconds of the monotonic clock, and how long that took."""

    status: str
    at: float
    seconds: float


def _must_be_good(answer: Answer) -> None:
    assert answer.status == "200", answer


async def client(
    port: int,
    bodies: Iterator[bytes],
    tell: Callable[[Answer], None] = _must_be_good,
    *,
    path: str = PATH,
) -> int:
    """Sends one body after another over one connection, and tells what was answered; how many were."""
    count = 0
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for body in bodies:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        began = time.monotonic()
        writer.write(head.encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(answer.partition("content-length: ")[2].split()[0]))
        at = time.monotonic()
        tell(Answer(answer.split(maxsplit=2)[1], at, at - began))
        count += 1
    writer.close()
    return count


def look_ups(numbers: Iterable[int], *, max_age_seconds: int) -> Iterator[bytes]:
    """What asks for the profiles of these numbers."""
    for number in numbers:
        body = {"handle": f"h{number}", "max_age_seconds": max_age_seconds}
        yield json.dumps(body).encode()


async def load(port: int, bodies: Iterator[bytes], *, path: str = PATH) -> int:
    """Sends them all over `CLIENTS` connections; how many there were. Raises where an answer is not 200."""
    return sum(await asyncio.gather(*(client(port, bodies, path=path) for _ in range(CLIENTS))))


async def _load(port: int, case: Case, count: int) -> None:
    numbers = (n % case.handles for n in range(count))
    await load(port, look_ups(numbers, max_age_seconds=case.max_age_seconds))


@click.command()
@click.option("--rounds", default=5, show_default=True, help="How often each server is measured.")
@click.option("--count", default=1500, show_default=True, help="Requests in a round.")
@click.option("--only", default="", help="Cases whose names hold this.")
def bench(rounds: int, count: int, only: str) -> None:
    """Measure the CPU time of a request, and write the table into RESULTS.md."""
    chosen = [case for case in cases() if only in case.name]
    with ExitStack() as stack:
        running = [stack.enter_context(serving(case)) for case in chosen]
        for number in range(rounds + 1):
            for case, server in zip(chosen, running, strict=True):
                before = server.cpu_seconds()
                asyncio.run(_load(server.port, case, count))
                spent = server.cpu_seconds() - before
                if number:  # the first round warms up
                    case.milliseconds.append(spent / count * 1000)
    rows = [_row(case, chosen) for case in chosen]
    for row in rows:
        click.echo("  ".join(row))
    if not only:
        title = f"A request, {CLIENTS} at a time"
        columns = ("server", "CPU ms, median", "least", "most", "ratio")
        write_table("serving", title, columns, rows)


def _row(case: Case, chosen: list[Case]) -> tuple[str, ...]:
    floor = next((c for c in chosen if "urllib3" in c.name), chosen[0])
    # Within a round, so that what slows the machine for a while slows both.
    ratio = median(
        mine / theirs for mine, theirs in zip(case.milliseconds, floor.milliseconds, strict=True)
    )
    times = (median(case.milliseconds), min(case.milliseconds), max(case.milliseconds))
    return (case.name, *(f"{time:.2f}" for time in times), f"{ratio:.2f}")


if __name__ == "__main__":
    bench()

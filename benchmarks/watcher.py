"""How many profiles one worker looks at: as fast as it can, and in front of an upstream that is slow.

The worker is the product's own process, `python -m connector work`; what it did is counted in the
database. Each look is claimed, paid from the budget, compared, kept with its snapshot, and due again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import click
from sqlalchemy import Engine, func, select

from benchmarks.databases import DATABASES, new_database
from benchmarks.results import write_table
from benchmarks.upstream import running_upstream
from benchmarks.watched import INTERVAL_SECONDS, fill
from connector.adapters.crypto import new_encryption_key
from connector.adapters.store.tables import Snapshot, Watch
from tests.running import ROOT, clean_environment
from wire.database import open_engine, reading

WARM_UP_SECONDS = 5
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Case:
    """One measurement. `spread` is the time over which the watches are due."""

    name: str
    delay_seconds: float
    threads: int
    spread: timedelta


CASES = (
    Case("as fast as it can", 0.0, 32, timedelta()),
    Case("2 s an answer, all due", 2.0, 1000, timedelta()),
    Case("2 s an answer, every 15 min", 2.0, 400, timedelta(seconds=INTERVAL_SECONDS)),
)


@dataclass(frozen=True)
class Measured:
    """What a worker did in `seconds`."""

    looks: int
    seconds: float
    cpu_seconds: float
    memory_mb: float
    lag_seconds: float

    def row(self, database: str, case: Case) -> tuple[str, ...]:
        """As a line of the table."""
        rate = self.looks / self.seconds
        ideal = case.threads / case.delay_seconds if case.delay_seconds else 0
        return (
            database,
            case.name,
            str(case.threads),
            f"{rate:.0f}",
            f"{rate * 3600:,.0f}",
            f"{rate / ideal:.3f}" if ideal and not case.spread else "",
            f"{self.cpu_seconds / self.looks * 1e3:.2f}",
            f"{self.memory_mb:.0f}",
            f"{self.lag_seconds:.1f}" if case.spread else "",
        )


COLUMNS = (
    "database",
    "case",
    "threads",
    "looks/s",
    "looks/h",
    "of ideal",
    "CPU ms/look",
    "RSS MB",
    "lag s",
)


def measure(url: str, case: Case, *, watches: int, seconds: float) -> Measured:
    """One worker on a new database with so many watches, counted once it has warmed up."""
    key = new_encryption_key()
    engine = open_engine(url)
    fill(engine, watches, key=key, spread=case.spread)
    with running_upstream(case.delay_seconds) as upstream:
        settings = {
            "DATABASE_URL": url,
            "PROFILE_API_URL": upstream,
            "WORKER_THREADS": str(case.threads),
            "WATCH_DAILY_CREDITS": "1000000",
            "CONNECTOR_ENCRYPTION_KEYS": key,
        }
        command = [sys.executable, "-m", "connector", "work"]
        with subprocess.Popen(command, cwd=ROOT, env=clean_environment(**settings)) as worker:
            time.sleep(WARM_UP_SECONDS + case.delay_seconds)
            measured = _count(engine, worker.pid, seconds)
            worker.terminate()
            assert worker.wait(60) == 0
    engine.dispose()
    return measured


def _count(engine: Engine, pid: int, seconds: float) -> Measured:
    began, looks, cpu, lags = time.monotonic(), _looks(engine), _cpu_seconds(pid), [0.0]
    while time.monotonic() - began < seconds:
        time.sleep(1)
        lags.append(_lag_seconds(engine))
    return Measured(
        looks=_looks(engine) - looks,
        seconds=time.monotonic() - began,
        cpu_seconds=_cpu_seconds(pid) - cpu,
        memory_mb=_memory_mb(pid),
        lag_seconds=max(lags),
    )


def _looks(engine: Engine) -> int:
    with reading(engine) as session:
        return int(session.execute(select(func.count()).select_from(Snapshot)).scalar_one())


def _lag_seconds(engine: Engine) -> float:
    """How long the longest due watch has waited for a worker to begin."""
    waiting = select(func.min(Watch.due_at)).where(Watch.lease_until.is_(None))
    with reading(engine) as session:
        oldest: int = session.execute(waiting).scalar_one()
    return max(time.time() - oldest / 1000, 0.0)


def _cpu_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS


def _memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@click.command()
@click.option("--watches", default=100_000, show_default=True, help="Profiles that are watched.")
@click.option("--seconds", default=30.0, show_default=True, help="How long each case is counted.")
@click.option("--database", type=click.Choice(DATABASES), multiple=True, default=DATABASES)
def watcher(watches: int, seconds: float, database: tuple[str, ...]) -> None:
    """Measure how many profiles one worker looks at, and write the table into RESULTS.md."""
    rows = []
    for kind in database:
        for case in CASES:
            click.echo(f"{kind}: {case.name} ...", err=True)
            with new_database(kind) as url:
                measured = measure(url, case, watches=watches, seconds=seconds)
            rows.append(measured.row(kind, case))
            click.echo("  ".join(rows[-1]))
    title = f"The watcher: {watches:,} watched profiles, one worker process"
    write_table("watcher", title, COLUMNS, rows)


if __name__ == "__main__":
    watcher()

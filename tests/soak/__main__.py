"""The soak's command: how much, on which database, with which fault."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tests.postgres import running_postgres
from tests.redis import running_redis
from tests.soak.run import Plan, soaking
from tests.soak.verdict import Figures, faults
from tests.soak.worker import FAULTS

# The last is PostgreSQL, with Celery on Redis to wake the workers.
KINDS = ("sqlite", "postgresql", "celery")


@click.command()
@click.option("--on", "kinds", type=click.Choice(KINDS), multiple=True, default=KINDS)
@click.option("--profiles", default=50, show_default=True, help="Profiles that post.")
@click.option("--videos", default=30, show_default=True, help="Videos that each of them posts.")
@click.option("--kills", default=20, show_default=True, help="Processes killed meanwhile.")
@click.option("--seed", default=1, show_default=True, help="Which process is killed, and when.")
@click.option(
    "--fault", type=click.Choice(FAULTS), default=None, help="Break the worker: must be noticed."
)
def soak(
    kinds: tuple[str, ...], profiles: int, videos: int, kills: int, seed: int, fault: str | None
) -> None:
    """Kill workers and the web server while profiles post, and count what arrives.

    Exits with 1 where anything was lost, told too often or paid without need; with --fault, where
    nothing was.
    """
    failed = False
    for kind in kinds:
        with tempfile.TemporaryDirectory() as folder, addresses(kind, Path(folder)) as urls:
            size = {"profiles": profiles, "videos": videos, "kills": kills, "seed": seed}
            plan = Plan(*urls, Path(folder), fault=fault or "", **size)
            click.echo(f"{kind}: {profiles * videos} events, {kills} kills, {fault or 'no fault'}")
            began = time.monotonic()
            with soaking(plan, lambda line: click.echo(f"  {line}")) as running:
                figures = running.run()
        failed |= report(figures, time.monotonic() - began) != bool(fault)
    sys.exit(failed)


@contextmanager
def addresses(kind: str, folder: Path) -> Iterator[tuple[str, str]]:
    """The addresses of a new database and of a broker, which may be none."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/soak.db", ""
        return
    with running_postgres() as server, server.database() as url:
        if kind == "postgresql":
            yield url, ""
            return
        with running_redis() as broker:
            yield url, broker.url


def report(figures: Figures, seconds: float) -> bool:
    """Prints what was counted; whether anything is wrong with it."""
    click.echo(
        f"  {len(figures.posted)} posted, {figures.lost} lost, {figures.duplicates} told again, "
        f"{len(figures.polled & figures.polled_posted)} polled, {figures.worker_kills} workers killed, "
        f"{figures.looks_paid} looks paid, {figures.looks_kept} kept, {seconds:.0f} s"
    )
    found = faults(figures)
    for fault in found:
        click.echo(f"  WRONG: {fault}")
    return bool(found)


if __name__ == "__main__":
    soak()

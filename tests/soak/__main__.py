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
from tests.soak.run import Plan, soaking
from tests.soak.verdict import Figures, faults
from tests.soak.worker import FAULTS

DATABASES = ("sqlite", "postgresql")


@click.command()
@click.option(
    "--database", type=click.Choice([*DATABASES, "both"]), default="both", show_default=True
)
@click.option("--profiles", default=50, show_default=True, help="Profiles that post.")
@click.option("--videos", default=30, show_default=True, help="Videos that each of them posts.")
@click.option("--kills", default=20, show_default=True, help="Processes killed meanwhile.")
@click.option("--seed", default=1, show_default=True, help="Which process is killed, and when.")
@click.option(
    "--fault", type=click.Choice(FAULTS), default=None, help="Break the worker: must be noticed."
)
def soak(
    database: str, profiles: int, videos: int, kills: int, seed: int, fault: str | None
) -> None:
    """Kill workers and the web server while profiles post, and count what arrives.

    Exits with 1 where anything was lost, told too often or paid without need; with --fault, where
    nothing was.
    """
    failed = False
    for kind in DATABASES if database == "both" else [database]:
        with tempfile.TemporaryDirectory() as folder, address(kind, Path(folder)) as url:
            plan = Plan(url, Path(folder), profiles, videos, kills, fault=fault or "", seed=seed)
            click.echo(f"{kind}: {profiles * videos} events, {kills} kills, {fault or 'no fault'}")
            began = time.monotonic()
            with soaking(plan, lambda line: click.echo(f"  {line}")) as running:
                figures = running.run()
        failed |= report(figures, time.monotonic() - began) != bool(fault)
    sys.exit(failed)


@contextmanager
def address(kind: str, folder: Path) -> Iterator[str]:
    """The address of a new database."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/soak.db"
        return
    with running_postgres() as server, server.database() as url:
        yield url


def report(figures: Figures, seconds: float) -> bool:
    """Prints what was counted; whether anything is wrong with it."""
    click.echo(
        f"  {len(figures.posted)} posted, {figures.lost} lost, {figures.duplicates} told again, "
        f"{len(figures.polled)} polled, {figures.kills} kills, {figures.looks_paid} looks paid, "
        f"{figures.looks_kept} kept, {seconds:.0f} s"
    )
    found = faults(figures)
    for fault in found:
        click.echo(f"  WRONG: {fault}")
    return bool(found)


if __name__ == "__main__":
    soak()

"""The soak's command: how long, on which database, with which fault."""

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
from tests.soak.counted import figures_of
from tests.soak.mutants import FAULTS
from tests.soak.plan import Plan
from tests.soak.report import append_to, lines_of
from tests.soak.together import soaking
from tests.soak.verdict import faults

# The last is PostgreSQL, with Celery on Redis to wake the workers.
KINDS = ("sqlite", "postgresql", "celery")


ALL = "all"


@click.command()
@click.option("--on", "kinds", type=click.Choice(KINDS), multiple=True, default=KINDS[::2])
@click.option("--minutes", default=10.0, show_default=True, help="How long it is under load.")
@click.option("--rate", default=15.0, show_default=True, help="Requests a second.")
@click.option("--seed", default=1, show_default=True, help="What fails and is killed, and when.")
@click.option(
    "--fault",
    type=click.Choice((*FAULTS, ALL)),
    help="Break the product, or in each way after the other: must be noticed.",
)
@click.option("--report", type=click.Path(path_type=Path), help="Append the figures to this file.")
def soak(
    kinds: tuple[str, ...],
    minutes: float,
    rate: float,
    seed: int,
    fault: str | None,
    report: Path | None,
) -> None:
    """Kill processes under load, with a hostile world around them, and see what does not hold.

    Exits with 1 where anything does not; with --fault, where everything does.
    """
    failed = False
    for kind in kinds:
        for broken in FAULTS if fault == ALL else (fault or "",):
            with tempfile.TemporaryDirectory() as folder, addresses(kind, Path(folder)) as urls:
                plan = Plan(
                    *urls, Path(folder), minutes=minutes, rate=rate, fault=broken, seed=seed
                )
                wrong = run(plan, kind, report)
            failed |= bool(wrong) != bool(broken)
    sys.exit(failed)


def run(plan: Plan, kind: str, report: Path | None) -> list[str]:
    """What did not hold in one soak, which is told about on the way."""
    click.echo(f"{kind}: {plan.minutes:g} minutes, {plan.kills} kills, {plan.fault or 'no fault'}")
    began = time.monotonic()
    with soaking(plan, lambda line: click.echo(f"  {line}")) as running:
        running.run()
        figures = figures_of(running)
    wrong = faults(figures)
    lines = lines_of(figures, kind, plan, time.monotonic() - began)
    for line in (*lines, *(f"WRONG: {sentence}" for sentence in wrong)):
        click.echo(f"  {line}")
    if report:
        append_to(report, lines, plan, wrong)
    return wrong


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


if __name__ == "__main__":
    soak()

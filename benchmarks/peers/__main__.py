"""Requests a second on one core: the product, Node-RED and n8n doing the same flow.

All are started together on one core, with one upstream; load and upstream have another core. Rounds go over
all of them in turn, so that a noisy machine is noisy for each; only ratios mean anything.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import median

import click
import requests

from benchmarks.databases import new_database
from benchmarks.peers import flows, programs
from benchmarks.results import write_table
from benchmarks.serving import CLIENTS, KEY, PATH, Serving, gunicorn, load
from benchmarks.upstream import running_upstream

_HANDLES = 500
# What a server still does after its last answer should not be the next one's burden.
_PAUSE_SECONDS = 1
_NOTE = """Each takes a handle, asks the upstream over kept connections and answers flat values, on
one core. The product also validates what comes in, bounds what the upstream answers, holds a
deadline, logs, and keeps usage and the answer in SQLite. Node-RED does nothing of that and writes
nothing. n8n inserts each execution into SQLite and deletes it again, as saving them is off; it
flattens in a Code node, whose process counts, too, or for less in an expression of an Edit Fields
node. Both run with NODE_ENV=production, without editor and telemetry."""


@dataclass
class Case:
    """One server's flow, and what was measured of it in each round."""

    name: str
    server: Serving
    path: str
    rates: list[float] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)

    def check(self) -> None:
        """Asserts that it answers the profile that it is asked for, and flattened."""
        headers = {"Authorization": f"Bearer {KEY}"}
        url = f"http://127.0.0.1:{self.server.port}{self.path}"
        answer = requests.post(url, json=_asked(7), headers=headers, timeout=30).json()
        assert "h7" in answer.values(), answer
        assert "id-h7" in answer.values(), answer
        assert not any(isinstance(value, dict) for value in answer.values()), answer

    def measure(self, seconds: float) -> None:
        """Asks for so long, and keeps what came of it."""
        cpu, began = self.server.cpu_seconds(), time.perf_counter()
        answered = asyncio.run(load(self.server.port, _bodies(began + seconds), path=self.path))
        self.rates.append(answered / (time.perf_counter() - began))
        self.milliseconds.append((self.server.cpu_seconds() - cpu) / answered * 1000)

    def row(self, product: Case) -> tuple[str, ...]:
        """As a line of the table."""
        # Within a round, so that what slows the machine for a while slows both.
        faster = median(ours / own for ours, own in zip(product.rates, self.rates, strict=True))
        rates = (median(self.rates), min(self.rates), max(self.rates))
        cpu = median(self.milliseconds)
        return (
            self.name,
            *(f"{rate:.0f}" for rate in rates),
            f"{cpu:.2f}",
            f"{rates[0] * cpu / 1000:.2f}",
            f"{faster:.2f}",
        )


_COLUMNS = (
    "server",
    "requests/s, median",
    "least",
    "most",
    "CPU ms a request",
    "of its core",
    "product / it",
)


def _asked(number: int) -> dict[str, object]:
    return {"handle": f"h{number % _HANDLES}", "max_age_seconds": 0}


def _bodies(until: float) -> Iterator[bytes]:
    number = 0
    while time.perf_counter() < until:
        yield json.dumps(_asked(number)).encode()
        number += 1


@contextmanager
def _running_on(core: int) -> Iterator[None]:
    """What is started in the block runs on `core` only, and so does what it starts."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _start(stack: ExitStack, upstream: str) -> list[Case]:
    endpoint = f"{upstream}/api/v1/get-tiktok-profile"
    url = stack.enter_context(new_database("sqlite"))
    settings = {"WEB_WORKERS": "1", "DATABASE_URL": url, "PROFILE_API_URL": upstream}
    product = stack.enter_context(gunicorn("app:app", **settings))
    node_red = stack.enter_context(programs.node_red(endpoint))
    n8n = stack.enter_context(programs.n8n(endpoint))
    return [
        Case("product", product, PATH),
        Case("Node-RED", node_red, flows.NODE_RED_PATH),
        *(Case(f"n8n, {path}", n8n, f"/webhook/{path}") for path in flows.N8N),
    ]


@click.command()
@click.option("--rounds", default=7, show_default=True, help="How often each server is measured.")
@click.option("--seconds", default=5.0, show_default=True, help="How long a round asks each.")
def bench(rounds: int, seconds: float) -> None:
    """Measure requests a second on one core, and write the table into RESULTS.md."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise click.ClickException("One core is for the servers and another for the load.")
    with _running_on(cores[0]), ExitStack() as stack:
        upstream = stack.enter_context(running_upstream(0))
        with _running_on(cores[-1]):
            cases = _start(stack, upstream)
        for case in cases:
            case.check()
            case.measure(seconds)  # warms up
            case.rates.clear()
            case.milliseconds.clear()
        for case in cases * rounds:
            time.sleep(_PAUSE_SECONDS)
            case.measure(seconds)
    rows = [case.row(cases[0]) for case in cases]
    for row in rows:
        click.echo("  ".join(row))
    versions = {name: programs.version_of(name) for name in ("node-red", "n8n")}
    write_table(
        "peers",
        f"Beside Node-RED and n8n, {CLIENTS} at a time",
        _COLUMNS,
        rows,
        note=_NOTE,
        versions={"Node": programs.node_version(), **versions},
    )


if __name__ == "__main__":
    bench()

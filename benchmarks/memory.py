"""What memory all the server's processes take: at rest, with many look-ups in flight, after many of them.

Two processes with the product's own settings. What comes after many is what a leak would show in: every
request asks for another handle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from statistics import linear_regression

import click

from benchmarks.databases import DATABASES
from benchmarks.in_flight import DELAY_SECONDS, WORKERS, Case, hold, product_of
from benchmarks.results import write_table
from benchmarks.serving import Memory, load, look_ups
from benchmarks.upstream import running_upstream

CLIENTS = 500
HOLD_SECONDS = 5.0
COLUMNS = ("database", "when", "PSS MB", "RSS MB", "RSS MB grown", "KB per 1,000 requests")


Samples = dict[int, Memory]
"""By how many requests were answered before."""


def in_flight(database: str) -> tuple[Memory, Memory]:
    """The memory of a server at rest, and once every client waits for its answer."""
    case = Case(CLIENTS, database)
    with (
        running_upstream(DELAY_SECONDS) as upstream,
        product_of(database, upstream, **case.settings) as server,
    ):
        at_rest = server.settle()
        held = asyncio.run(hold(server.port, case, HOLD_SECONDS, server.memory))
    assert held.errors == 0, f"{held.errors} errors"
    return at_rest, held.memory


def sampled(database: str, count: int, every: int) -> Samples:
    """The memory after each `every` of `count` requests, which a fast upstream answers."""
    samples = {}
    with running_upstream(0) as upstream, product_of(database, upstream) as server:
        for start in range(0, count, every):
            numbers = range(start, start + every)
            asyncio.run(load(server.port, look_ups(numbers, max_age_seconds=0)))
            samples[numbers.stop] = memory = server.memory()
            click.echo(f"{database}: {numbers.stop:,} requests, {memory}", err=True)
    return samples


def kb_per_thousand(samples: Samples) -> float:
    """How fast RSS grew, by least squares over the last half."""
    # PSS changes with who else on the machine has the same files open.
    half = list(samples.items())[len(samples) // 2 :]
    thousands = [requests / 1000 for requests, _ in half]
    return linear_regression(thousands, [memory.rss_mb * 1024 for _, memory in half]).slope


def rows(database: str, count: int, every: int) -> Iterator[tuple[str, ...]]:
    """The table's lines for a database."""
    at_rest, waiting = in_flight(database)
    samples = sampled(database, count, every)
    first, last = samples[every], samples[max(samples)]
    states = {
        "at rest": at_rest,
        f"{CLIENTS} in flight": waiting,
        f"after {every:,} requests": first,
        f"after {max(samples):,} requests": last,
    }
    grown = {last: (f"{last.rss_mb - first.rss_mb:.1f}", f"{kb_per_thousand(samples):.1f}")}
    for state, memory in states.items():
        sizes = (f"{memory.pss_mb:.0f}", f"{memory.rss_mb:.0f}")
        yield (database, state, *sizes, *grown.get(memory, ("", "")))


@click.command()
@click.option("--count", default=100_000, show_default=True, help="Requests in all.")
@click.option("--every", default=5_000, show_default=True, help="Requests between two samples.")
@click.option("--database", type=click.Choice(DATABASES), multiple=True, default=DATABASES[:1])
def memory(count: int, every: int, database: tuple[str, ...]) -> None:
    """Measure the memory of all processes, and write the table into RESULTS.md.

    What grew is from the first sample on; how fast, over the last half of the requests.
    """
    if count < 4 * every:
        raise click.UsageError("there must be four samples at least: fewer requests between them")
    table = []
    for kind in database:
        for row in rows(kind, count, every):
            table.append(row)
            click.echo("  ".join(row))
    title = f"Memory of {WORKERS} processes; how fast it grew, over the last half of the requests"
    write_table("memory", title, COLUMNS, table)


if __name__ == "__main__":
    memory()

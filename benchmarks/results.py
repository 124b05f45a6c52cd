"""RESULTS.md: each benchmark's newest table, with when and on what it was measured."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
_INTRODUCTION = """# What was measured

`make bench` writes these tables again, `make bench-peers` the one beside Node-RED and n8n. The figures are
one machine's at one time: compare within a table only.
"""
_PACKAGES = ("flask", "gunicorn", "urllib3", "marshmallow", "orjson", "sqlalchemy")


def write_table(
    name: str,
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    note: str = "",
    versions: Mapping[str, str] | None = None,
) -> None:
    """Puts the table `name` in the place of its last version, with `note` above it.

    `versions` are of what was measured beside the product.
    """
    lines = [columns, ["---"] * len(columns), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    above = "\n\n".join(filter(None, (_circumstances(versions or {}), note)))
    section = f"<!-- {name} -->\n## {title}\n\n{above}\n\n{table}\n<!-- /{name} -->"
    text = RESULTS.read_text("utf-8") if RESULTS.exists() else _INTRODUCTION
    before, found, rest = text.partition(f"<!-- {name} -->")
    if found:
        after = re.split(f"<!-- /{name} -->", rest, maxsplit=1)[1]
        text = f"{before}{section}{after}"
    else:
        text = f"{text}\n{section}\n"
    RESULTS.write_text(text, "utf-8")


def _circumstances(versions: Mapping[str, str]) -> str:
    all_versions = {package: version(package) for package in _PACKAGES} | dict(versions)
    packages = ", ".join(f"{package} {number}" for package, number in all_versions.items())
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {size:.0f} GB of memory,"
        f" Python {platform.python_version()}, {packages}."
    )

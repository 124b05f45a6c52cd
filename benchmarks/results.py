"""RESULTS.md: each benchmark's newest table, with when and on what it was measured."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
_INTRODUCTION = """# What was measured

`make bench` writes these tables again. The figures are one machine's at one time: compare within a
table only.
"""
_PACKAGES = ("flask", "gunicorn", "requests", "marshmallow", "sqlalchemy")


def write_table(
    name: str, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    """Puts the table `name` in the place of its last version."""
    lines = [columns, ["---"] * len(columns), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    section = f"<!-- {name} -->\n## {title}\n\n{_circumstances()}\n\n{table}\n<!-- /{name} -->"
    text = RESULTS.read_text("utf-8") if RESULTS.exists() else _INTRODUCTION
    before, found, rest = text.partition(f"<!-- {name} -->")
    if found:
        after = re.split(f"<!-- /{name} -->", rest, maxsplit=1)[1]
        text = f"{before}{section}{after}"
    else:
        text = f"{text}\n{section}\n"
    RESULTS.write_text(text, "utf-8")


def _circumstances() -> str:
    packages = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {size:.0f} GB of memory,"
        f" Python {platform.python_version()}, {packages}."
    )

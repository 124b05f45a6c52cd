"""Secrets where they must not be: in what processes write down, and in the raw files of the database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, text

# How every secret of the soak begins, so that one pass finds them all.
_SECRETS: Final = re.compile(rb"sk_soak_\w+|whsec_[\w+/]+=*|\bwh_[\w-]{20,}|cb_soak_\w+")
_TRACEBACK: Final = "Traceback (most recent call last)"
_PIECE: Final = 1 << 20
_OVERLAP: Final = 256


def found_in(paths: Iterable[Path], planted: Set[str], *, addresses: bool) -> dict[str, int]:
    """How many secrets stand in each file, by its name. Addresses of receivers count in logs alone."""
    found = {}
    for path in paths:
        there = {
            secret for secret in _secrets(path) if _counts(secret, planted, addresses=addresses)
        }
        if there:
            found[path.name] = len(there)
    return found


def _counts(secret: str, planted: Set[str], *, addresses: bool) -> bool:
    if secret.startswith("cb_soak_"):
        return addresses
    return secret.startswith("sk_soak_") or secret in planted


def _secrets(path: Path) -> Iterator[str]:
    rest = b""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            for match in _SECRETS.finditer(rest + piece):
                yield match[0].decode()
            rest = piece[-_OVERLAP:]


def database_files(engine: Engine) -> list[Path]:
    """The files that hold the database, written out as far as it knows."""
    if engine.dialect.name == "sqlite":
        path = Path(str(engine.url.database))
        return sorted(path.parent.glob(f"{path.name}*"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as session:
        session.execute(text("CHECKPOINT"))
        folder = Path(session.execute(text("SHOW data_directory")).scalar_one())
    return [
        path for part in ("base", "pg_wal") for path in (folder / part).rglob("*") if path.is_file()
    ]


def tracebacks(paths: Iterable[Path]) -> list[str]:
    """The last line of each traceback in the logs: what was raised."""
    found = []
    for path in paths:
        inside = False
        with path.open(errors="replace") as lines:
            for line in lines:
                if _TRACEBACK in line and line.startswith("{"):
                    # Not read as JSON: a kill may have cut it off.
                    found.append(line.rstrip('"}\n').rpartition("\\n")[2][:200])
                elif _TRACEBACK in line:
                    inside = True
                elif inside and line.strip() and not line.startswith((" ", "\t")):
                    found.append(line.strip()[:200])
                    inside = False
    return found

"""Servers that tests start, and that end with the process that started them, however that ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

# Its input closes when the test process ends, also where that was killed and could clean up nothing.
_UNTIL_INPUT_CLOSES = """
folder=$1 stop=$2; shift 2
"$@" </dev/null >"$folder/server.log" 2>&1 & child=$!
cat >/dev/null
kill -s "$stop" $child; wait $child; rm -rf "$folder"
"""


def binary(name: str, *places: str) -> str:
    """The path of a program, from PATH or the newest of `places`; a test without it fails."""
    found = sorted((str(p) for place in places for p in Path("/").glob(place)), key=_version)
    path = shutil.which(name) or next(reversed(found), None)
    if path is None:
        pytest.fail(f"{name} is missing; run 'make tools'.")
    return path


@contextmanager
def private_folder(owner: str | None) -> Iterator[Path]:
    """A folder that `owner` can reach, which pytest's own are not; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tests-"))
    if owner:
        shutil.chown(folder, owner, owner)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def child(
    command: Sequence[str],
    folder: Path,
    *,
    ready: Callable[[], bool],
    owner: str | None = None,
    stop: str = "TERM",
) -> Iterator[None]:
    """A running server, `ready` to be used; stopped with the signal `stop`, its `folder` removed."""
    # A session of its own: Ctrl-C reaches the tests alone, which then end this.
    process = subprocess.Popen(
        ["sh", "-c", _UNTIL_INPUT_CLOSES, "sh", str(folder), stop, *command],
        stdin=subprocess.PIPE,
        cwd=folder,
        start_new_session=True,
        **as_user(owner),
    )
    assert process.stdin is not None
    try:
        _wait_until(ready, folder / "server.log")
        yield
    finally:
        process.stdin.close()
        process.wait(60)


def as_user(owner: str | None) -> dict[str, object]:
    """What `subprocess` needs to run something as `owner`."""
    return {"user": owner, "group": owner, "extra_groups": []} if owner else {}


def is_root() -> bool:
    return os.geteuid() == 0


def _wait_until(ready: Callable[[], bool], log: Path) -> None:
    for _ in range(600):
        if ready():
            return
        time.sleep(0.05)
    raise AssertionError(f"not ready: {log.read_text()}")


def _version(path: str) -> list[int]:
    return [int(part) for part in path.split("/") if part.isdigit()]

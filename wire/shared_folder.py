"""A folder in which the processes of one server count together, and the place that each has in it.

`prometheus_client` writes files for each process, named by what tells processes apart: by default
their ids, so that each restart would leave more files behind. Here it is the lowest place that is
free, which the next process takes over together with its files.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from itertools import count
from typing import Final

# As prometheus_client calls it.
VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_FILES: Final = ("counter", "histogram")
# More than all labels of ours need: a thousand values a file.
_FILE_BYTES: Final = 256 * 1024


def make_shared_folder() -> str:
    """A new folder, which is gone when this process has ended in order."""
    folder = tempfile.mkdtemp(prefix="connector-metrics-")
    atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder: str, maker: int) -> None:
    # Forked processes call it too.
    if os.getpid() == maker:
        shutil.rmtree(folder, ignore_errors=True)


class Place:
    """Called, answers the number of this process's place in `folder`; the process holds it to its end."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._pid = 0
        self._number = -1
        self._file = -1

    def __call__(self) -> int:
        """The number; another one after a fork. Raises `OSError` where its files find no room."""
        if self._pid != os.getpid():
            self._take()
        return self._number

    def _take(self) -> None:
        if self._file >= 0:
            # What was inherited: closed here, it stays locked where it came from.
            os.close(self._file)
            self._file = -1
        for number in count():
            path = os.path.join(self._folder, f"place_{number}.lock")
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                continue
            try:
                self._make_room(number)
            except OSError:
                os.close(file)
                raise
            self._pid, self._number, self._file = os.getpid(), number, file
            return

    def _make_room(self, number: int) -> None:
        """Writes the files whole: a mapped one that finds the disk full later is SIGBUS for the process."""
        for kind in _FILES:
            path = os.path.join(self._folder, f"{kind}_{number}.db")
            if not os.path.exists(path):
                with open(f"{path}.new", "wb") as file:
                    file.write(bytes(_FILE_BYTES))
                os.replace(f"{path}.new", path)

"""Log lines of many threads, none of which waits for another."""

from __future__ import annotations

import logging
import os
from typing import Final

STDERR: Final = 2


class LinesHandler(logging.Handler):
    """Writes each record to standard error at once, without a lock.

    The system keeps together what is written with one call and is no longer than 4 KB: all but tracebacks.
    """

    def createLock(self) -> None:  # noqa: N802  # the library's name
        """Called by the library: none is needed, as with its own `NullHandler`."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Called by the library, whose own needs a lock since Python 3.13."""
        kept: bool | logging.LogRecord = self.filter(record)
        if kept:
            # From Python 3.12 on a filter may put another in its place.
            self.emit(record if kept is True else kept)
        return bool(kept)

    def emit(self, record: logging.LogRecord) -> None:
        """Called by the library."""
        try:
            line = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
            while line:
                line = line[os.write(STDERR, line) :]
        except Exception:  # noqa: BLE001  # the library's own way: a log must not end what it tells of
            self.handleError(record)

"""Log lines of many threads, none of which waits for another."""

from __future__ import annotations

import logging
import os
from typing import Final

_STDERR: Final = 2


class LinesHandler(logging.Handler):
    """Writes each record to standard error at once, with one call and without a lock.

    The system keeps what is written with one call together.
    """

    def createLock(self) -> None:  # noqa: N802  # the library's name
        """Called by the library: none is needed, as with its own `NullHandler`."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Called by the library."""
        try:
            line = f"{self.format(record)}\n"
            os.write(_STDERR, line.encode("utf-8", "backslashreplace"))
        except Exception:  # noqa: BLE001  # the library's own way: a log must not end what it tells of
            self.handleError(record)

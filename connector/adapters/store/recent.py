"""What this process has just read or written: a burst of one question asks the database once."""

from __future__ import annotations

import time
from threading import Lock
from typing import Final

from connector.domain.lookups import Known

Key = tuple[str, str]
# What another process has changed is seen after so long.
TRUST_SECONDS: Final = 1.0
MAX_KEYS: Final = 250
# In characters of its JSON: larger ones are read from the database each time.
MAX_ROW: Final = 16_384


class Recent:
    """Profiles that are known, by connection and handle; the oldest make room."""

    def __init__(self) -> None:
        self._seen: dict[Key, tuple[Known | None, float]] = {}
        self._lock = Lock()

    def __contains__(self, key: Key) -> bool:
        """Whether there was one not long ago, whatever it is now."""
        return key in self._seen

    def known(self, key: Key) -> Known | None:
        """What may still be trusted, or nothing."""
        known, until = self._seen.get(key, (None, 0.0))
        return known if time.monotonic() < until else None

    def put(self, key: Key, known: Known, *, size: int) -> None:
        """Remembers it; `size` is that of its row."""
        until = time.monotonic() + TRUST_SECONDS
        with self._lock:
            self._seen.pop(key, None)
            self._seen[key] = (known if size <= MAX_ROW else None, until)
            if len(self._seen) > MAX_KEYS:
                del self._seen[next(iter(self._seen))]

    def drop(self, key: Key) -> None:
        """Forgets it."""
        with self._lock:
            self._seen.pop(key, None)

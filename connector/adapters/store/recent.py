"""What this process has just read or written: a burst of one question asks the database once."""

from __future__ import annotations

import time
from threading import Lock
from typing import Final, TypeVar

from connector.domain.lookups import Known

Key = tuple[str, str]
T = TypeVar("T")
# What another process has changed is seen after so long.
TRUST_SECONDS: Final = 1.0
MAX_KEYS: Final = 250
# In characters of its JSON: larger ones are read from the database each time.
MAX_ROW: Final = 16_384


class Recent:
    """Profiles that are known, by connection and handle; the oldest make room."""

    def __init__(self) -> None:
        self._seen: dict[Key, tuple[Known | None, float]] = {}
        self._dropped: dict[Key, float] = {}
        self._lock = Lock()

    def moment(self) -> float:
        """To be taken before what is put is read."""
        return time.monotonic()

    def saw(self, key: Key) -> bool:
        """Whether there was one not long ago, whatever it is now."""
        return key in self._seen

    def known(self, key: Key) -> Known | None:
        """What may still be trusted, or nothing."""
        known, until = self._seen.get(key, (None, 0.0))
        return known if self.moment() < until else None

    def put(self, key: Key, known: Known, *, size: int, began: float) -> None:
        """Remembers it, unless it was dropped since it `began` to be read; `size` is that of its row."""
        with self._lock:
            if self._dropped.get(key, 0.0) < began:
                until = self.moment() + TRUST_SECONDS
                _put_last(self._seen, key, (known if size <= MAX_ROW else None, until))

    def drop(self, key: Key) -> None:
        """Forgets it, also for who has read it and not put it yet."""
        with self._lock:
            self._seen.pop(key, None)
            _put_last(self._dropped, key, self.moment())


def _put_last(entries: dict[Key, T], key: Key, entry: T) -> None:
    entries.pop(key, None)
    entries[key] = entry
    if len(entries) > MAX_KEYS:
        del entries[next(iter(entries))]

"""Counts of requests in a minute, in the memory of this process."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence


class MemoryCounts:
    """Counts of this process. What was counted in a minute is forgotten with it, so it can't pile up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0
        self._counted: Counter[str] = Counter()

    def count(self, names: Sequence[str], minute: int) -> list[int]:
        """Counts one more for each name; answers how many it has in the minute."""
        with self._lock:
            # Whoever comes as a minute ends may be later here than who came after: none begins twice.
            if self._minute - minute not in (0, 1):
                self._minute, self._counted = minute, Counter()
            for name in names:
                self._counted[name] += 1
            return [self._counted[name] for name in names]

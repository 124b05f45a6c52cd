"""What processes hold: memory and open files, over time."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression, median
from typing import Final

_PAGE_KB: Final = os.sysconf("SC_PAGE_SIZE") // 1024
# So many of each process, however long it takes.
_SAMPLES: Final = 400
_FEWEST: Final = 12
# So long a new process loads what it needs.
_WARM_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Held:
    """What one process held: `growth_kb` is that of its memory in a minute."""

    name: str
    seconds: float
    memory_kb: int
    growth_kb: float
    files: int
    more_files: int


@dataclass(frozen=True)
class _Sample:
    at: float
    memory_kb: int
    files: int


@dataclass
class Measuring:
    """Looks at `processes`, by pid and name, while it is entered; forgets those that are gone."""

    processes: Callable[[], Mapping[int, str]]
    every_seconds: float
    _samples: dict[int, list[_Sample]] = field(default_factory=lambda: defaultdict(list))
    _names: dict[int, str] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def over(cls, seconds: float, processes: Callable[[], Mapping[int, str]]) -> Measuring:
        """As many samples, for whatever time."""
        return cls(processes, max(seconds / _SAMPLES, 0.5))

    def run(self) -> None:
        """Until it is stopped."""
        while not self._over.wait(self.every_seconds):
            found = self.processes()
            for pid in set(self._samples) - set(found):
                del self._samples[pid]
            for pid, name in found.items():
                if sample := _sample(pid):
                    self._names[pid] = name
                    self._samples[pid].append(sample)

    def stop(self) -> None:
        """Ends `run`."""
        self._over.set()

    def held(self, since: float) -> list[Held]:
        """What those held since then that were there all the time."""
        found = []
        for pid, samples in self._samples.items():
            if samples[0].at <= since + self.every_seconds * 2:
                warm_at = max(since, samples[0].at + _WARM_SECONDS)
                late = [sample for sample in samples if sample.at >= warm_at]
                if len(late) >= _FEWEST:
                    found.append(_held(self._names[pid], late))
        return found


def _held(name: str, samples: list[_Sample]) -> Held:
    third = len(samples) // 3
    times = [sample.at / 60 for sample in samples]
    growth = linear_regression(times, [sample.memory_kb for sample in samples]).slope
    before, after = (median(s.files for s in part) for part in (samples[:third], samples[-third:]))
    return Held(
        name,
        seconds=samples[-1].at - samples[0].at,
        memory_kb=samples[-1].memory_kb,
        growth_kb=growth,
        files=round(after),
        more_files=round(after - before),
    )


def _sample(pid: int) -> _Sample | None:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        files = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None  # it has just been killed
    return _Sample(time.monotonic(), pages * _PAGE_KB, files)

"""A request's one end in time. Kept as a point on a monotonic clock, never as a time per step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

_AFTERWARDS: Final = timedelta(seconds=10)


@dataclass(frozen=True)
class Deadline:
    """Ends `seconds` after it was made, by `now` (monotonic seconds)."""

    seconds: float
    now: Callable[[], float]
    _ends_at: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ends_at", self.now() + self.seconds)

    def remaining(self) -> float:
        """Seconds left; negative when it has passed."""
        return self._ends_at - self.now()

    def lease(self) -> timedelta:
        """How long to claim work for who waits until then: a little longer, to keep what it brought."""
        return timedelta(seconds=self.remaining()) + _AFTERWARDS

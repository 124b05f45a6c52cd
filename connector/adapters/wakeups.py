"""No wake-ups: one process polls the table twice a second, and needs none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from connector.domain.ports import Due


class NoWakeups:
    """Sends nothing and hears nothing."""

    def send(self, kind: Due, numbers: Sequence[int]) -> None:
        """Sends nothing."""

    def heard(
        self, wake: Callable[[Due, int], None], *, threads: int
    ) -> AbstractContextManager[None]:
        """Hears nothing."""
        return nullcontext()

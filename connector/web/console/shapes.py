"""What the console asks of services that no other door asks, as shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from connector.domain.callers import Caller

Shown = Mapping[str, Any]


class Watched(Protocol):
    """Watched profiles, as one caller sees them."""

    def listed(self, caller: Caller) -> list[Shown]:
        """All of them."""

    def one(self, handle: str, caller: Caller) -> Shown:
        """One of them."""

    def watch(self, handle: str, caller: Caller, *, poll_interval_seconds: int) -> Shown:
        """Watches a profile for the console."""

    def pause(self, handle: str, caller: Caller) -> Shown:
        """Looks at it no more, for now."""

    def resume(self, handle: str, caller: Caller) -> Shown:
        """Looks at it again."""

    def stop(self, handle: str, caller: Caller) -> Shown:
        """Ends what the console watches."""

    def series(self, handle: str, caller: Caller, *, days: int) -> Shown:
        """Its counts over time, and its events."""

    def budget(self, caller: Caller) -> Shown:
        """What watching spends."""


class Deleting(Protocol):
    """The end of all that is kept for a key."""

    def delete(self, caller: Caller) -> dict[str, Any]:
        """Deletes it; `deleted` says whether all of it is gone."""

    def kept(self, callers: Sequence[Caller]) -> Sequence[Shown]:
        """How much is kept."""


class UsageByDay(Protocol):
    """Credits by day."""

    def __call__(self, caller: Caller, *, days: int) -> Shown:
        """What was spent on each of the last days."""

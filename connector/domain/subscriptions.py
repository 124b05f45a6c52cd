"""What is watched for whom: subscriptions, watches and the looks at them, as values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from connector.domain.events import Event
from connector.domain.portraits import Portrait

ACTIVE = "active"
DISABLED = "disabled"
# Why nobody looks at a profile whose watch is paused.
PAUSED: Final = "Paused in the console."


@dataclass(frozen=True)
class Terms:
    """What a subscription asks for. `inputs` are as loaded, handles in normal form."""

    trigger: str
    inputs: Mapping[str, Any]

    @property
    def handles(self) -> Sequence[str]:
        """The profiles to watch."""
        handles: Sequence[str] = self.inputs["handles"]
        return handles

    @property
    def text(self) -> str:
        """The inputs as canonical JSON."""
        return json.dumps(self.inputs, sort_keys=True)

    @property
    def hash(self) -> str:
        """Stands for trigger and inputs: the same request has the same hash."""
        # An empty list asks for nothing: a filter that is new to a trigger starts no poll anew.
        given = {key: value for key, value in self.inputs.items() if value != []}
        text = Terms(self.trigger, given).text
        return hashlib.sha256(f"{self.trigger} {text}".encode()).hexdigest()


@dataclass(frozen=True)
class Subscription:
    """One subscription as it is kept. `target_url` is null where it is polled, or in the console."""

    id: str
    connection_id: str
    terms: Terms
    interval_seconds: int
    target_url: str | None
    state: str
    reason: str | None
    created_at: datetime


@dataclass(frozen=True)
class Watched:
    """What is known of a profile that a subscription watches. `looked_at` while a look is under way."""

    portrait: Portrait | None
    problem: str | None
    looked_at: bool

    @property
    def expected(self) -> bool:
        """Whether its first look is under way: nothing can be said of it yet."""
        return self.portrait is None and self.looked_at


@dataclass(frozen=True)
class ClaimedWatch:
    """A watch that is ours until its lease ends, with what is needed to look at the profile.

    `refused` where the key was, the last time; `attempt` counts how often then.
    """

    id: int
    token: str
    connection_id: str
    platform: str
    sealed_key: str = field(repr=False)
    handle: str
    interval_seconds: int
    attempt: int
    portrait: Portrait | None
    refused: bool


@dataclass(frozen=True)
class Look:
    """What a look brought: the new portrait, and what follows for a subscription with some terms."""

    portrait: Portrait
    events_of: Callable[[Terms], Sequence[Event]]
    seen_at: datetime
    next_at: datetime


@dataclass(frozen=True)
class Told:
    """An event as it was kept for a subscription, in the order of `sequence`."""

    sequence: int
    event_id: str
    body: Mapping[str, Any]

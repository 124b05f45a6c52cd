"""Connections as values: one API key on one platform, and how much is kept for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class KeptConnection:
    """A connection with the number of its things. While it is `ending`, all of it is being deleted."""

    id: str
    platform: str
    created_at: datetime
    ending: bool
    watches: int
    subscriptions: int
    webhooks: int
    jobs: int
    deliveries: int

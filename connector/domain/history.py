"""What was seen of a profile, look by look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Seen:
    """A profile at one look, by the keys of its row. `handle` is what it is called now."""

    id: int
    handle: str
    user_id: str | None
    seen_at: datetime
    status: str
    stats_follower_count: int | None
    hearts: int | None
    stats_video_count: int | None

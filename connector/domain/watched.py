"""Watched profiles as a person sees them: how each stands, who watches it, what was noticed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from connector.domain.answers import CREDITS_PER_LOOKUP
from connector.domain.events import IN_CONSOLE
from connector.domain.portraits import Portrait
from connector.domain.subscriptions import ACTIVE

_DAY_SECONDS: Final = 24 * 3600


@dataclass(frozen=True)
class Listener:
    """A subscription that hears of a profile: `delivered`, in the console, or else polled."""

    subscription_id: str
    trigger: str
    state: str
    delivered: bool

    @property
    def in_console(self) -> bool:
        """Whether it is the console's own."""
        return self.trigger == IN_CONSOLE

    @property
    def needs_worker(self) -> bool:
        """Whether a worker looks at the profile for it."""
        return self.state == ACTIVE and (self.delivered or self.in_console)

    def shown(self) -> dict[str, Any]:
        """As it is listed."""
        return {**vars(self), "in_console": self.in_console}


@dataclass(frozen=True)
class WatchedProfile:
    """A watch and who hears of it. `portrait` and `seen_at` are null before the first look."""

    id: int
    handle: str
    interval_seconds: int
    due_at: datetime
    seen_at: datetime | None
    paused: bool
    problem: str | None
    portrait: Portrait | None
    watched_by: Sequence[Listener]

    @property
    def credits_a_day(self) -> int:
        """The most that a worker's looks at it cost; what polls cost depends on who polls."""
        if self.paused or not any(listener.needs_worker for listener in self.watched_by):
            return 0
        return most_credits_a_day(self.interval_seconds)

    def shown(self) -> dict[str, Any]:
        """As it is listed; times are Unix seconds."""
        return {
            "handle": self.handle,
            **_as_seen(self.portrait),
            "seen_at": self.seen_at and unix_seconds(self.seen_at),
            "due_at": unix_seconds(self.due_at),
            "interval_seconds": self.interval_seconds,
            "paused": self.paused,
            "problem": self.problem,
            "credits_a_day": self.credits_a_day,
            "watched_by": [listener.shown() for listener in self.watched_by],
        }


@dataclass(frozen=True)
class Counts:
    """The counts of a profile at one look."""

    seen_at: datetime
    followers: int | None
    hearts: int | None
    videos: int | None


@dataclass(frozen=True)
class Noticed:
    """An event as it was told, and when."""

    at: datetime
    event_id: str
    body: Mapping[str, Any]


def most_credits_a_day(interval_seconds: int) -> int:
    """What looks at one profile cost at most, rounded up."""
    return -(-CREDITS_PER_LOOKUP * _DAY_SECONDS // interval_seconds)


def unix_seconds(moment: datetime) -> int:
    """Whole seconds since 1970."""
    return int(moment.timestamp())


def columns(looks: Sequence[Counts]) -> dict[str, list[int | None]]:
    """Looks as charts take them: a list for each count, and one for the times in Unix seconds."""
    return {
        "seen_at": [unix_seconds(look.seen_at) for look in looks],
        "followers": [look.followers for look in looks],
        "hearts": [look.hearts for look in looks],
        "videos": [look.videos for look in looks],
    }


def _as_seen(portrait: Portrait | None) -> dict[str, Any]:
    seen = portrait or Portrait(0, "")
    return {
        "nickname": seen.row.get("user_nickname"),
        "user_id": seen.user_id,
        "status": seen.status or None,
        "followers": seen.followers,
        "hearts": seen.row.get("hearts"),
        "videos": seen.row.get("stats_video_count"),
    }

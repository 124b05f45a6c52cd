"""How much happens in a soak: all of it follows from how long it takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.soak.receivers import HOSTILE

SENT_KEY, POLLED_KEY, HOSTILE_KEY = "sk_soak_sent", "sk_soak_polled", "sk_soak_hostile"
LEAVING_KEY = "sk_soak_leaving"
METRICS_TOKEN = "soak_metrics_token"
VISITOR_KEYS = ("sk_soak_ann", "sk_soak_bob")
HOSTILE_NAME = "h0"
_PLATFORMS = ("zapier", "make", "api")
# Receivers that take as long as they can: longer than a claim of a brief soak.
_SLOW = frozenset({"hang", "drip"})


@dataclass(frozen=True)
class Plan:
    """A soak of so many `minutes`, with `rate` requests a second.

    One of less than a minute `is_brief`: claims end sooner, and the upstream has no faults, whose
    consequences take a minute to pass.
    """

    database_url: str
    broker_url: str
    folder: Path
    minutes: float = 10.0
    rate: float = 15.0
    fault: str = ""
    seed: int = 1

    @property
    def seconds(self) -> float:
        """How long it goes on before it settles."""
        return self.minutes * 60

    @property
    def is_brief(self) -> bool:
        """Whether it is a test's."""
        return self.minutes < 1

    @property
    def kill_seconds(self) -> float:
        """Time between two kills."""
        return 2.0 if self.is_brief else 5.0

    @property
    def kills(self) -> int:
        """So many processes are killed, before it settles."""
        return round(self.seconds * 0.9 / self.kill_seconds)

    @property
    def videos(self) -> int:
        """So many videos does each profile post."""
        return 10 if self.is_brief else round(self.seconds / 12)

    @property
    def pause_seconds(self) -> float:
        """Time between two of them."""
        return self.seconds * 0.8 / self.videos

    @property
    def poll_seconds(self) -> float:
        """Time between two polls, and between two looks at a profile."""
        return 1.0 if self.is_brief else 5.0

    @property
    def lease_seconds(self) -> float:
        """How long a worker's claim lasts: longer than what it is for may take."""
        return 10.0 if self.is_brief else 20.0

    @property
    def hostile(self) -> tuple[str, ...]:
        """Receivers that do as they like."""
        return tuple(sorted(set(HOSTILE) - (_SLOW if self.is_brief else set())))

    @property
    def names(self) -> list[str]:
        """The profiles whose events are sent."""
        return [f"p{n}" for n in range(10 if self.is_brief else 20)]

    @property
    def polled_names(self) -> list[str]:
        """The profiles whose events are polled."""
        return [f"q{n}" for n in range(5)]

    @property
    def watchers(self) -> dict[str, str]:
        """The API key with which each profile is watched."""
        return {
            **dict.fromkeys(self.names, SENT_KEY),
            **dict.fromkeys(self.polled_names, POLLED_KEY),
            HOSTILE_NAME: HOSTILE_KEY,
        }

    @property
    def visitors(self) -> list[tuple[str, str]]:
        """Who visits, by API key and platform."""
        keys = VISITOR_KEYS[:1] if self.is_brief else VISITOR_KEYS
        return [(key, platform) for key in keys for platform in _PLATFORMS]

    @property
    def keys(self) -> frozenset[str]:
        """Every API key that is good."""
        return frozenset({SENT_KEY, POLLED_KEY, HOSTILE_KEY, LEAVING_KEY, *VISITOR_KEYS})

    @property
    def settings(self) -> dict[str, str]:
        """The product's settings."""
        return {
            "DATABASE_URL": self.database_url,
            "CONNECTOR_BROKER_URL": self.broker_url,
            "WATCH_MIN_INTERVAL_SECONDS": f"{self.poll_seconds:.0f}",
            "WATCH_DAILY_CREDITS": "10000000",
            "DAILY_CREDITS": "10000000",
            "WORKER_THREADS": "12",
            "WEB_WORKERS": "2",
            "CONNECTOR_DEADLINE_SECONDS": "3",
            "CONNECTOR_ALLOW_LOCAL_CALLBACKS": "true",
            "CONNECTOR_METRICS_TOKEN": METRICS_TOKEN,
        }

"""What the load asked for, what it was answered, and what it was promised by the answers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import requests

from schemas.errors import ErrorBody
from tests.soak.receivers import Told

FIRE: Final = "/webhooks/<token>"
_ERROR_KEYS: Final = set(ErrorBody().fields)
# What an upstream with faults, or a killed holder of a claim, may bring about.
_EXCUSED: Final = frozenset({409, 429, 502, 504})
# Where nothing else is right.
_REFUSED: Final = frozenset(
    {
        ("GET /console/<path:_nowhere>", 404),
        # Not confirmed: it would delete what is to be compared.
        ("POST /console/your-data/delete", 400),
    }
)
# A webhook that has spent its credits, and what can't be sent again while it is being sent.
_SPENT, _PENDING = (FIRE, 403), ("/replay", 404)


@dataclass(frozen=True)
class Unanswered:
    """A request without an answer: what it asked, how it failed, and when."""

    route: str
    failure: str
    began: float
    ended: float


@dataclass
class Tally:
    """Of all visitors together. A route is "METHOD /rule", whatever the platform."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    unanswered: list[Unanswered] = field(default_factory=list)
    misshapen: Counter[str] = field(default_factory=Counter)
    wrong_repeats: int = 0
    repeats: int = 0
    accepted: set[Told] = field(default_factory=set)
    jobs: set[str] = field(default_factory=set)
    planted: set[str] = field(default_factory=set)
    budgets: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, route: str, response: requests.Response) -> None:
        """One answer; a refusal has to have the published shape, unless it is a page."""
        with self._lock:
            self.answers[route, response.status_code] += 1
            if response.status_code >= 400 and "/console" not in route:
                self.misshapen[route] += not _is_published(response)

    def lost(self, request: Unanswered) -> None:
        """One request without an answer."""
        with self._lock:
            self.unanswered.append(request)

    def repeated(self, *, well: bool) -> None:
        """One repeat with an Idempotency-Key."""
        with self._lock:
            self.repeats += 1
            self.wrong_repeats += not well

    def learn(self, secrets: Mapping[str, Any]) -> None:
        """Secrets of an answer, which must be nowhere else."""
        found = (secrets.get(name) for name in ("secret", "signature_secret", "url"))
        with self._lock:
            self.planted.update(str(text).rpartition("/")[2] for text in found if text)

    @property
    def total(self) -> int:
        """Every answer."""
        return self.answers.total()

    def faults(self) -> Counter[str]:
        """Answers that say that the product failed."""
        bad = {500, 503}
        return Counter({r: n for (r, status), n in self.answers.items() if status in bad})

    def refusals(self) -> Counter[str]:
        """Answers that refuse what was right."""
        return Counter(
            {
                f"{route} {status}": n
                for (route, status), n in self.answers.items()
                if not _is_right(route, status)
            }
        )

    def unvisited(self, routes: frozenset[str]) -> frozenset[str]:
        """Those of `routes` that never answered well."""
        well = {route for route, status in self.answers if status < 400}
        return routes - well - {route for route, _ in _REFUSED}


def _is_right(route: str, status: int) -> bool:
    if status < 400 or status in _EXCUSED or status in (500, 503):
        return True
    return (route, status) in _REFUSED or any(
        route.endswith(end) and status == refused for end, refused in (_SPENT, _PENDING)
    )


def _is_published(response: requests.Response) -> bool:
    try:
        body = response.json()
    except ValueError:
        return False
    return isinstance(body, dict) and set(body) == _ERROR_KEYS

"""The upstream as the soak plays it: profiles that post, faults, and a ledger of what it charged."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.running import PLATFORM_SOURCES
from tests.watched import MISSING_HANDLE, profile

# Longer than the soak's workers and web servers wait for a look-up.
SLOW_SECONDS: Final = 6.0
# What a kill interrupts after the answer: until it is in the database, also on a slow machine.
KEEPING_SECONDS: Final = 4.0
# Somewhat longer, for whoever asks a little later.
_KNOWN_SECONDS: Final = 2 * KEEPING_SECONDS
NOT_FOUND: Final = b'{"error": "TikTok profile not found."}'
BAD_KEY: Final = b'{"error": "API key is invalid or missing."}'
MALFORMED: Final = (b"<html>", b'{"user": ', b"[]", b'"profile"', b"\xff\xfe")
# So many videos are listed, as on TikTok: else what processes hold would grow with each that is posted.
LISTED_VIDEOS: Final = 40
RESERVED_HANDLES: Final = "gone"
"""How handles begin that nobody has."""

_PLATFORMS: Final = {source: platform for platform, source in PLATFORM_SOURCES.items()}
_NONE, _FAILED, _SLOW, _BAD, _RESET, _LIMITED = (
    "none",
    "5xx",
    "slow",
    "malformed",
    "reset",
    "429",
)
# Of a hundred calls: the rest are answered well.
_SHARES: Final = ((_FAILED, 5.0), (_SLOW, 5.0), (_BAD, 2.0), (_RESET, 1.0), (_LIMITED, 1.0))


@dataclass(frozen=True)
class Answer:
    """What goes out after `after_seconds`; without a `status` the connection is reset."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    after_seconds: float = 0.0


@dataclass(eq=False)
class Call:
    """A call that the process named `by` made and that was charged, until it was `ended_at`."""

    connection: str
    handle: str
    by: str
    began_at: float
    ended_at: float | None = None


def connection_of(api_key: str, platform: str) -> str:
    """How the product files what one key asks for on one platform."""
    return f"{platform}:{hashlib.sha256(api_key.encode()).hexdigest()[:48]}"


@dataclass
class Upstream:
    """Answers for profiles by name, whose number of `videos` grows; `hostile` while it has faults.

    A call is charged when it arrives, unless it is refused; also one whose answer is useless. `shown` are
    the videos that good answers have told of, by connection and name.
    """

    keys: frozenset[str]
    videos: dict[str, int]
    chance: random.Random
    hostile: bool = False
    asked: Counter[str] = field(default_factory=Counter)
    charged: Counter[tuple[str, str]] = field(default_factory=Counter)
    in_vain: Counter[str] = field(default_factory=Counter)
    injected: Counter[str] = field(default_factory=Counter)
    shown: Counter[tuple[str, str]] = field(default_factory=Counter)
    made: defaultdict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    _open: set[Call] = field(default_factory=set)
    _ended: deque[Call] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def post(self, name: str) -> None:
        """The profile has one more video."""
        with self._lock:
            self.videos[name] += 1

    def answer(
        self, api_key: str, body: Mapping[str, str], *, by: str
    ) -> tuple[Answer, Call | None]:
        """What is answered, and the call where it is charged: to be ended when it is answered."""
        handle = body.get("handle")
        with self._lock:
            fault = self._fault()
            if api_key not in self.keys:
                return Answer(401, BAD_KEY), None
            if fault == _FAILED:
                return Answer(self.chance.choice((500, 502, 503)), b"{}"), None
            if fault == _LIMITED:
                said = b'{"error": "Rate limit exceeded."}'
                return Answer(429, said, {"Retry-After": "1"}), None
            if not handle:
                return Answer(400, MISSING_HANDLE), None
            if handle.startswith(RESERVED_HANDLES):
                return Answer(404, NOT_FOUND), None
            connection = connection_of(api_key, _PLATFORMS[body["requestSource"]])
            call = Call(connection, handle, by, time.monotonic())
            return self._charged(call, fault), call

    def _fault(self) -> str:
        at = self.chance.random() * 100
        for fault, share in _SHARES if self.hostile else ():
            if at < share:
                self.injected[fault] += 1
                return fault
            at -= share
        return _NONE

    def _charged(self, call: Call, fault: str) -> Answer:
        handle = call.handle
        self.asked[handle] += 1
        self.charged[call.connection, handle] += 1
        self.made[handle].append(call)
        self._open.add(call)
        if fault in (_BAD, _RESET, _SLOW):
            self.in_vain[handle] += 1
        if fault == _RESET:
            return Answer(0)
        if fault == _BAD:
            return Answer(200, self.chance.choice(MALFORMED))
        videos = self.videos.get(handle, 1)
        if fault != _SLOW:
            self.shown[call.connection, handle] = videos
        shown = profile(handle, videos=videos)
        shown["itemList"] = shown["itemList"][:LISTED_VIDEOS]
        found = json.dumps(shown).encode()
        return Answer(200, found, after_seconds=SLOW_SECONDS if fault == _SLOW else 0.0)

    def end(self, call: Call) -> None:
        """The call was answered."""
        with self._lock:
            call.ended_at = time.monotonic()
            self._open.discard(call)
            self._ended.append(call)
            while self._ended and (self._ended[0].ended_at or 0) < call.ended_at - _KNOWN_SECONDS:
                self._ended.popleft()

    def in_flight(self, by: str, died_at: float) -> list[Call]:
        """Charged calls that the end of `by` may have cut off, before they were in the books."""
        since = died_at - KEEPING_SECONDS
        with self._lock:
            just = [call for call in self._ended if (call.ended_at or 0) >= since]
            return [call for call in (*self._open, *just) if call.by == by]

    @property
    def calls(self) -> int:
        """How many were charged."""
        return self.charged.total()

"""What use cases ask of the outside, as shapes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from connector.domain.answers import Answer, RateLimit
from connector.domain.deadlines import Deadline


class Clock(Protocol):
    """Time, wall and monotonic."""

    def now(self) -> datetime:
        """This moment, aware and in UTC."""

    def monotonic(self) -> float:
        """Seconds that never go backwards."""

    def sleep(self, seconds: float) -> None:
        """Waits."""


class Profiles(Protocol):
    """The upstream API, as one caller with one key sees it."""

    def call(self, body: Mapping[str, Any], *, api_key: str, deadline: Deadline) -> Answer:
        """Posts `body` to the documented endpoint. Raises a `ConnectorError` for any failure."""

    def check_key(self, *, api_key: str, request_source: str, deadline: Deadline) -> RateLimit:
        """Asks without a handle, which costs nothing. Raises `InvalidApiKey` for a bad key."""

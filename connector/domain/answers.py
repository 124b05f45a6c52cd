"""What a look-up brings back, before and after it is a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# The documented price of one successful request.
CREDITS_PER_LOOKUP = 2


@dataclass(frozen=True)
class RateLimit:
    """The upstream's own words on its limit, in requests; null where it said nothing."""

    limit: int | None = None
    remaining: int | None = None


@dataclass(frozen=True)
class Answer:
    """A successful upstream answer: its JSON object, the documented headers, what they mean."""

    payload: Mapping[str, Any]
    headers: Mapping[str, str]
    rate_limit: RateLimit


@dataclass(frozen=True)
class Result:
    """What a use case hands to a door: the value to send, and the limit to pass on.

    `cursor` leads to what a list has no room for; what `goes_on` has been begun, not done.
    """

    value: Any
    rate_limit: RateLimit | None
    cursor: int | None = None
    goes_on: bool = False


@dataclass(frozen=True)
class Page:
    """Which part of a list is asked for: at most `limit` items, older than `before` where given.

    `sample` asks for what an item would look like where there is none yet.
    """

    limit: int
    before: int | None = None
    sample: bool = False

"""The ways in, and what differs between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Platform:
    """A way in. `key` is its path, `name` what a person calls it.

    `deadline_seconds` is for the whole request and lies below the platform's own limit. `paged` lists
    are `{items, next_cursor}`; others are bare arrays. A platform that `learns_first` takes the
    first answer of a trigger for what was there before.
    """

    key: str
    name: str
    request_source: str
    deadline_seconds: float
    paged: bool
    learns_first: bool


# Zapier gives a call 30 s and Make about 40 s; a plain caller chooses, so a minute is polite.
PLATFORMS: Final = (
    Platform("zapier", "Zapier", "ZAPIER", 25.0, paged=False, learns_first=True),
    Platform("make", "Make", "MAKE_DOT_COM", 35.0, paged=True, learns_first=False),
    Platform("api", "Plain HTTP", "API", 60.0, paged=False, learns_first=True),
)

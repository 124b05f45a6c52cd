"""Upstream names as output keys."""

from __future__ import annotations

import re

# One capital before the hump is enough, and a run of them costs no backtracking.
_WORD = re.compile(r"([A-Z])([A-Z][a-z])")
_HUMP = re.compile(r"([a-z0-9])([A-Z])")
_OTHER = re.compile(r"[^a-z0-9]+")


def output_key(*path: str) -> str:
    """The key of an upstream path: snake_case parts joined by one underscore.

    `("user", "isADVirtual")` is `user_is_ad_virtual`. Platforms want a letter first and
    read a double underscore as nesting, so neither is left to the upstream's names.
    """
    snake = "_".join(_HUMP.sub(r"\1_\2", _WORD.sub(r"\1_\2", part)) for part in path)
    key = _OTHER.sub("_", snake.lower()).strip("_")
    return key if key[:1].isalpha() else f"x_{key}".rstrip("_")

"""Labels as Zapier writes them, in its forms and wherever we show what it shows."""

from __future__ import annotations

import re
from typing import Final

_SMALL_WORDS: Final = frozenset(
    ["a", "an", "and", "as", "at", "by", "for", "in", "of", "on", "or", "the", "to", "with"]
)


def title_case(label: str) -> str:
    """`label` as Zapier writes labels: "Get a Profile"."""
    words = label.split(" ")
    return " ".join(
        word if word in _SMALL_WORDS and 0 < place < len(words) - 1 else _capitalised(word)
        for place, word in enumerate(words)
    )


def _capitalised(word: str) -> str:
    if re.match(r"\W*[a-z]+[A-Z]", word):
        # A key such as (heartCount) is several words.
        word = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", word)
    return re.sub(r"^\W*[a-z]", lambda match: match[0].upper(), word)

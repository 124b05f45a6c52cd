"""Pictures, known by how they begin: what a stranger calls them counts for nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

_BEGINNINGS: Final = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
}


@dataclass(frozen=True)
class Picture:
    """A picture and its media type."""

    content: bytes = field(repr=False)
    kind: str


def picture_in(content: bytes) -> Picture | None:
    """`content` as a picture of a kind that holds no script; null where it is none."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return Picture(content, "image/webp")
    for beginning, kind in _BEGINNINGS.items():
        if content.startswith(beginning):
            return Picture(content, kind)
    return None

"""Moments as the database keeps them: whole Unix milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970."""
    return round(moment.timestamp() * 1000)


def from_ms(milliseconds: int) -> datetime:
    """The moment, aware and in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

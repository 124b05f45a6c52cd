"""Looking up once for many: what is known of a profile, how fresh it is, and who asks for it now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from connector.domain.answers import RateLimit
from connector.domain.errors import ConnectorError, ProfileNotFound
from schemas.fields import declared_fields
from schemas.profile import ProfileRow

# A profile that was not found is not asked for again so soon.
MISS_LASTS: Final = timedelta(seconds=60)
_KEYS: Final = list(declared_fields(ProfileRow))

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """A profile's row. `cached` ones were paid for by an earlier look-up, or by one beside it."""

    row: Row
    rate_limit: RateLimit | None
    cached: bool

    @classmethod
    def known(cls, row: Row) -> Found:
        """The row for somebody who pays nothing for it."""
        return cls({**row, "cached": True, "credits_used": 0}, None, cached=True)


@dataclass(frozen=True)
class Known:
    """What the last look-up with a key brought, and until when another is under way."""

    fetched_at: datetime | None = None
    row: Row | None = field(default=None, repr=False)
    failed_at: datetime | None = None
    failure: ConnectorError | None = None
    busy_until: datetime | None = None

    def answer(self, now: datetime, *, max_age: timedelta, since: datetime) -> Found | None:
        """What is fresh enough, for who waits since `since`; null where there is nothing.

        Raises the failure of a fresh look-up: a miss for a while, anything else only to those who
        waited for that look-up.
        """
        if self.failure is not None and self.failed_at is not None:
            lasts = MISS_LASTS if isinstance(self.failure, ProfileNotFound) else timedelta()
            if self.failed_at > since or now - self.failed_at < min(lasts, max_age):
                raise self.failure
        if self.row is None or self.fetched_at is None or now - self.fetched_at > max_age:
            return None
        # A row that an older version kept may lack what was added since.
        return Found.known(self.row) if list(self.row)[: len(_KEYS)] == _KEYS else None


def again(error: ConnectorError) -> ConnectorError:
    """The same failure, for somebody else: an exception is raised in one thread only."""
    return type(error)(error.message, retry_after_seconds=error.retry_after_seconds)

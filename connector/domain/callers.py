"""Who asks, through which platform, and until when."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from connector.domain.deadlines import Deadline
from connector.domain.platforms import Platform

# Of the key's hash: long enough to be unique.
_LENGTH: Final = 48


@dataclass(frozen=True)
class Caller:
    """One authenticated request. The key is kept out of `repr`, and so out of logs.

    `root` is the address at which the connector was reached. Who is `signed_in` came with a session that
    a good key has begun.
    """

    platform: Platform
    deadline: Deadline
    api_key: str = field(repr=False)
    root: str = "/"
    signed_in: bool = False

    @property
    def connection_id(self) -> str:
        """Stands for the key where it must not be seen: 12 hex digits of its SHA-256."""
        return self._digest[:12]

    @property
    def connection(self) -> str:
        """The key on this platform, as what is kept for it is filed."""
        return f"{self.platform.key}:{self._digest[:_LENGTH]}"

    @cached_property
    def _digest(self) -> str:
        return _digest_of(self.api_key)


def connection_of(platform_key: str, api_key: str) -> str:
    """As what is kept for a key on a platform is filed."""
    return f"{platform_key}:{_digest_of(api_key)[:_LENGTH]}"


def _digest_of(api_key: str) -> str:
    return hashlib.sha256(api_key.encode()).hexdigest()

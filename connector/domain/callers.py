"""Who asks, through which platform, and until when."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

from connector.domain.deadlines import Deadline
from connector.domain.platforms import Platform


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
        """The key on this platform, as what is kept for it is filed: long enough to be unique."""
        return f"{self.platform.key}:{self._digest[:48]}"

    @cached_property
    def _digest(self) -> str:
        return hashlib.sha256(self.api_key.encode()).hexdigest()

"""Looking up for somebody who is not there: with the key that was kept, and without raising."""

from __future__ import annotations

import logging
import math
from typing import Final, Protocol

from connector.domain.callers import Caller
from connector.domain.deadlines import Deadline
from connector.domain.errors import ConnectorError, InvalidApiKey, Unreadable, UpstreamInvalid
from connector.domain.platforms import PLATFORMS
from connector.domain.ports import Clock, Vault

log = logging.getLogger(__name__)
_PLATFORMS: Final = {platform.key: platform for platform in PLATFORMS}
_UNREADABLE: Final = "The stored API key can't be read any more: connect the account again."


class Owned(Protocol):
    """Work that is paid with a key that was kept."""

    @property
    def platform(self) -> str:
        """The platform's key."""

    @property
    def sealed_key(self) -> str:
        """The API key, sealed."""


def owner_of(
    work: Owned, *, vault: Vault, clock: Clock, max_deadline_seconds: float = math.inf
) -> Caller:
    """Who asked for `work`, with the platform's time from now, capped. Raises `Unreadable`."""
    platform = _PLATFORMS[work.platform]
    seconds = min(platform.deadline_seconds, max_deadline_seconds)
    return Caller(platform, Deadline(seconds, clock.monotonic), vault.open(work.sealed_key))


def as_error(exc: Exception) -> ConnectorError:
    """Whatever went wrong with a look-up, as one of our errors."""
    if isinstance(exc, ConnectorError):
        return exc
    if isinstance(exc, Unreadable):
        log.error("a stored API key can't be opened; see CONNECTOR_ENCRYPTION_KEYS")
        return InvalidApiKey(_UNREADABLE)
    log.error("looking up failed", exc_info=exc)
    return UpstreamInvalid("The look failed unexpectedly.")

"""The same counts in a Redis that all processes share. Imported only where a broker is set."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from connector.adapters.counts import MemoryCounts
from connector.domain.ports import Clock

log = logging.getLogger(__name__)
# After a failure Redis is left alone for so long: a request is not to wait for what is gone.
QUIET_SECONDS: Final = 10.0
_TIMEOUT_SECONDS: Final = 0.5
# Each is busy for less than a millisecond.
_CONNECTIONS: Final = 20
# A minute, and another for clocks that differ.
_KEPT_SECONDS: Final = 120


class RedisCounts:
    """Counts of all processes; of this one alone while Redis is gone, which is told of once."""

    def __init__(self, url: str, clock: Clock) -> None:
        # One more attempt at once, as a connection may have been closed while it was idle.
        options: dict[str, Any] = {"retry": Retry(NoBackoff(), 1), "max_connections": _CONNECTIONS}
        # A crowd waits for a connection, rather than to count alone.
        waits = ("timeout", "socket_timeout", "socket_connect_timeout")
        options |= dict.fromkeys(waits, _TIMEOUT_SECONDS)
        self._redis = Redis.from_pool(BlockingConnectionPool.from_url(url, **options))
        self._clock = clock
        self._alone = MemoryCounts()
        self._quiet_until: float | None = None

    def count(self, names: Sequence[str], minute: int) -> list[int]:
        """As `MemoryCounts` does."""
        now, quiet_until = self._clock.monotonic(), self._quiet_until
        if quiet_until:
            if now < quiet_until:
                return self._alone.count(names, minute)
            # One finds out for all.
            self._quiet_until = now + QUIET_SECONDS
        try:
            counted = self._asked(names, minute)
        except (RedisError, OSError) as exc:
            known, self._quiet_until = self._quiet_until, self._clock.monotonic() + QUIET_SECONDS
            if not known:
                # Not the text, which may hold whatever the server said.
                log.warning("limits count in each process alone (%s)", type(exc).__name__)
            return self._alone.count(names, minute)
        if quiet_until:
            self._quiet_until = None
            log.warning("limits count in all processes again")
        return counted

    def _asked(self, names: Sequence[str], minute: int) -> list[int]:
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            counted = f"connector:rate:{minute}:{name}"
            pipeline.incr(counted)
            pipeline.expire(counted, _KEPT_SECONDS)
        return [int(answer) for answer in pipeline.execute()[::2]]

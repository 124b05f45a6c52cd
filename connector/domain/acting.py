"""Who acts now, for the audit log; and the lines of that log, which name things by their ids."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from connector.domain.idempotency import Effect, effect
from connector.domain.trace import request_id

API_KEY: Final = "api_key"
CONSOLE: Final = "console"
OPERATOR: Final = "operator"
RECEIVER: Final = "receiver"
WORKER: Final = "worker"

# A worker's threads begin with nothing: whoever else acts says so.
_WHO: ContextVar[str] = ContextVar("who", default=WORKER)


@dataclass(frozen=True)
class Acting:
    """Who makes a change, in which request, and whose `effect` it is."""

    who: str
    request_id: str | None = None
    effect: Effect = field(default_factory=Effect, compare=False)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One change as it was logged."""

    at: datetime
    who: str
    what: str
    connection_id: str | None
    object_id: str | None
    request_id: str | None


def acts(who: str) -> None:
    """From now on, changes of this thread are made by `who`."""
    _WHO.set(who)


def acting() -> Acting:
    """Who acts in this thread. To be asked there: another may carry the change out."""
    return Acting(_WHO.get(), request_id(), effect())

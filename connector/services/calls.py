"""What is kept of the requests to incoming webhooks, for their owners. Nothing depends on it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from connector.domain.errors import ConnectorError, RateLimited
from connector.domain.masking import masked
from connector.domain.ports import Clock, WebhookStore
from connector.domain.webhooks import Arrival, Call

log = logging.getLogger(__name__)
# What is refused at the door is not counted, so that nothing else bounds how often it is written.
DOOR_A_MINUTE: Final = 10
_FAULT: Final = ("internal_error", "The connector failed unexpectedly.")


@dataclass(frozen=True, kw_only=True)
class Calls:
    """Keeps each request with how it was answered. One that can't be kept is answered all the same."""

    store: WebhookStore
    clock: Clock

    @contextmanager
    def at_the_door(self, arrival: Arrival) -> Iterator[None]:
        """Keeps the error that ends the block: a few a minute, and one that says it were too many."""
        try:
            yield
        except ConnectorError as error:
            most = 1 if isinstance(error, RateLimited) else DOOR_A_MINUTE
            self._keep(arrival, None, error.code, error.message, a_minute=most)
            raise

    @contextmanager
    def before_its_handle(self, arrival: Arrival) -> Iterator[None]:
        """Keeps the error that ends the block before it is known what was asked for."""
        try:
            yield
        except ConnectorError as error:
            self._keep(arrival, None, error.code, error.message)
            raise

    @contextmanager
    def of(self, handle: str, arrival: Arrival) -> Iterator[None]:
        """Keeps what becomes of a request for `handle`, however the block ends."""
        try:
            yield
        except ConnectorError as error:
            self._keep(arrival, handle, error.code, error.message)
            raise
        except Exception:
            self._keep(arrival, handle, *_FAULT)
            raise
        self._keep(arrival, handle, None, None)

    def _keep(
        self,
        arrival: Arrival,
        handle: str | None,
        error_code: str | None,
        error: str | None,
        *,
        a_minute: int | None = None,
    ) -> None:
        seconds = self.clock.monotonic() - arrival.began
        call = Call(
            called_at=arrival.called_at,
            handle=handle,
            error_code=error_code,
            error=error and masked(error),
            milliseconds=round(1000 * seconds),
        )
        try:
            self.store.keep_call(arrival.webhook_id, call, a_minute=a_minute)
        except Exception as exc:  # noqa: BLE001  # whoever fired it has their answer, and has paid for it
            log.warning("a call of a webhook was not kept (%s)", type(exc).__name__)

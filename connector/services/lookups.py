"""Look-ups that cost nothing where one that is fresh enough is known, or under way, for the same key.

Concurrent identical look-ups share one call: the threads of a process wait for each other, the
processes for a claim in the database.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from typing import Final

from connector.domain.callers import Caller
from connector.domain.errors import ConnectorError, UpstreamTimeout
from connector.domain.lookups import Found, again
from connector.domain.ports import Clock, LookupStore, Profiles
from connector.domain.rows import profile_row
from connector.domain.usage import Asked
from connector.services.usage import Meter, all_the_same

_PAUSE_SECONDS: Final = 0.05
_BUSY: Final = "An identical look-up is still under way."

Flight = tuple[str, str, int]


@dataclass(frozen=True, kw_only=True)
class Lookups:
    """Fetches profiles for callers. Nothing is shared between API keys, nor between platforms.

    `noted` is told of each that may cost nothing whether it did.
    """

    profiles: Profiles
    store: LookupStore
    meter: Meter
    clock: Clock
    noted: Callable[[bool], None]
    _flights: dict[Flight, Future[Found]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def fetch(self, handle: str, caller: Caller, *, max_age_seconds: int, what: str) -> Found:
        """The profile as it is now or was up to `max_age_seconds` ago; 0 always asks the upstream.

        `handle` is in normal form; `what` asks, as usage is told by it. Raises a `ConnectorError`
        for whatever went wrong.
        """
        asked = self.meter.asked(caller, what)
        if max_age_seconds <= 0:
            return self._call(handle, caller, asked, token=None)
        found = self._share(handle, caller, asked, max_age_seconds)
        self.noted(found.cached)
        if found.cached:
            self.meter.saved(asked)
        return found

    def _share(self, handle: str, caller: Caller, asked: Asked, max_age_seconds: int) -> Found:
        flight = (caller.connection, handle, max_age_seconds)
        future, leads = self._board(flight)
        if not leads:
            return self._follow(future, caller)
        try:
            found = self._lead(handle, caller, asked, timedelta(seconds=max_age_seconds))
        except BaseException as exc:
            future.set_exception(exc)
            raise
        else:
            future.set_result(found)
            return found
        finally:
            with self._lock:
                del self._flights[flight]

    def _board(self, flight: Flight) -> tuple[Future[Found], bool]:
        """What threads with the same question wait for, and whether this one is to answer it."""
        with self._lock:
            future = self._flights.get(flight)
            if future is not None:
                return future, False
            future = self._flights[flight] = Future()
            return future, True

    def _follow(self, future: Future[Found], caller: Caller) -> Found:
        try:
            return Found.known(future.result(max(caller.deadline.remaining(), 0)).row)
        except ConnectorError as error:
            raise again(error) from error
        except TimeoutError as exc:
            raise UpstreamTimeout(_BUSY) from exc

    def _lead(self, handle: str, caller: Caller, asked: Asked, max_age: timedelta) -> Found:
        began = now = self.clock.now()
        lease = caller.deadline.lease()
        token = self.store.claim_stale(caller.connection, handle, now, lease=lease, max_age=max_age)
        while not token:
            now = self.clock.now()
            known = self.store.known(caller.connection, handle)
            if found := known.answer(now, max_age=max_age, since=began):
                return found
            if known.busy_until is None or known.busy_until <= now:
                lease = caller.deadline.lease()
                token = self.store.claim(caller.connection, handle, now, lease=lease, known=known)
            if not token:
                if caller.deadline.remaining() <= 0:
                    raise UpstreamTimeout(_BUSY)
                self.clock.sleep(_PAUSE_SECONDS)
        return self._call(handle, caller, asked, token=token)

    def _call(self, handle: str, caller: Caller, asked: Asked, *, token: str | None) -> Found:
        """Asks the upstream and keeps what it brought, which others wait for where there is a `token`."""
        try:
            with self.meter.paying(asked):
                found = self._ask(handle, caller)
        except ConnectorError as error:
            with all_the_same("why a look-up failed"):
                self.store.fail(caller.connection, handle, self.clock.now(), error, token=token)
            raise
        now = self.clock.now()
        with all_the_same("what a look-up brought"):
            self.store.keep(caller.connection, handle, now, found.row, token=token, asked=asked)
        return found

    def _ask(self, handle: str, caller: Caller) -> Found:
        source = caller.platform.request_source
        answer = self.profiles.call(
            {"handle": handle, "requestSource": source},
            api_key=caller.api_key,
            deadline=caller.deadline,
        )
        try:
            row = profile_row(
                answer.payload, handle=handle, request_source=source, fetched_at=self.clock.now()
            )
        except ConnectorError as error:
            error.rate_limit = answer.rate_limit
            raise
        return Found(row, answer.rate_limit, cached=False)

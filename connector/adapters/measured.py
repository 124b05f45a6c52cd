"""Measuring at the edges: requests, calls of the upstream, looks and tries, each around what does it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from connector.domain.answers import Answer, RateLimit
from connector.domain.callers import Caller
from connector.domain.deadlines import Deadline
from connector.domain.deliveries import Outcome
from connector.domain.errors import ConnectorError
from connector.domain.metrics import (
    LOOK_SECONDS,
    OUTCOME,
    REQUEST_SECONDS,
    REQUESTS,
    TRY_SECONDS,
    UPSTREAM_SECONDS,
    Metric,
)
from connector.domain.platforms import PLATFORMS
from connector.domain.ports import Looker, Profiles, Sender
from connector.domain.subscriptions import ClaimedWatch

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SCRAPED: Final = "/metrics"
_NONE: Final = "(none)"
_PLATFORMS: Final = {platform.key for platform in PLATFORMS}
# Callers can make up methods, and labels stay for good.
_METHODS: Final = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


@dataclass
class Timed:
    """What is being timed. `labels` and `outcome` may be said until its end; `route` is a request's."""

    labels: tuple[str, ...] = ()
    outcome: str = "ok"
    route: str = ""
    method: str = ""
    status: str = ""

    def labels_of(self, metric: Metric) -> tuple[str, ...]:
        """The values of the metric's labels."""
        return (*self.labels, self.outcome) if OUTCOME in metric.labels else self.labels


class Measure(Protocol):
    """Where measurements go."""

    def count(self, metric: Metric, *labels: str) -> None:
        """Counts one."""

    def timed(
        self, metric: Metric, *labels: str, sent: Mapping[str, Any] | None = None
    ) -> AbstractContextManager[Timed]:
        """Times the block; what it raises is its outcome. `sent` is the environment of a request."""


def outcome_of(exc: BaseException) -> str:
    """What an exception is called in a label."""
    return exc.code if isinstance(exc, ConnectorError) else "failed"


def measured_application(application: WSGIApplication, measure: Measure) -> WSGIApplication:
    """`application`, whose requests are counted and timed, but for those that read the metrics."""

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == SCRAPED:
            return application(environ, start_response)
        with measure.timed(REQUEST_SECONDS, sent=environ) as timed:
            # Where no answer is begun.
            _tell(timed, environ, "500")

            def start(status: str, *rest: Any) -> Any:
                # Now, as Flask forgets its request once this has returned.
                _tell(timed, environ, status[:3])
                return start_response(status, *rest)

            try:
                return application(environ, start)
            finally:
                measure.count(REQUESTS, timed.route, *timed.labels, timed.method, timed.status)

    return wrapped


def _tell(timed: Timed, environ: WSGIEnvironment, status: str) -> None:
    timed.status = status
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    timed.route = rule.rule if rule else _NONE
    platform = timed.route.split("/")[1] if rule else ""
    timed.labels = (platform if platform in _PLATFORMS else _NONE,)
    method = environ.get("REQUEST_METHOD", "")
    timed.method = method if method in _METHODS else _NONE


class MeasuredProfiles:
    """The upstream behind `profiles`, each call timed."""

    def __init__(self, profiles: Profiles, measure: Measure) -> None:
        self._profiles = profiles
        self._measure = measure

    def call(self, body: Mapping[str, Any], *, api_key: str, deadline: Deadline) -> Answer:
        """As `profiles` does."""
        with self._measure.timed(UPSTREAM_SECONDS, "look_up"):
            return self._profiles.call(body, api_key=api_key, deadline=deadline)

    def check_key(self, *, api_key: str, request_source: str, deadline: Deadline) -> RateLimit:
        """As `profiles` does."""
        with self._measure.timed(UPSTREAM_SECONDS, "key_check"):
            return self._profiles.check_key(
                api_key=api_key, request_source=request_source, deadline=deadline
            )


class MeasuredLooks:
    """The looks of `watcher`, each timed."""

    def __init__(self, watcher: Looker, measure: Measure) -> None:
        self._watcher = watcher
        self._measure = measure

    def look(self, watch: ClaimedWatch, caller: Caller | None = None) -> ConnectorError | None:
        """As `watcher` does."""
        with self._measure.timed(LOOK_SECONDS) as timed:
            error = self._watcher.look(watch, caller)
            if error is not None:
                timed.outcome = outcome_of(error)
            return error


class MeasuredSender:
    """The tries of `sender`, each timed."""

    def __init__(self, sender: Sender, measure: Measure) -> None:
        self._sender = sender
        self._measure = measure

    def send(
        self,
        *,
        target_url: str,
        body: bytes,
        webhook_id: str,
        secrets: Sequence[str],
        now: datetime,
    ) -> Outcome:
        """As `sender` does."""
        with self._measure.timed(TRY_SECONDS) as timed:
            outcome = self._sender.send(
                target_url=target_url, body=body, webhook_id=webhook_id, secrets=secrets, now=now
            )
            timed.outcome = _said(outcome)
            return outcome


def _said(outcome: Outcome) -> str:
    if outcome.status is None:
        return "failed"
    if outcome.delivered:
        return "delivered"
    if outcome.gone:
        return "gone"
    return "throttled" if outcome.throttled else "refused"

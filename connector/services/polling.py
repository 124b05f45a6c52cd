"""Polled triggers: a poll looks at what is due, and answers the newest events.

Works with no worker running. The first poll is what later looks are compared with, and answers
what an event would look like.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connector.domain.answers import Page
from connector.domain.callers import Caller
from connector.domain.errors import (
    BudgetExceeded,
    ConnectorError,
    InvalidApiKey,
    ProfileNotFound,
    UpstreamUnavailable,
)
from connector.domain.events import sample_event
from connector.domain.ports import Clock, Looker, SubscriptionStore, WatchStore
from connector.domain.subscriptions import Subscription, Watched
from connector.services.subscribing import Subscribing, terms_of

MAX_EVENTS: Final = 100
# With less than this part of the time left, what is still due waits for the next poll.
_ENOUGH: Final = 1 / 3
_PAUSE_SECONDS: Final = 0.25


@dataclass(frozen=True, kw_only=True)
class Polling:
    """Answers polls."""

    subscriptions: SubscriptionStore
    subscribing: Subscribing
    watches: WatchStore
    watcher: Looker
    clock: Clock

    def poll(
        self, trigger: str, inputs: Mapping[str, Any], caller: Caller, page: Page
    ) -> tuple[list[Mapping[str, Any]], int | None]:
        """The newest events and, where there are more, the cursor to the next older ones.

        Raises what keeps profiles from being looked at, where only the caller can mend it.
        """
        terms = terms_of(trigger, inputs)
        found = self.subscriptions.polled(caller.connection, terms)
        if found is None:
            samples = self._first_poll(self.subscribing.subscribe(terms, caller), caller)
            return (samples if page.sample or caller.platform.learns_first else []), None
        problem = None if page.before else self._look(found, caller)
        told = self.watches.told(found.id, limit=page.limit + 1, before=page.before)
        if page.sample and not told:
            return self._samples(found, problem), None
        if isinstance(problem, (InvalidApiKey, BudgetExceeded)):
            raise problem
        rows = [event.body for event in told[: page.limit]]
        cursor = told[page.limit - 1].sequence if len(told) > page.limit else None
        return rows, cursor

    def _first_poll(self, made: Subscription, caller: Caller) -> list[Mapping[str, Any]]:
        """Samples; where there are none, there is nothing to watch, and nothing is kept."""
        try:
            return self._samples(made, self._look(made, caller))
        except ConnectorError:
            self.subscriptions.unsubscribe(caller.connection, made.id, self.clock.now())
            raise

    def _look(self, subscription: Subscription, caller: Caller) -> ConnectorError | None:
        """Looks at what is due while there is time; answers the last problem."""
        if problem := self._refused(caller):
            return problem
        while caller.deadline.remaining() > caller.deadline.seconds * _ENOUGH:
            lease = caller.deadline.lease()
            due = self.watches.claim_for(subscription.id, self.clock.now(), lease=lease, limit=1)
            if due:
                problem = self.watcher.look(due[0], caller) or problem
                continue
            watched = self.watches.watched_by(subscription.id, self.clock.now())
            if not _is_expected(watched):
                return problem or _spent(watched)
            self.clock.sleep(_PAUSE_SECONDS)
        return problem

    def _refused(self, caller: Caller) -> ConnectorError | None:
        """What a key that was refused brings now; null where it is good, and looks go on."""
        try:
            if self.subscriptions.is_refused(caller.connection):
                self.subscribing.check_key(caller)
        except ConnectorError as error:
            return error
        return None

    def _samples(
        self, subscription: Subscription, problem: ConnectorError | None
    ) -> list[Mapping[str, Any]]:
        now = self.clock.now()
        terms = subscription.terms
        watched = self.watches.watched_by(subscription.id, now)
        known = [w.portrait for w in watched if w.portrait and w.portrait.row]
        if not known:
            raise problem or _nothing_known(watched, terms.handles)
        return [sample_event(terms.trigger, terms.inputs, p, now).body for p in known[:3]]


def _is_expected(watched: Sequence[Watched]) -> bool:
    """Whether nothing is known yet, and a worker or another poll is about to see one first."""
    return any(w.expected for w in watched) and not any(w.portrait for w in watched)


def _spent(watched: Sequence[Watched]) -> ConnectorError | None:
    """The budget that keeps one of them from being looked at until there is more of it."""
    return next(filter(None, (BudgetExceeded.said(w.problem) for w in watched)), None)


def _nothing_known(watched: Sequence[Watched], handles: Sequence[str]) -> ConnectorError:
    """Why there is nothing to show of any of the profiles."""
    unseen = [w for w in watched if w.portrait is None]
    if problem := next((w.problem for w in unseen if w.problem), None):
        return UpstreamUnavailable(problem)
    # Another poll that was first may have found nothing, and left nothing; or died as it looked.
    if not watched or unseen:
        return UpstreamUnavailable("The first look at the profile is not done yet.")
    return ProfileNotFound(f"TikTok profile not found for handle: {', '.join(handles)}")

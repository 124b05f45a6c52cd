"""Assembly of the use cases: what polls, hooks, webhooks, jobs and the worker are made of."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from functools import cached_property

from sqlalchemy import Engine

from connector.adapters.measured import MeasuredLooks
from connector.adapters.store.sealed import Piece
from connector.adapters.store.standing import Standing
from connector.config import Settings
from connector.domain.metrics import CACHE
from connector.domain.ports import Looker
from connector.outside import Outside
from connector.services.batching import Batcher
from connector.services.calls import Calls
from connector.services.deleting import Deleting
from connector.services.delivering import Courier
from connector.services.firing import Firing
from connector.services.history import Forgetting, History
from connector.services.hooks import Hooks
from connector.services.idempotency import Idempotency
from connector.services.jobs import Jobs
from connector.services.lookups import Lookups
from connector.services.pictures import Pictures
from connector.services.polling import Polling
from connector.services.subscribing import Subscribing
from connector.services.usage import Meter, UsageReport
from connector.services.visits import Visits
from connector.services.watched import WatchedProfiles
from connector.services.watching import Watcher
from connector.services.webhooks import Webhooks
from connector.services.working import SWEEP_SECONDS, Worker
from connector.stores import Stores


class Watching:
    """The parts of one process, each put together when it is first asked for."""

    def __init__(self, settings: Settings, engine: Engine, outside: Outside) -> None:
        self._settings = settings
        self._allow_local = settings.connector_allow_local_callbacks
        self._outside = outside
        self.profiles = outside.profiles
        self.vault = outside.vault
        self.wakeups = outside.wakeups
        self.clock = outside.clock
        self.stores = Stores(engine)
        self.standing = Standing(engine, now=self.clock.now)

    @cached_property
    def meter(self) -> Meter:
        """What look-ups cost, and whether there is enough for one more."""
        return Meter(
            store=self.stores.usage, clock=self.clock, daily_budget=self._settings.daily_credits
        )

    @cached_property
    def usage(self) -> UsageReport:
        """What was spent, and on what."""
        return UsageReport(
            meter=self.meter,
            profiles=self.profiles,
            watching_budget=self._settings.watch_daily_credits,
        )

    @cached_property
    def lookups(self) -> Lookups:
        """Look-ups, of the upstream or of what is known."""
        return Lookups(
            profiles=self.profiles,
            store=self.stores.known,
            meter=self.meter,
            clock=self.clock,
            noted=lambda cached: self._outside.measure.count(CACHE, "hit" if cached else "miss"),
        )

    @cached_property
    def idempotency(self) -> Idempotency:
        """Requests that say that they may be repeats."""
        return Idempotency(store=self.stores.requests, vault=self.vault, clock=self.clock)

    @cached_property
    def watcher(self) -> Looker:
        """Looks at what is watched."""
        watcher = Watcher(
            store=self.stores.watches,
            lookups=self.lookups,
            vault=self.vault,
            wakeups=self.wakeups,
            clock=self.clock,
            random=self._outside.random,
            daily_budget=self._settings.watch_daily_credits,
        )
        return MeasuredLooks(watcher, self._outside.measure)

    @cached_property
    def subscribing(self) -> Subscribing:
        """Connections, and what they have subscribed to."""
        return Subscribing(
            store=self.stores.subscriptions,
            profiles=self.profiles,
            vault=self.vault,
            clock=self.clock,
            random=self._outside.random,
            floor_seconds=self._settings.watch_min_interval_seconds,
        )

    @cached_property
    def polling(self) -> Polling:
        """Polling triggers."""
        return Polling(
            subscriptions=self.stores.subscriptions,
            subscribing=self.subscribing,
            watches=self.stores.watches,
            watcher=self.watcher,
            clock=self.clock,
        )

    @cached_property
    def watched(self) -> WatchedProfiles:
        """The console's watched profiles."""
        return WatchedProfiles(
            store=self.stores.watched,
            kept=self.stores.series,
            watches=self.stores.watches,
            subscriptions=self.stores.subscriptions,
            subscribing=self.subscribing,
            wakeups=self.wakeups,
            clock=self.clock,
            daily_budget=self._settings.watch_daily_credits,
        )

    @cached_property
    def hooks(self) -> Hooks:
        """Instant triggers, and what is on its way to their receivers."""
        return Hooks(
            subscriptions=self.stores.subscriptions,
            subscribing=self.subscribing,
            watches=self.stores.watches,
            deliveries=self.stores.deliveries,
            wakeups=self.wakeups,
            clock=self.clock,
            allow_local=self._allow_local,
        )

    @cached_property
    def batcher(self) -> Batcher:
        """Looks up the rows of batches."""
        return Batcher(
            store=self.stores.jobs,
            lookups=self.lookups,
            vault=self.vault,
            wakeups=self.wakeups,
            clock=self.clock,
        )

    @cached_property
    def jobs(self) -> Jobs:
        """Batches."""
        return Jobs(
            store=self.stores.jobs,
            subscriptions=self.stores.subscriptions,
            subscribing=self.subscribing,
            batcher=self.batcher,
            workers=self.stores.workers,
            wakeups=self.wakeups,
            clock=self.clock,
            allow_local=self._allow_local,
        )

    @cached_property
    def deleting(self) -> Deleting:
        """The end of connections, with all that they own."""
        return Deleting(
            store=self.stores.connections, subscribing=self.subscribing, clock=self.clock
        )

    @cached_property
    def visits(self) -> Visits:
        """Who is signed in to the console."""
        return Visits(
            store=self.stores.visits,
            subscribing=self.subscribing,
            vault=self.vault,
            clock=self.clock,
        )

    @cached_property
    def pictures(self) -> Pictures:
        """Pictures of profiles that are known."""
        return Pictures(
            store=self.stores.known, source=self._outside.pictures, allow_local=self._allow_local
        )

    @cached_property
    def history(self) -> History:
        """What profiles were."""
        return History(store=self.stores.history, subscribing=self.subscribing)

    @cached_property
    def webhooks(self) -> Webhooks:
        """Incoming webhooks, for their owners."""
        return Webhooks(
            store=self.stores.webhooks,
            subscribing=self.subscribing,
            vault=self.vault,
            clock=self.clock,
            allow_local=self._allow_local,
            daily_credits=self._settings.webhook_daily_credits,
        )

    @cached_property
    def firing(self) -> Firing:
        """Incoming webhooks, for those who fire them."""
        return Firing(
            store=self.stores.webhooks,
            lookups=self.lookups,
            deliveries=self.stores.deliveries,
            vault=self.vault,
            wakeups=self.wakeups,
            clock=self.clock,
            jobs=self.jobs,
            calls=Calls(store=self.stores.webhooks, clock=self.clock),
            max_deadline_seconds=self._settings.connector_deadline_seconds,
            allow_local=self._allow_local,
        )

    @cached_property
    def courier(self) -> Courier:
        """Takes events to receivers."""
        return Courier(
            store=self.stores.deliveries,
            sender=self._outside.sender,
            vault=self.vault,
            clock=self.clock,
            random=self._outside.random,
            allow_local=self._allow_local,
        )

    @cached_property
    def forgetting(self) -> Forgetting:
        """Forgets what is old."""
        return Forgetting(
            store=self.stores.history,
            lookups=self.stores.known,
            requests=self.stores.requests,
            usage=self.stores.usage,
            jobs=self.stores.jobs,
            visits=self.stores.visits,
            connections=self.stores.connections,
            deliveries=self.stores.deliveries,
            audit_log=self.stores.audit_log,
            deleting=self.deleting,
            elsewhere=self._outside.forget_elsewhere,
            clock=self.clock,
            days=self._settings.watch_history_days,
        )

    def renew_sealed(self) -> Iterator[Piece]:
        """Seals with the first key whatever another one sealed, and tells of it as it goes."""
        return self.stores.sealed.renew(self.vault.renewed, self.clock.now())

    def worker_problem(self) -> str | None:
        """Why events are not delivered; null where they are."""
        return self.stores.workers.problem(self.clock.now())

    def worker(self) -> Worker:
        """A worker that looks and delivers, with a name of its own."""
        return Worker(
            name=secrets.token_hex(8),
            watches=self.stores.watches,
            deliveries=self.stores.deliveries,
            jobs=self.stores.jobs,
            workers=self.stores.workers,
            watcher=self.watcher,
            batcher=self.batcher,
            courier=self.courier,
            forgetting=self.forgetting,
            wakeups=self.wakeups,
            clock=self.clock,
            random=self._outside.random,
            threads=self._settings.worker_threads,
            sweep_seconds=SWEEP_SECONDS if self._settings.connector_broker_url else 0,
        )

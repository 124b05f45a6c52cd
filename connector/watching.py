"""Assembly of watching: what polls, hooks and the worker are made of, on one database."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import requests
from sqlalchemy import Engine, make_url

from connector.adapters.clock import SystemClock
from connector.adapters.crypto import FernetVault, key_beside
from connector.adapters.measured import Measure, MeasuredLooks, MeasuredProfiles, MeasuredSender
from connector.adapters.pictures import WebPictures
from connector.adapters.sender import WebhookSender
from connector.adapters.store.audit import AuditLog
from connector.adapters.store.connections import Connections
from connector.adapters.store.deliveries import Deliveries
from connector.adapters.store.history import History as KeptHistory
from connector.adapters.store.idempotency import IdempotentRequests
from connector.adapters.store.jobs import Jobs as KeptJobs
from connector.adapters.store.lookups import KnownProfiles
from connector.adapters.store.sealed import Piece, SealedValues
from connector.adapters.store.series import Series
from connector.adapters.store.standing import Standing
from connector.adapters.store.subscriptions import Subscriptions
from connector.adapters.store.usage import UsageCounts
from connector.adapters.store.visits import KeptVisits
from connector.adapters.store.watched import WatchedProfiles as KeptWatched
from connector.adapters.store.watches import Watches
from connector.adapters.store.webhooks import Webhooks as KeptWebhooks
from connector.adapters.store.workers import Workers
from connector.adapters.wakeups import NoWakeups
from connector.config import Settings, SettingsError
from connector.domain.errors import Unreadable
from connector.domain.metrics import CACHE
from connector.domain.ports import Profiles, Wakeups
from connector.domain.targets import is_denied
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
from connector.setting_rules import networks_in
from wire.http import new_session

# A few pages are looked at, not hundreds.
_PICTURES_AT_ONCE = 8


class Watching:
    """The parts of one process."""

    def __init__(
        self, settings: Settings, engine: Engine, profiles: Profiles, measure: Measure
    ) -> None:
        self._settings = settings
        self.engine = engine
        self._measure = measure
        self.profiles = profiles = MeasuredProfiles(profiles, measure)
        self._clock = SystemClock()
        self.audit_log = AuditLog(engine)
        self.connections = Connections(engine)
        self._sealed = SealedValues(engine)
        self._known = KnownProfiles(engine)
        self.meter = Meter(
            store=UsageCounts(engine), clock=self._clock, daily_budget=settings.daily_credits
        )
        self.usage = UsageReport(
            meter=self.meter,
            profiles=profiles,
            watching_budget=settings.watch_daily_credits,
        )
        self.lookups = Lookups(
            profiles=profiles,
            store=self._known,
            meter=self.meter,
            clock=self._clock,
            noted=lambda cached: measure.count(CACHE, "hit" if cached else "miss"),
        )
        self._vault = _vault(settings)
        self._kept_requests = IdempotentRequests(engine)
        self.idempotency = Idempotency(
            store=self._kept_requests, vault=self._vault, clock=self._clock
        )
        self._wakeups = _wakeups(settings)
        self._workers = Workers(engine)
        self.standing = Standing(engine, now=self._clock.now)
        self._deliveries = Deliveries(engine)
        self._watches = Watches(engine)
        self._history = KeptHistory(engine)
        subscriptions = Subscriptions(engine)
        watcher = Watcher(
            store=self._watches,
            lookups=self.lookups,
            vault=self._vault,
            wakeups=self._wakeups,
            clock=self._clock,
            random=random.random,
            daily_budget=settings.watch_daily_credits,
        )
        self._watcher = MeasuredLooks(watcher, measure)
        subscribing = Subscribing(
            store=subscriptions,
            profiles=profiles,
            vault=self._vault,
            clock=self._clock,
            random=random.random,
            floor_seconds=settings.watch_min_interval_seconds,
        )
        self.polling = Polling(
            subscriptions=subscriptions,
            subscribing=subscribing,
            watches=self._watches,
            watcher=self._watcher,
            clock=self._clock,
        )
        self.watched = WatchedProfiles(
            store=KeptWatched(engine),
            kept=Series(engine),
            watches=self._watches,
            subscriptions=subscriptions,
            subscribing=subscribing,
            wakeups=self._wakeups,
            clock=self._clock,
            daily_budget=settings.watch_daily_credits,
        )
        self.hooks = Hooks(
            subscriptions=subscriptions,
            subscribing=subscribing,
            watches=self._watches,
            deliveries=self._deliveries,
            wakeups=self._wakeups,
            clock=self._clock,
            allow_local=settings.connector_allow_local_callbacks,
        )
        self._jobs = KeptJobs(engine)
        self._batcher = Batcher(
            store=self._jobs,
            lookups=self.lookups,
            vault=self._vault,
            wakeups=self._wakeups,
            clock=self._clock,
        )
        self.jobs = Jobs(
            store=self._jobs,
            subscriptions=subscriptions,
            subscribing=subscribing,
            batcher=self._batcher,
            workers=self._workers,
            wakeups=self._wakeups,
            clock=self._clock,
            allow_local=settings.connector_allow_local_callbacks,
        )
        self.deleting = Deleting(store=self.connections, subscribing=subscribing, clock=self._clock)
        self._visits = KeptVisits(engine)
        self.visits = Visits(
            store=self._visits,
            subscribing=subscribing,
            vault=self._vault,
            clock=self._clock,
        )
        self.pictures = Pictures(
            store=self._known,
            # Sample data names pictures that are nowhere.
            source=WebPictures(self._guarded_session(_PICTURES_AT_ONCE))
            if settings.is_live
            else None,
            allow_local=settings.connector_allow_local_callbacks,
        )
        self.history = History(store=self._history, subscribing=subscribing)
        self.kept_webhooks = KeptWebhooks(engine)
        self.webhooks = Webhooks(
            store=self.kept_webhooks,
            subscribing=subscribing,
            vault=self._vault,
            clock=self._clock,
            allow_local=settings.connector_allow_local_callbacks,
            daily_credits=settings.webhook_daily_credits,
        )
        self.firing = Firing(
            store=self.kept_webhooks,
            lookups=self.lookups,
            deliveries=self._deliveries,
            vault=self._vault,
            wakeups=self._wakeups,
            clock=self._clock,
            jobs=self.jobs,
            calls=Calls(store=self.kept_webhooks, clock=self._clock),
            max_deadline_seconds=settings.connector_deadline_seconds,
            allow_local=settings.connector_allow_local_callbacks,
        )

    def renew_sealed(self) -> Iterator[Piece]:
        """Seals with the first key whatever another one sealed, and tells of it as it goes."""
        return self._sealed.renew(self._vault.renewed, self._clock.now())

    def worker_problem(self) -> str | None:
        """Why events are not delivered; null where they are."""
        return self._workers.problem(self._clock.now())

    def worker(self, threads: int, *, forget_elsewhere: Callable[[datetime], object]) -> Worker:
        """A worker that looks and delivers with so many threads, and forgets what is old."""
        courier = Courier(
            store=self._deliveries,
            sender=MeasuredSender(WebhookSender(self._guarded_session(threads)), self._measure),
            vault=self._vault,
            clock=self._clock,
            random=random.random,
            allow_local=self._settings.connector_allow_local_callbacks,
        )
        return Worker(
            name=secrets.token_hex(8),
            watches=self._watches,
            deliveries=self._deliveries,
            jobs=self._jobs,
            workers=self._workers,
            watcher=self._watcher,
            batcher=self._batcher,
            courier=courier,
            forgetting=Forgetting(
                store=self._history,
                lookups=self._known,
                requests=self._kept_requests,
                usage=self.meter.store,
                jobs=self._jobs,
                visits=self._visits,
                connections=self.connections,
                audit_log=self.audit_log,
                deleting=self.deleting,
                elsewhere=forget_elsewhere,
                clock=self._clock,
                days=self._settings.watch_history_days,
            ),
            wakeups=self._wakeups,
            clock=self._clock,
            random=random.random,
            threads=threads,
            sweep_seconds=SWEEP_SECONDS if self._settings.connector_broker_url else 0,
        )

    def _guarded_session(self, pool_size: int) -> requests.Session:
        """A session for addresses that strangers name."""
        allow_local = self._settings.connector_allow_local_callbacks
        denied = networks_in(self._settings.connector_denied_networks)

        def may_dial(address: str) -> bool:
            return not is_denied(address, allow_local=allow_local, networks=denied)

        return new_session(pool_size=pool_size, may_dial=may_dial)


def check_keys_open(settings: Settings, engine: Engine) -> None:
    """Raises `SettingsError` where a key that is stored there can't be opened with these settings."""
    vault = _vault(settings)
    try:
        for sealed in Subscriptions(engine).sealed_keys():
            vault.open(sealed)
    except Unreadable:
        raise SettingsError(
            "The setting CONNECTOR_ENCRYPTION_KEYS is wrong: it doesn't open the API keys that are"
            " stored. Where none was set, the key is in the file beside the database that ends in .key."
        ) from None


def _wakeups(settings: Settings) -> Wakeups:
    if not settings.connector_broker_url:
        return NoWakeups()
    # Where there is no broker, nobody waits for Celery to be imported.
    from connector.adapters.queue import Queue

    return Queue(settings.connector_broker_url, SystemClock())


def _vault(settings: Settings) -> FernetVault:
    if settings.connector_encryption_keys:
        return FernetVault(settings.connector_encryption_keys.split(","))
    settings.check_live()
    database = Path(str(make_url(settings.database_url).database))
    try:
        return FernetVault(key_beside(database).split(","))
    except ValueError:
        raise SettingsError(
            f"{database}.key must hold keys from 'python -m connector new-encryption-key', with commas"
            " in between. Without those that were in it, stored API keys stay closed."
        ) from None

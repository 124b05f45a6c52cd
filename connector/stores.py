"""Assembly of what is kept: every store, on one database."""

from __future__ import annotations

from sqlalchemy import Engine

from connector.adapters.store.audit import AuditLog
from connector.adapters.store.connections import Connections
from connector.adapters.store.deliveries import Deliveries
from connector.adapters.store.history import History
from connector.adapters.store.idempotency import IdempotentRequests
from connector.adapters.store.jobs import Jobs
from connector.adapters.store.lookups import KnownProfiles
from connector.adapters.store.sealed import SealedValues
from connector.adapters.store.series import Series
from connector.adapters.store.subscriptions import Subscriptions
from connector.adapters.store.usage import UsageCounts
from connector.adapters.store.visits import KeptVisits
from connector.adapters.store.watched import WatchedProfiles
from connector.adapters.store.watches import Watches
from connector.adapters.store.webhooks import Webhooks
from connector.adapters.store.workers import Workers


class Stores:
    """All that is kept in one database."""

    def __init__(self, engine: Engine) -> None:
        self.audit_log = AuditLog(engine)
        self.connections = Connections(engine)
        self.deliveries = Deliveries(engine)
        self.history = History(engine)
        self.jobs = Jobs(engine)
        self.known = KnownProfiles(engine)
        self.requests = IdempotentRequests(engine)
        self.sealed = SealedValues(engine)
        self.series = Series(engine)
        self.subscriptions = Subscriptions(engine)
        self.usage = UsageCounts(engine)
        self.visits = KeptVisits(engine)
        self.watched = WatchedProfiles(engine)
        self.watches = Watches(engine)
        self.webhooks = Webhooks(engine)
        self.workers = Workers(engine)

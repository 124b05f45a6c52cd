"""The connector's tables. Their history is in `migrations/`. Times are Unix milliseconds."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite counts rows up by itself only in a column that it calls INTEGER.
_Counted = BigInteger().with_variant(Integer, "sqlite")


# Events with a body, in the words in which both databases find the index of them.
KEPT = text("body != ''")

# What a column says of itself whose text is sealed: who changes the key seals all of them again.
SEALED = {"sealed": True}

# Rows of jobs that are still to be looked up, likewise.
OPEN = text("status = 'pending'")


class Base(DeclarativeBase):
    """Every table of the connector."""

    type_annotation_map = {int: BigInteger, str: Text}  # noqa: RUF012  # as SQLAlchemy has it


class Connection(Base):
    """One API key on one platform. `problem` says why the upstream refused the key the last time.

    Since `ending_at` it is being deleted: its key is empty, and nothing new is kept for it.
    """

    __tablename__ = "connections"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    platform: Mapped[str] = mapped_column(String(16))
    sealed_key: Mapped[str] = mapped_column(info=SEALED)
    problem: Mapped[str | None]
    created_at: Mapped[int]
    ending_at: Mapped[int | None]


class Watch(Base):
    """One profile watched with one connection, whatever subscriptions there are to it."""

    __tablename__ = "watches"
    __table_args__ = (
        UniqueConstraint("connection_id", "handle"),
        Index("ix_watches_due_at", "due_at"),
    )

    id: Mapped[int] = mapped_column(_Counted, primary_key=True)
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    handle: Mapped[str] = mapped_column(String(64))
    interval_seconds: Mapped[int]
    due_at: Mapped[int]
    claim_token: Mapped[str | None] = mapped_column(String(32))
    lease_until: Mapped[int | None]
    attempt: Mapped[int]
    portrait: Mapped[str | None]
    problem: Mapped[str | None]
    seen_at: Mapped[int | None]
    paused_at: Mapped[int | None]


class Subscription(Base):
    """One trigger with its inputs. Without a `target_url` it is polled, or in the console.

    What goes to one `target_host` is counted together; where it is null, it is not counted.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (Index("ix_subscriptions_same", "connection_id", "trigger", "inputs_hash"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    trigger: Mapped[str] = mapped_column(String(40))
    inputs: Mapped[str]
    inputs_hash: Mapped[str] = mapped_column(String(64))
    interval_seconds: Mapped[int]
    target_url: Mapped[str | None]
    target_host: Mapped[str | None] = mapped_column(String(255))
    sealed_secrets: Mapped[str | None] = mapped_column(info=SEALED)
    rotated_at: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str | None]
    first_failure_at: Mapped[int | None]
    throttled_until: Mapped[int | None]
    created_at: Mapped[int]


class SubscribedWatch(Base):
    """Which subscriptions hear of which watch."""

    __tablename__ = "subscribed_watches"

    subscription_id: Mapped[str] = mapped_column(
        ForeignKey("subscriptions.id", ondelete="CASCADE"), primary_key=True
    )
    watch_id: Mapped[int] = mapped_column(
        ForeignKey("watches.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Event(Base):
    """One event as one subscription is told of it. `body` is frozen; of an old one it is empty."""

    __tablename__ = "events"
    # Counted once and for all: what was deleted does not give its number to another.
    __table_args__ = (
        UniqueConstraint("subscription_id", "event_id"),
        Index("ix_events_kept", "created_at", sqlite_where=KEPT, postgresql_where=KEPT),
        {"sqlite_autoincrement": True},
    )

    sequence: Mapped[int] = mapped_column(_Counted, primary_key=True)
    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscriptions.id", ondelete="CASCADE"))
    event_id: Mapped[str] = mapped_column(String(255))
    body: Mapped[str]
    created_at: Mapped[int]


class Delivery(Base):
    """An event on its way to its subscription's target: `pending`, `delivered` or `dead`."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("ix_deliveries_due", "state", "due_at"),
        Index("ix_deliveries_claimed_at", "claimed_at"),
    )

    sequence: Mapped[int] = mapped_column(
        ForeignKey("events.sequence", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    subscription_id: Mapped[str] = mapped_column(
        ForeignKey("subscriptions.id", ondelete="CASCADE"), index=True
    )
    webhook_id: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(12))
    due_at: Mapped[int]
    attempt: Mapped[int]
    claim_token: Mapped[str | None] = mapped_column(String(32))
    claimed_at: Mapped[int | None]
    lease_until: Mapped[int | None]
    last_status: Mapped[int | None]
    last_error: Mapped[str | None]
    updated_at: Mapped[int]
    request_id: Mapped[str | None] = mapped_column(String(64))


class Attempt(Base):
    """One try of a delivery: what the receiver answered, and the beginning of its answer's body."""

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_delivery", "sequence", "id"),)

    id: Mapped[int] = mapped_column(_Counted, primary_key=True)
    sequence: Mapped[int] = mapped_column(ForeignKey("deliveries.sequence", ondelete="CASCADE"))
    tried_at: Mapped[int]
    status: Mapped[int | None]
    error: Mapped[str | None]
    answer: Mapped[str | None]
    milliseconds: Mapped[int]


class Snapshot(Base):
    """The counts of a profile at one look."""

    __tablename__ = "snapshots"
    __table_args__ = (
        Index("ix_snapshots_watch", "watch_id", "id"),
        Index("ix_snapshots_seen_at", "seen_at"),
    )

    id: Mapped[int] = mapped_column(_Counted, primary_key=True)
    watch_id: Mapped[int] = mapped_column(ForeignKey("watches.id", ondelete="CASCADE"))
    seen_at: Mapped[int]
    user_id: Mapped[str | None]
    status: Mapped[str] = mapped_column(String(12))
    followers: Mapped[int | None]
    hearts: Mapped[int | None]
    videos: Mapped[int | None]


class Lookup(Base):
    """The last look-up of a profile with one API key, and who looks it up now for all that ask."""

    __tablename__ = "lookups"
    __table_args__ = (
        UniqueConstraint("connection_id", "handle"),
        Index("ix_lookups_touched_at", "touched_at"),
    )

    id: Mapped[int] = mapped_column(_Counted, primary_key=True)
    connection_id: Mapped[str] = mapped_column(String(80))
    handle: Mapped[str] = mapped_column(String(64))
    touched_at: Mapped[int]
    fetched_at: Mapped[int | None]
    row: Mapped[str | None]
    failed_at: Mapped[int | None]
    failure: Mapped[str | None]
    claim_token: Mapped[str | None] = mapped_column(String(32))
    lease_until: Mapped[int | None]


class Job(Base):
    """A batch of look-ups with one connection. `callback_id` is the subscription that hears its end."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_connection", "connection_id", "created_at"),
        Index("ix_jobs_ended_at", "ended_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    callback_id: Mapped[str | None] = mapped_column(String(32))
    max_age_seconds: Mapped[int]
    state: Mapped[str] = mapped_column(String(12))
    ending: Mapped[str | None]
    paused_until: Mapped[int | None]
    created_at: Mapped[int]
    ended_at: Mapped[int | None]
    request_id: Mapped[str | None] = mapped_column(String(64))


class JobRow(Base):
    """One distinct handle of a job, and what it brought: `failure` and `ending` are as they are shown."""

    __tablename__ = "job_rows"
    __table_args__ = (
        UniqueConstraint("job_id", "position"),
        Index("ix_job_rows_open", "due_at", sqlite_where=OPEN, postgresql_where=OPEN),
    )

    id: Mapped[int] = mapped_column(_Counted, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    position: Mapped[int]
    handle: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(12))
    due_at: Mapped[int]
    attempt: Mapped[int]
    claim_token: Mapped[str | None] = mapped_column(String(32))
    lease_until: Mapped[int | None]
    row: Mapped[str | None]
    failure: Mapped[str | None]
    credits: Mapped[int | None]


class IdempotentRequest(Base):
    """A request with an Idempotency-Key; `id` is the hash of connection and key."""

    __tablename__ = "idempotent_requests"
    __table_args__ = (Index("ix_idempotent_requests_created_at", "created_at"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    token: Mapped[str] = mapped_column(String(32))
    lease_until: Mapped[int]
    status: Mapped[int | None]
    sealed: Mapped[str | None] = mapped_column(info=SEALED)
    created_at: Mapped[int]
    connection_id: Mapped[str | None] = mapped_column(String(80), index=True)


class UsageDay(Base):
    """Credits of one connection on one day in UTC: charged, saved, perhaps charged, by what asked."""

    __tablename__ = "usage_days"

    connection_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    what: Mapped[str] = mapped_column(String(40), primary_key=True)
    credits: Mapped[int]
    saved: Mapped[int]
    unsure: Mapped[int]


class Webhook(Base):
    """An address that looks profiles up with a connection's key; of its token only the hash is kept.

    It counts its own requests, in the minute `rate_window`, and credits, on `credit_day` in UTC.
    """

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    connection_id: Mapped[str] = mapped_column(
        ForeignKey("connections.id", ondelete="CASCADE"), index=True
    )
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str | None]
    mode: Mapped[str] = mapped_column(String(12))
    callers_choose: Mapped[bool]
    handle_path: Mapped[str | None]
    signature_style: Mapped[str | None] = mapped_column(String(12))
    signature_header: Mapped[str | None] = mapped_column(String(64))
    sealed_secret: Mapped[str | None] = mapped_column(info=SEALED)
    subscription_id: Mapped[str | None] = mapped_column(
        ForeignKey("subscriptions.id", ondelete="CASCADE"), index=True
    )
    daily_credits: Mapped[int]
    requests_per_minute: Mapped[int]
    rate_window: Mapped[int]
    rate_count: Mapped[int]
    credit_day: Mapped[str | None] = mapped_column(String(10))
    credits: Mapped[int]
    created_at: Mapped[int]


class WebhookCall(Base):
    """One request to a webhook and how it was answered: `error_code` is null where it went well."""

    __tablename__ = "webhook_calls"
    __table_args__ = (Index("ix_webhook_calls_webhook", "webhook_id", "id"),)

    id: Mapped[int] = mapped_column(_Counted, primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    called_at: Mapped[int]
    handle: Mapped[str | None]
    error_code: Mapped[str | None] = mapped_column(String(40))
    error: Mapped[str | None]
    milliseconds: Mapped[int]


class Visit(Base):
    """Somebody signed in to the console; `id` is the hash of what their browser holds."""

    __tablename__ = "visits"
    __table_args__ = (
        Index("ix_visits_expires_at", "expires_at"),
        Index("ix_visits_connection", "connection_id", "expires_at"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    connection_id: Mapped[str] = mapped_column(String(80))
    sealed_key: Mapped[str] = mapped_column(info=SEALED)
    expires_at: Mapped[int]


class CreditDay(Base):
    """Credits that watching spent, or has set aside, on one day in UTC."""

    __tablename__ = "credit_days"

    connection_id: Mapped[str] = mapped_column(
        ForeignKey("connections.id", ondelete="CASCADE"), primary_key=True
    )
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    credits: Mapped[int]


class Worker(Base):
    """One worker process, and when it was last alive."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    beat_at: Mapped[int]


class AuditLine(Base):
    """One change and who made it. It outlives what it names, of which it holds nothing but the id."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_at", "at"),
        Index("ix_audit_log_connection", "connection_id", "id"),
    )

    id: Mapped[int] = mapped_column(_Counted, primary_key=True)
    at: Mapped[int]
    who: Mapped[str] = mapped_column(String(16))
    what: Mapped[str] = mapped_column(String(40))
    connection_id: Mapped[str | None] = mapped_column(String(80))
    object_id: Mapped[str | None] = mapped_column(String(80))
    request_id: Mapped[str | None] = mapped_column(String(64))

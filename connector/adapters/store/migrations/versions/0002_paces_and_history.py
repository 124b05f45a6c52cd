"""how many tries go to a host in a second, and what is kept for how long."""

from urllib.parse import urlsplit

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("claimed_at", sa.BigInteger(), nullable=True))
    op.create_index("ix_deliveries_claimed_at", "deliveries", ["claimed_at"])
    op.add_column("subscriptions", sa.Column("target_host", sa.String(length=255), nullable=True))
    _name_hosts(op.get_bind())
    op.add_column("snapshots", sa.Column("user_id", sa.Text(), nullable=True))
    op.drop_index("ix_snapshots_watch_at", "snapshots")
    op.create_index("ix_snapshots_watch", "snapshots", ["watch_id", "id"])
    op.create_index("ix_snapshots_seen_at", "snapshots", ["seen_at"])
    kept = sa.text("body != ''")
    op.create_index(
        "ix_events_kept", "events", ["created_at"], sqlite_where=kept, postgresql_where=kept
    )


def _name_hosts(connection: sa.Connection) -> None:
    subscriptions = sa.table("subscriptions", *map(sa.column, ("id", "target_url", "target_host")))
    delivered = sa.select(subscriptions).where(subscriptions.c.target_url.is_not(None))
    for row in connection.execute(delivered).all():
        named = sa.update(subscriptions).where(subscriptions.c.id == row.id)
        connection.execute(named.values(target_host=urlsplit(row.target_url).hostname))


def downgrade() -> None:
    op.drop_index("ix_events_kept", "events")
    op.drop_index("ix_snapshots_seen_at", "snapshots")
    op.drop_index("ix_snapshots_watch", "snapshots")
    op.create_index("ix_snapshots_watch_at", "snapshots", ["watch_id", "seen_at"])
    op.drop_column("snapshots", "user_id")
    # Not in a batch: it would make the tables anew, and drop what refers to them.
    op.drop_column("subscriptions", "target_host")
    op.drop_index("ix_deliveries_claimed_at", "deliveries")
    op.drop_column("deliveries", "claimed_at")

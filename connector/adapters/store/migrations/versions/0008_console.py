"""what the console shows: tries of deliveries, calls of webhooks, pauses, and who is signed in."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("watches", sa.Column("paused_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "attempts",
        sa.Column("id", _COUNTED, nullable=False),
        sa.Column("sequence", _COUNTED, nullable=False),
        sa.Column("tried_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("milliseconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["sequence"], ["deliveries.sequence"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_attempts_delivery", "attempts", ["sequence", "id"])
    op.create_table(
        "webhook_calls",
        sa.Column("id", _COUNTED, nullable=False),
        sa.Column("webhook_id", sa.String(length=32), nullable=False),
        sa.Column("called_at", sa.BigInteger(), nullable=False),
        sa.Column("handle", sa.Text(), nullable=True),
        sa.Column("error_code", sa.String(length=40), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("milliseconds", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhooks.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_webhook_calls_webhook", "webhook_calls", ["webhook_id", "id"])
    op.create_table(
        "visits",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("connection_id", sa.String(length=80), nullable=False),
        sa.Column("sealed_key", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_visits_expires_at", "visits", ["expires_at"])
    op.create_index("ix_visits_connection", "visits", ["connection_id", "expires_at"])


def downgrade() -> None:
    for table in ("visits", "webhook_calls", "attempts"):
        op.drop_table(table)
    # Whoever watches for nobody is not known before.
    op.execute("DELETE FROM subscriptions WHERE trigger = 'console'")
    op.execute(
        "DELETE FROM watches WHERE NOT EXISTS"
        " (SELECT 1 FROM subscribed_watches WHERE watch_id = watches.id)"
    )
    # Not as a batch: on SQLite that makes the table anew, and what refers to it would go with the old one.
    op.drop_column("watches", "paused_at")

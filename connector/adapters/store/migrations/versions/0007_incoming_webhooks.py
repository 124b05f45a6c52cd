"""incoming webhooks."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
# Becomes "0005" where the tables of batches come before.
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("connection_id", sa.String(length=80), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("mode", sa.String(length=12), nullable=False),
        sa.Column("callers_choose", sa.Boolean(), nullable=False),
        sa.Column("handle_path", sa.Text(), nullable=True),
        sa.Column("signature_style", sa.String(length=12), nullable=True),
        sa.Column("signature_header", sa.String(length=64), nullable=True),
        sa.Column("sealed_secret", sa.Text(), nullable=True),
        sa.Column("subscription_id", sa.String(length=32), nullable=True),
        sa.Column("daily_credits", sa.BigInteger(), nullable=False),
        sa.Column("requests_per_minute", sa.BigInteger(), nullable=False),
        sa.Column("rate_window", sa.BigInteger(), nullable=False),
        sa.Column("rate_count", sa.BigInteger(), nullable=False),
        sa.Column("credit_day", sa.String(length=10), nullable=True),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index("ix_webhooks_connection_id", "webhooks", ["connection_id"])
    op.create_index("ix_webhooks_subscription_id", "webhooks", ["subscription_id"])


def downgrade() -> None:
    op.drop_table("webhooks")

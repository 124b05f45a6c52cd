"""Keys with their credits and limits, and the request log."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", whole, primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("hint", sa.String(16), nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("credits", whole, nullable=False),
        sa.Column("rate_limit", whole, nullable=False),
        sa.Column("rate_window", whole, nullable=False),
        sa.Column("rate_count", whole, nullable=False),
        sa.Column("created_at", whole, nullable=False),
        sa.CheckConstraint("credits >= 0", name="credits_not_negative"),
    )
    op.create_table(
        "api_requests",
        sa.Column("id", whole, primary_key=True),
        sa.Column("key_id", whole, sa.ForeignKey("api_keys.id"), nullable=False),
        sa.Column("at", whole, nullable=False),
        sa.Column("request_source", sa.String(16), nullable=False),
        sa.Column("handle", sa.String(64), nullable=False),
        sa.Column("status", whole, nullable=False),
        sa.Column("credits", whole, nullable=False),
    )
    op.create_index("ix_api_requests_key_id", "api_requests", ["key_id"])


def downgrade() -> None:
    op.drop_table("api_requests")
    op.drop_table("api_keys")

"""Keys with their credits and limits, and the request log."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("hint", sa.String(16), nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("credits", sa.Integer, nullable=False),
        sa.Column("rate_limit", sa.Integer, nullable=False),
        sa.Column("rate_window", sa.Integer, nullable=False),
        sa.Column("rate_count", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.CheckConstraint("credits >= 0", name="credits_not_negative"),
    )
    op.create_table(
        "api_requests",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key_id", sa.Integer, sa.ForeignKey("api_keys.id"), nullable=False),
        sa.Column("at", sa.Integer, nullable=False),
        sa.Column("request_source", sa.String(16), nullable=False),
        sa.Column("handle", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("credits", sa.Integer, nullable=False),
    )
    op.create_index("ix_api_requests_key_id", "api_requests", ["key_id"])


def downgrade() -> None:
    op.drop_table("api_requests")
    op.drop_table("api_keys")

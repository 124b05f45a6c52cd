"""what an operator did to keys."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_index("ix_api_requests_at", "api_requests", ["at"])
    op.create_table(
        "key_changes",
        sa.Column("id", _WHOLE, nullable=False),
        sa.Column("key_id", _WHOLE, nullable=False),
        sa.Column("at", _WHOLE, nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("credits", _WHOLE, nullable=True),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_key_changes_key_id", "key_changes", ["key_id"])


def downgrade() -> None:
    op.drop_table("key_changes")
    op.drop_index("ix_api_requests_at", "api_requests")

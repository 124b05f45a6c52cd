"""who changed what, and connections that are being deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("connections", sa.Column("ending_at", sa.BigInteger(), nullable=True))
    # Of requests before, nobody knows whose they were: they are forgotten within a day.
    op.add_column(
        "idempotent_requests", sa.Column("connection_id", sa.String(length=80), nullable=True)
    )
    op.create_index(
        "ix_idempotent_requests_connection_id", "idempotent_requests", ["connection_id"]
    )
    op.create_table(
        "audit_log",
        sa.Column("id", _COUNTED, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(length=16), nullable=False),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("connection_id", sa.String(length=80), nullable=True),
        sa.Column("object_id", sa.String(length=80), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_audit_log_at", "audit_log", ["at"])
    op.create_index("ix_audit_log_connection", "audit_log", ["connection_id", "id"])


def downgrade() -> None:
    op.drop_table("audit_log")
    op.drop_index("ix_idempotent_requests_connection_id", "idempotent_requests")
    op.drop_column("idempotent_requests", "connection_id")
    # Nobody would go on with it; its key is gone already.
    op.execute("DELETE FROM connections WHERE ending_at IS NOT NULL")
    # Not as a batch: on SQLite that makes the table anew, and what refers to it would go with the old one.
    op.drop_column("connections", "ending_at")

"""the id of the request that deliveries and jobs follow from."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TABLES = ("deliveries", "jobs")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column("request_id", sa.String(length=64), nullable=True))


def downgrade() -> None:
    # Not as a batch: on SQLite that makes the table anew, and what refers to it would go with the old one.
    for table in _TABLES:
        op.drop_column(table, "request_id")

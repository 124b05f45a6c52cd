"""Runs the migrations over the connection that `migrate` hands over."""

from alembic import context

from connector.adapters.store.migrate import VERSION_TABLE
from connector.adapters.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()

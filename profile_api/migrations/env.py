"""Runs the migrations over the connection that `profile_api.migrate` hands over."""

from alembic import context

from profile_api.migrate import VERSION_TABLE
from profile_api.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()

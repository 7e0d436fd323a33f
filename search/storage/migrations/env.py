"""Run the steps on the connection that `storage.engine` opened. Alembic executes this file; nothing imports it."""

from alembic import context

from search.storage.tables import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, version_table=VERSION_TABLE
)
context.run_migrations()  # within the caller's transaction, so that a killed step leaves nothing behind

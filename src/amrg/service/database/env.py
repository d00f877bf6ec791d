"""Run by Alembic for every upgrade, on the connection and in the transaction of `upgrade_database`."""

from __future__ import annotations

from alembic import context

from amrg.service.database.tables import ServiceTable

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=ServiceTable.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()

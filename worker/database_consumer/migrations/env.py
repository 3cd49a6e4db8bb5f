"""Run by alembic: migrates over the connection that the caller gave."""

from __future__ import annotations

from alembic import context

from database_consumer import ledger
from database_consumer.entities import shipped
from database_consumer.migrations import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=[ledger.metadata, shipped.metadata],
    version_table=VERSION_TABLE,
    transactional_ddl=False,
    transaction_per_migration=False,
)
context.run_migrations()

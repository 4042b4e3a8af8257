"""Alembic's entrance: runs the migrations on the connection that `schema.migrate` hands over, triggers around them."""

from alembic import context

from servicedesk.store import triggers
from servicedesk.store.db import Tx
from servicedesk.store.tables import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("run `servicedesk db upgrade`: it names the database and keeps the triggers")
tx: Tx = context.config.attributes["tx"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=True,  # SQLite rebuilds a table for most changes; that drops its triggers silently
    compare_type=True,
)
triggers.drop(tx)
with context.begin_transaction():
    context.run_migrations()
triggers.create(tx)

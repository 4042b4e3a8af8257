"""Schema: made from the metadata and the triggers for a new database, by Alembic for an old one."""

from __future__ import annotations

from sqlalchemy import inspect

from servicedesk.store.db import Database, Tx
from servicedesk.store.tables import metadata, setting


def ensure(db: Database, create: bool) -> None:
    """An empty database gets the newest schema (when `create`); any other must be at the program's."""

    def change(tx: Tx) -> None:
        if not inspect(tx.conn).has_table("incident"):
            metadata.create_all(tx.conn)
            tx.run(setting.insert().values(name="admin_log_head", value={"seq": 0, "mac": bytes(32).hex()}))

    db.write(change)

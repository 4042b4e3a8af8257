"""Schema: made from the metadata and the triggers for a new database, by Alembic for an old one.

A new database is stamped with the newest migration without importing Alembic (which would cost a second at start).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from servicedesk.errors import ConfigError, SchemaMismatch
from servicedesk.store import triggers
from servicedesk.store.db import Database, Tx
from servicedesk.store.tables import metadata, setting

if TYPE_CHECKING:
    from alembic.config import Config as AlembicConfig

REVISIONS = ("0001",)  # every migration in order; a test compares it with the migrations folder
HEAD = REVISIONS[-1]
MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x5D_0001  # of every process that makes or changes the schema on PostgreSQL
_VERSION_TABLE = (
    "CREATE TABLE alembic_version "
    "(version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)


def ensure(db: Database, create: bool) -> None:
    """An empty database gets the newest schema (when `create`); any other must be at the program's.

    Raises SchemaMismatch (which of the two is newer, and what to run), ConfigError (no right to make tables, or the
    file is no database), Busy (the database is away).
    """
    file = db.url.database
    if not (create or db.postgresql or (file and Path(file).exists())):
        raise SchemaMismatch(f"there is no database at {file} yet: run `servicedesk up` or `servicedesk db upgrade`")
    try:
        with db.read() as tx:
            if stamp(tx) == HEAD:
                return
        db.write(lambda tx: _make(tx, create))
    except DBAPIError as error:
        raise ConfigError(f"the schema cannot be read or made: {str(error.orig).strip().splitlines()[0]}") from error


def stamp(tx: Tx) -> str | None:
    """The revision of the database's schema; None for an empty database, "" for tables without a revision."""
    names = set(inspect(tx.conn).get_table_names())
    if "alembic_version" in names:
        return str(tx.run(text("SELECT version_num FROM alembic_version")).scalar() or "")
    return "" if "incident" in names else None


def mismatch(found: str | None) -> str | None:
    """Why this program cannot work on a schema with this revision; None: it can."""
    if found == HEAD:
        return None
    if found is None:
        return "the database is empty: run `servicedesk up` or `servicedesk db upgrade`"
    if found in REVISIONS:
        return f"the database's schema ({found}) is older than this program ({HEAD}): run `servicedesk db upgrade`"
    if found == "":
        return "the database holds tables without a schema revision: use another database, or restore a backup"
    return f"the database's schema ({found}) is newer than this program ({HEAD}): install the newer program"


def upgrade(db: Database) -> tuple[str | None, str]:
    """Bring the schema to the program's; answers the revisions before and after.

    Raises SchemaMismatch when the database is newer than the program.
    """
    with db.read() as tx:
        before = stamp(tx)
    if before is None:
        ensure(db, create=True)
    elif before != HEAD:
        if before not in REVISIONS:
            raise SchemaMismatch(str(mismatch(before)))
        migrate(db)
    return before, HEAD


def migrate(db: Database, revision: str = "head") -> None:
    """Run the migrations up to `revision` with Alembic, also on an empty database."""
    from alembic import command

    def change(tx: Tx) -> None:
        lock(tx)
        config = alembic_config()
        config.attributes.update(connection=tx.conn, tx=tx)
        command.upgrade(config, revision)

    db.write(change)


def alembic_config() -> AlembicConfig:
    """Alembic's configuration without a file of its own; env.py reads `attributes["connection"]`."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def lock(tx: Tx) -> None:
    """Two processes that start at once take turns (SQLite: the write transaction itself is the lock)."""
    if tx.postgresql:
        tx.run(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def seed(tx: Tx) -> None:
    """The rows that every database has from the start."""
    tx.run(setting.insert().values(name="admin_log_head", value={"seq": 0, "mac": bytes(32).hex()}))


def _make(tx: Tx, create: bool) -> None:
    lock(tx)
    found = stamp(tx)
    if found is not None or not create:
        if problem := mismatch(found):
            raise SchemaMismatch(problem)
        return
    metadata.create_all(tx.conn)
    triggers.create(tx)
    seed(tx)
    put_stamp(tx)


def put_stamp(tx: Tx) -> None:
    """Say that a schema that was just made is the newest."""
    tx.conn.exec_driver_sql(_VERSION_TABLE)
    tx.run(text("INSERT INTO alembic_version (version_num) VALUES (:head)"), {"head": HEAD})

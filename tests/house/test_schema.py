"""One migration head, and a database made new equals one that went through every migration, triggers included."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from servicedesk.store import schema
from servicedesk.store.db import Database, Tx
from servicedesk.store.tables import metadata


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of database once."""
    return str(request.param)


@pytest.fixture
def empty(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without any table."""
    path = tmp_path / "migrated.sqlite"
    database = open_at(f"sqlite:///{path}" if kind == "sqlite" else request.getfixturevalue("empty_postgres"))
    yield database
    database.close()


@pytest.fixture
def fresh(kind: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database made new, as the first start of the program makes it."""
    database = open_at(request.getfixturevalue("sqlite_database" if kind == "sqlite" else "postgres_database"))
    yield database
    database.close()


def open_at(url: str) -> Database:
    return Database(url, lambda: datetime.now(UTC))


def look(database: Database, ask: Callable[[Tx], Any]) -> Any:
    with database.read() as tx:
        return ask(tx)


def structure(tx: Tx) -> dict[str, Any]:
    """Tables with columns, keys, indexes and checks, as the database tells them."""
    found: dict[str, Any] = {}
    inspector = inspect(tx.conn)
    for table in inspector.get_table_names():
        found[table] = {
            "columns": sorted(
                (c["name"], str(c["type"]), c["nullable"], plain(c["default"])) for c in inspector.get_columns(table)
            ),
            "primary": inspector.get_pk_constraint(table)["constrained_columns"],
            "foreign": sorted(
                (tuple(f["constrained_columns"]), f["referred_table"]) for f in inspector.get_foreign_keys(table)
            ),
            "unique": sorted(tuple(sorted(u["column_names"])) for u in inspector.get_unique_constraints(table)),
            "indexes": sorted((i["name"], tuple(i["column_names"]), i["unique"]) for i in inspector.get_indexes(table)),
            "checks": sorted(plain(c["sqltext"]) for c in inspector.get_check_constraints(table)),
        }
    return found


def plain(sql: Any) -> str:
    """A default or check without quotes, casts and spaces that mean nothing."""
    return re.sub(r"[\s\"'()]|::\w+", "", str(sql)).lower()


def triggers(tx: Tx) -> dict[str, str]:
    """name → source of every trigger (on PostgreSQL with the source of its function)."""
    sqlite = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    postgresql = """SELECT t.tgname, pg_get_triggerdef(t.oid) || pg_get_functiondef(t.tgfoid) FROM pg_trigger t
        WHERE NOT t.tgisinternal"""
    rows = tx.run(text(postgresql if tx.postgresql else sqlite)).all()
    return {str(row[0]): str(row[1]) for row in rows}


def test_there_is_one_head_and_the_program_names_it() -> None:
    scripts = ScriptDirectory.from_config(schema.alembic_config())
    assert scripts.get_heads() == [schema.HEAD]
    walked = [revision.revision for revision in scripts.walk_revisions()]
    assert tuple(reversed(walked)) == schema.REVISIONS


@pytest.mark.feature("O7")
def test_a_new_database_equals_a_migrated_one(empty: Database, fresh: Database) -> None:
    schema.migrate(empty)
    assert look(empty, structure) == look(fresh, structure)
    assert look(empty, triggers) == look(fresh, triggers)
    assert len(look(fresh, triggers)) > 5


def test_migrations_make_what_the_tables_say(empty: Database) -> None:
    schema.migrate(empty)

    def differences(tx: Tx) -> Any:
        context = MigrationContext.configure(tx.conn, opts={"compare_type": True, "compare_server_default": False})
        return compare_metadata(context, metadata)

    assert look(empty, differences) == []


def test_a_forgotten_migration_is_seen(empty: Database) -> None:
    schema.ensure(empty, create=True)
    empty.write(lambda tx: tx.run(text("ALTER TABLE incident DROP COLUMN data_loss")) and None)

    def differences(tx: Tx) -> Any:
        return compare_metadata(MigrationContext.configure(tx.conn), metadata)

    found = look(empty, differences)
    assert [change[0] for change in found] == ["add_column"]

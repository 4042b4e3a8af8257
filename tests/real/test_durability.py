"""What "committed" rests on: every writing connection of SQLite syncs fully, PostgreSQL commits synchronously."""

import threading
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import text

from servicedesk.store.db import Database, Priority, Tx
from tests.support import source


def database(url: str) -> Database:
    from datetime import UTC, datetime

    return Database(url, lambda: datetime.now(UTC))


def settings(connection: Any) -> dict[str, Any]:
    names = ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
    return {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in names}


SAFE = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "recursive_triggers": 1}  # 2 is FULL


@pytest.mark.feature("I4", "O6")
def test_every_sqlite_connection_that_can_write_syncs_fully(sqlite_database: str) -> None:
    opened = database(sqlite_database)
    try:
        with ExitStack() as stack:  # as many at once as the pool can hold: each is a connection of its own
            pool: Any = opened.write_engine.pool
            raw = [stack.enter_context(_raw(opened)) for _ in range(pool.size() + pool._max_overflow)]
            assert len({id(one.dbapi_connection) for one in raw}) == len(raw)
            for one in raw:
                cursor = one.cursor()
                found = {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in SAFE}
                assert found == SAFE
    finally:
        opened.close()


class _raw:
    """One connection of the writing pool, given back at the end."""

    def __init__(self, opened: Database) -> None:
        self.connection = opened.write_engine.raw_connection()

    def __enter__(self) -> Any:
        return self.connection

    def __exit__(self, *_: object) -> None:
        self.connection.close()


@pytest.mark.feature("I4", "O6")
def test_the_writers_of_many_threads_sync_fully(sqlite_database: str) -> None:
    opened, seen = database(sqlite_database), list[dict[str, Any]]()

    def write(priority: Priority) -> None:
        seen.append(opened.write(lambda tx: settings(tx.conn), priority))

    threads = [threading.Thread(target=write, args=(priority,)) for priority in Priority for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    opened.close()
    assert seen == [SAFE] * 12


def test_the_reading_connections_cannot_write(sqlite_database: str) -> None:
    opened = database(sqlite_database)
    with opened.read() as tx:
        assert tx.conn.execute(text("PRAGMA query_only")).scalar() == 1
    opened.close()


@pytest.mark.postgres
@pytest.mark.feature("I4", "O6")
def test_postgresql_commits_synchronously_even_where_the_server_says_otherwise(postgres_database: str) -> None:
    name = postgres_database.split("?")[0].rsplit("/", 1)[1]
    first = database(postgres_database)
    with first.write_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    first.close()

    def ask(tx: Tx) -> tuple[str, str]:
        found = tx.conn.execute(text("SELECT current_setting('synchronous_commit'), current_setting('TimeZone')")).one()
        return found[0], found[1]

    opened = database(postgres_database)
    assert [opened.write(ask, priority) for priority in Priority] == [("on", "UTC")] * 3
    opened.close()


def test_only_one_module_opens_databases() -> None:
    """Whoever opens our database beside store/db.py would have to repeat its settings.

    clients/postgresql.py asks other people's databases, for checks of playbooks; store/backup.py and store/restore.py
    copy and lock whole files, while nobody serves from them.
    """
    found = []
    for name, tree in source.modules():
        for line, imported in source.imports(tree):
            if imported in {"sqlalchemy.create_engine", "sqlite3.connect"} or imported.split(".")[0] == "psycopg":
                found.append((name, line))
        text_of = (source.ROOT / name).read_text(encoding="utf-8")
        if "sqlite3.connect(" in text_of:
            found.append((name, 0))
    assert {name for name, _ in found} <= {
        f"servicedesk/{one}.py" for one in ("store/db", "store/backup", "store/restore", "clients/postgresql")
    }

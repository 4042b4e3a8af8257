"""What a start finds: an empty database, its own schema, an older one, a newer one, no database at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from servicedesk.errors import Busy, ConfigError, SchemaMismatch
from servicedesk.store import schema, triggers
from servicedesk.store.db import Database
from tests.support.source import ROOT

PROGRAM = """
import sys
from datetime import UTC, datetime
from servicedesk.store import schema
from servicedesk.store.db import Database
db = Database(sys.argv[1], lambda: datetime.now(UTC))
sys.stdin.readline()
schema.ensure(db, create=True)
assert "alembic" not in sys.modules
print(schema.HEAD)
"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new.sqlite'}"
    url: str = request.getfixturevalue("empty_postgres")
    return url


def at(url: str) -> Database:
    return Database(url, lambda: datetime.now(UTC))


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    database = at(empty_url)
    yield database
    database.close()


@pytest.mark.feature("O6")
def test_processes_that_start_at_once_make_one_schema(empty_url: str) -> None:
    """And none of them needs Alembic for it."""
    command = [sys.executable, "-c", PROGRAM, empty_url]
    pipe = subprocess.PIPE
    started = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=ROOT) for _ in range(4)]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    told = [(*process.communicate(timeout=60), process.returncode) for process in started]
    assert [(out.strip(), code) for out, _, code in told] == [(schema.HEAD, 0)] * 4, told
    database = at(empty_url)
    with database.read() as tx:
        assert triggers.differences(tx) == []
        assert tx.run(text("SELECT count(*) FROM setting WHERE name = 'admin_log_head'")).scalar() == 1
    database.close()


def test_an_empty_database_is_not_filled_unless_asked(empty: Database) -> None:
    with pytest.raises(SchemaMismatch, match="db upgrade"):
        schema.ensure(empty, create=False)
    if empty.postgresql:
        with empty.read() as tx:
            assert schema.stamp(tx) is None
    else:
        assert not Path(str(empty.url.database)).exists()


@pytest.mark.feature("O7")
@pytest.mark.parametrize(
    ("revision", "sentence"),
    [("0000", "newer than this program"), ("9999", "newer than this program"), ("", "without a schema revision")],
)
def test_a_schema_that_is_not_ours_is_refused(empty: Database, revision: str, sentence: str) -> None:
    schema.ensure(empty, create=True)
    empty.write(lambda tx: tx.run(text("UPDATE alembic_version SET version_num = :r"), {"r": revision}) and None)
    for create in (True, False):
        with pytest.raises(SchemaMismatch, match=sentence):
            schema.ensure(empty, create=create)
    with pytest.raises(SchemaMismatch, match=sentence):
        schema.upgrade(empty)


@pytest.mark.feature("O7")
def test_an_older_schema_names_the_command(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    schema.ensure(empty, create=True)
    monkeypatch.setattr(schema, "REVISIONS", (*schema.REVISIONS, "0777"))
    monkeypatch.setattr(schema, "HEAD", "0777")
    with pytest.raises(SchemaMismatch, match=r"older than this program \(0777\): run `servicedesk db upgrade`"):
        schema.ensure(empty, create=True)


@pytest.mark.feature("O7")
def test_upgrade_from_nothing_and_again(empty: Database) -> None:
    assert schema.upgrade(empty) == (None, schema.HEAD)
    assert schema.upgrade(empty) == (schema.HEAD, schema.HEAD)


def test_triggers_stand_after_the_migrations(empty: Database) -> None:
    schema.migrate(empty)
    schema.migrate(empty)
    with empty.read() as tx:
        assert triggers.differences(tx) == []
        assert schema.stamp(tx) == schema.HEAD


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.sqlite"
    path.write_text("these are my notes, please do not touch them\n" * 40)
    database = at(f"sqlite:///{path}")
    with pytest.raises(ConfigError, match="not a database"):
        schema.ensure(database, create=True)
    assert "please" in path.read_text()


def test_a_database_that_is_away_is_busy() -> None:
    database = at("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(Busy):
        schema.ensure(database, create=True)

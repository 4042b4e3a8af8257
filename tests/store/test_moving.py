"""Backups are restored and databases copied with everything in them; what is not whole is refused."""

import os
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from servicedesk.config import Backup, Config
from servicedesk.desk import Desk, open_desk
from servicedesk.errors import ConfigError
from servicedesk.services import audit, backups, incidents
from servicedesk.store import chores, copying, restore
from servicedesk.store.db import Database
from servicedesk.store.tables import metadata
from tests.intake.wire import alert, body, send
from tests.support.clock import Clock
from tests.support.crew import crew

pytestmark = pytest.mark.feature("O6", "O12")


@pytest.fixture
def lived(desk: Desk) -> Desk:
    """A desk in which something happened: alerts with hostile texts, tickets, one merged into a later one."""
    from servicedesk.services import apply

    people = crew(desk)
    for i in range(3):
        send(desk, body(alert(desk.now() - timedelta(hours=i), instance=f"\x00\ud800é{i}")))
    send(desk, b"not json")
    apply.run_all(desk)
    number = incidents.open_ticket(desk, people["agent"], incidents.NewTicket("Printer", "incident", "on fire"))
    incidents.take(desk, people["owner"], number)
    with desk.db.write_engine.begin() as raw:
        raw.execute(text("UPDATE incident SET merged_into = (SELECT max(id) FROM incident) WHERE id = 1"))
    audit.anchor(desk)
    return desk


def digests(database: Database) -> dict[str, str]:
    with database.read() as tx:
        return {table.name: copying.digest(tx, table) for table in metadata.sorted_tables}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'copy.sqlite'}"
    else:
        yield request.getfixturevalue("empty_postgres")


def test_a_copy_is_the_same(lived: Desk, empty: str, clock: Clock) -> None:
    target = Database(empty, clock.now)
    counts = copying.copy(lived.db, target)
    assert counts["incident"] >= 2
    assert counts["delivery"] == 4
    assert digests(target) == digests(lived.db)
    with pytest.raises(ConfigError, match="not empty"):
        copying.copy(lived.db, target)
    target.close()
    moved = open_desk(replace(lived.config, database_url=empty), clock.now)
    assert audit.verify(moved).whole
    people = {"agent": crew_member(moved, "agent")}
    newest = max(row for row in (incidents_of(moved)))
    assert incidents.open_ticket(moved, people["agent"], incidents.NewTicket("Next", "incident")) > newest
    with pytest.raises(Exception, match="timeline"):
        moved.write(lambda tx: tx.run(text("DELETE FROM timeline")) and None)
    moved.close()


def incidents_of(desk: Desk) -> list[int]:
    with desk.read() as tx:
        return [row[0] for row in tx.run(text("SELECT id FROM incident"))]


def crew_member(desk: Desk, name: str):  # type: ignore[no-untyped-def]
    from servicedesk.domain.incident import Actor

    with desk.read() as tx:
        found = tx.run(text("SELECT id FROM user_account WHERE name = :name"), {"name": name}).scalar()
    return Actor(found, name, frozenset({name}))


def test_a_copy_that_differs_is_not_kept(
    lived: Desk, empty: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = copying.digest
    monkeypatch.setattr(
        copying, "digest", lambda tx, t: whole(tx, t) + ("" if tx is not None and t.name != "alert" else str(id(tx)))
    )
    target = Database(empty, clock.now)
    with pytest.raises(ConfigError, match="differs from the original in alert"):
        copying.copy(lived.db, target)
    with target.read() as tx:
        from servicedesk.store import schema

        assert schema.stamp(tx) is None
    target.close()


def test_nightly_backup_rotates_and_is_tried(small: Desk, clock: Clock, tmp_path: Path) -> None:
    desk, folder = small, tmp_path / "night"
    desk.config = replace(desk.config, backup=Backup(str(folder), "02:30", keep=2))
    assert backups.run_due(desk) == 0, "it is morning"
    made = []
    for _ in range(3):
        clock.set(clock.now().replace(hour=2, minute=31) + timedelta(days=1))
        made.append(backups.run_due(desk))
        assert backups.run_due(desk) == 0, "once a night"
    with desk.read() as tx:
        told = chores.find(tx, backups.CHORE)
    assert told is not None
    assert (made, told.ok, told.failures) == ([1, 1, 1], True, 0), told.detail
    assert len(list(folder.iterdir())) == 2


def test_a_backup_that_cannot_be_made_is_told(desk: Desk, clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    desk.config = replace(desk.config, backup=Backup(str(tmp_path / "file"), "02:30"))
    backups.run_due(desk)
    for night in (1, 2):
        clock.set(clock.now().replace(hour=2, minute=31) + timedelta(days=1))
        assert backups.run_due(desk) == 0
        with desk.read() as tx:
            told = chores.find(tx, backups.CHORE)
        assert told is not None
        assert (told.ok, told.failures) == (False, night)
        assert told.detail


@pytest.fixture
def small(sqlite_database: str, tmp_path: Path, clock: Clock) -> Iterator[Desk]:
    opened = open_desk(Config(data_dir=str(tmp_path / "small"), database_url=sqlite_database), clock.now)
    yield opened
    opened.close()


def test_a_damaged_backup_is_seen(small: Desk, tmp_path: Path, clock: Clock) -> None:
    made = backups.save(small, tmp_path / "saved")
    assert restore.trial(made, tmp_path, clock.now()) == []
    raw = bytearray(made.read_bytes())
    raw[len(raw) // 2] ^= 1
    made.write_bytes(raw)
    assert restore.trial(made, tmp_path, clock.now()) != []
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".restore")] == []


def test_a_whole_file_with_a_wrong_database_is_seen(small: Desk, tmp_path: Path, clock: Clock) -> None:
    path = Path(str(small.db.url.database))
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("DROP TRIGGER guard_timeline_update")
    made = backups.save(small, tmp_path / "saved")
    assert restore.trial(made, tmp_path, clock.now()) == ["trigger guard_timeline_update is missing"]


def test_an_archive_says_nothing_about_where_things_go(tmp_path: Path, small: Desk) -> None:
    made = backups.save(small, tmp_path / "saved")
    (tmp_path / "evil").write_text("evil")
    with tarfile.open(made, "a") as archive:
        archive.add(tmp_path / "evil", arcname="../outside")
    with restore.unpacked(made, tmp_path / "below") as parts:
        assert {path.name for path in parts.folder.iterdir()} <= {"database.sqlite", *restore.BESIDE}
    assert not (tmp_path / "outside").exists()
    assert os.listdir(tmp_path / "below") == []

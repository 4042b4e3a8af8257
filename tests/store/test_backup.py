"""A backup made while the desk works can be opened, verified and trusted; a damaged one is found."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from servicedesk.config import Config
from servicedesk.desk import Desk, open_desk
from servicedesk.errors import ConfigError
from servicedesk.services import audit, incidents
from servicedesk.services.incidents import NewTicket
from servicedesk.store import backup
from tests.support.crew import crew

NOW = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture
def file_desk(sqlite_database: str, tmp_path: Path) -> Desk:
    return open_desk(Config(data_dir=str(tmp_path / "data"), database_url=sqlite_database))


def saved(desk: Desk, folder: Path) -> Path:
    where = desk.config.data_path
    extra = {"anchors.log": where / "anchors.log", "audit.key": where / "audit.key"}
    return backup.write(desk.db, folder, extra, {"schema": "0001"}, NOW)


@pytest.mark.feature("O6")
def test_a_backup_restores_to_a_desk_that_verifies(file_desk: Desk, tmp_path: Path) -> None:
    people = crew(file_desk)
    form = NewTicket(title="Cannot print", category="infrastructure")
    number = incidents.open_ticket(file_desk, people["requester"], form)
    audit.anchor(file_desk)
    made = saved(file_desk, tmp_path / "backups")
    assert made.name == "servicedesk-20261102T000000Z.tar"
    assert made.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in made.parent.iterdir()] == [made.name]
    assert backup.check(made) == []
    incidents.comment(file_desk, people["agent"], number, "after the backup", False)
    file_desk.close()

    restored = tmp_path / "restored"
    with tarfile.open(made) as archive:
        assert {member.mode for member in archive} == {0o600}
        archive.extractall(restored, filter="data")
    (restored / "database.sqlite").rename(restored / "servicedesk.db")
    again = open_desk(Config(data_dir=str(restored)), create=False)
    report = audit.verify(again)
    assert (report.whole, report.incidents, report.anchors) == (True, 1, 1)
    again.close()


@pytest.mark.feature("O6")
def test_a_changed_file_in_a_backup_is_found(file_desk: Desk, tmp_path: Path) -> None:
    made = saved(file_desk, tmp_path / "backups")
    inside = tmp_path / "inside"
    with tarfile.open(made) as archive:
        archive.extractall(inside, filter="data")
    manifest = json.loads((inside / "manifest.json").read_text())
    assert sorted(manifest["files"]) == ["audit.key", "database.sqlite"]
    (inside / "audit.key").write_text("0" * 64)
    with tarfile.open(made, "w") as archive:
        for name in ("manifest.json", "audit.key"):
            archive.add(inside / name, arcname=name)
    assert backup.check(made) == ["database.sqlite is missing", "audit.key was changed"]
    made.write_bytes(b"nothing")
    assert backup.check(made)[0].startswith("it cannot be read")
    file_desk.close()


@pytest.mark.feature("O6")
def test_what_cannot_be_written_is_one_sentence(file_desk: Desk, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        saved(file_desk, in_the_way / "backups")
    file_desk.close()


def test_a_damaged_file_is_found(file_desk: Desk, sqlite_database: str) -> None:
    crew(file_desk)
    assert backup.integrity(file_desk.db) == []
    with sqlite3.connect(sqlite_database.removeprefix("sqlite:///")) as raw:
        raw.execute("UPDATE service SET team_id = 99")
    assert backup.integrity(file_desk.db) == ["service row 1 names a team that is not there"]
    file_desk.close()


@pytest.mark.postgres
@pytest.mark.feature("O6")
def test_postgresql_by_pg_dump(postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = open_desk(Config(data_dir=str(tmp_path / "data"), database_url=postgres_database))
    crew(desk)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="pg_dump is not on the PATH"):
        saved(desk, tmp_path / "backups")
    monkeypatch.setenv("PATH", str(pg_dump_of(desk, tmp_path)))
    made = saved(desk, tmp_path / "backups")
    assert backup.check(made) == []
    with tarfile.open(made) as archive:
        dump = archive.extractfile("database.pgdump")
        assert dump is not None
        assert dump.read(5) == b"PGDMP"
    desk.close()


@pytest.mark.postgres
def test_a_pg_dump_that_fails_is_one_sentence(
    postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_desk(Config(data_dir=str(tmp_path / "data"), database_url=postgres_database))
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "pg_dump").write_text("#!/bin/sh\necho 'aborting because of server version mismatch' >&2\nexit 1\n")
    (programs / "pg_dump").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")
    with pytest.raises(ConfigError, match="could not save the database: aborting because of server version"):
        saved(desk, tmp_path / "backups")
    assert list((tmp_path / "backups").iterdir()) == []
    desk.close()


def pg_dump_of(desk: Desk, folder: Path) -> Path:
    """A folder with a pg_dump of the server's own version; the test is skipped by name where there is none."""
    from tests.support import missing, postgres_server

    with desk.read() as tx:
        major = int(tx.run(text("SHOW server_version_num")).scalar_one()) // 10000
    own = postgres_server.programs()
    found = [own / "pg_dump"] if own else []
    found += [Path(path)] if (path := shutil.which("pg_dump", path="/usr/bin")) else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))
    for program in found:
        if program.exists() and major <= _major(program):
            return program.parent
    missing.lacking(f"pg_dump of PostgreSQL {major}")
    raise AssertionError("unreachable")


def _major(program: Path) -> int:
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return int(told.split()[2].split(".")[0])

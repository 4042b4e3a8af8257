"""Taking a backup apart again: tried out in a folder of its own, or put where the desk looks for its data."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.engine import URL

from servicedesk.errors import ConfigError
from servicedesk.store import backup, schema, triggers
from servicedesk.store.db import Database

SQLITE, POSTGRESQL = "database.sqlite", "database.pgdump"
BESIDE = ("audit.key", "anchors.log")


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The parts of a backup as files of a folder."""

    folder: Path

    @property
    def sqlite(self) -> Path | None:
        path = self.folder / SQLITE
        return path if path.exists() else None

    @property
    def dump(self) -> Path | None:
        path = self.folder / POSTGRESQL
        return path if path.exists() else None


@contextmanager
def unpacked(path: Path, beside: Path) -> Iterator[Unpacked]:
    """The backup's files in a folder for a while, below `beside`. Raises ConfigError when it is not whole."""
    if faults := backup.check(path):
        raise ConfigError(f"the backup {path} is not whole: {'; '.join(faults)}")
    try:
        beside.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=beside, prefix=".restore-") as folder, tarfile.open(path) as archive:
            for name in (SQLITE, POSTGRESQL, *BESIDE):
                _extract(archive, name, Path(folder))
            yield Unpacked(Path(folder))
    except OSError as error:
        raise ConfigError(f"the backup {path} cannot be unpacked: {error.strerror or error}") from error


def _extract(archive: tarfile.TarFile, name: str, folder: Path) -> None:
    """One file by its name, with a name of ours: an archive says nothing about where things go."""
    try:
        source = archive.extractfile(name)
    except KeyError:
        return
    if source is None:
        return
    handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with source, os.fdopen(handle, "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        os.fsync(target.fileno())


def trial(path: Path, beside: Path, now: datetime) -> list[str]:
    """What is wrong with a backup when it is really restored: schema, triggers, the file itself. Empty: nothing.

    A dump of PostgreSQL is only read through (pg_restore --list): it would need a server to be restored into.
    """
    try:
        with unpacked(path, beside) as parts:
            if parts.dump is not None:
                return _listed(parts.dump)
            if parts.sqlite is None:
                return ["it holds no database"]
            return _faults(Database(f"sqlite:///{parts.sqlite}", lambda: now))
    except ConfigError as error:
        return [str(error)]


def _faults(db: Database) -> list[str]:
    try:
        with db.read() as tx:
            problem = schema.mismatch(schema.stamp(tx))
            found = [problem] if problem else [f"trigger {text}" for text in triggers.differences(tx)]
        return found + backup.integrity(db)
    finally:
        db.close()


def into_sqlite(parts: Unpacked, target: Path, now: datetime) -> Path | None:
    """Put the database at `target`; what stood there is moved aside, and its path answered."""
    assert parts.sqlite is not None  # noqa: S101 - the caller looked
    aside = None
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    if target.exists():
        _fold_in(target)
        aside = target.with_name(f"{target.name}.before-{now:%Y%m%dT%H%M%SZ}")
        os.replace(target, aside)
    for rest in ("-wal", "-shm"):
        target.with_name(target.name + rest).unlink(missing_ok=True)
    os.replace(parts.sqlite, target)
    return aside


def _fold_in(path: Path) -> None:
    """The write-ahead log into the file, so that the one file that is moved aside is whole."""
    try:
        with closing(sqlite3.connect(path, timeout=1.0)) as connection:
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            raise ConfigError(f"{path} is in use: stop the desk first") from error
        return  # it is damaged: that may be why there is a restore
    if busy:
        raise ConfigError(f"{path} is in use: stop the desk first")


def into_postgresql(parts: Unpacked, db: Database) -> None:
    """Restore the dump into an empty database, all or nothing. Raises ConfigError."""
    assert parts.dump is not None  # noqa: S101 - the caller looked
    with db.read() as tx:
        if schema.stamp(tx) is not None:
            raise ConfigError("the database holds tables: restore into an empty one")
    url = db.url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    _run(["pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges",
          f"--dbname={url}", str(parts.dump)], db.url)  # fmt: skip


def put_beside(parts: Unpacked, folder: Path, now: datetime) -> list[str]:
    """Audit key and anchors into the data folder; what stood there and differs is moved aside. Answers what was put."""
    put = []
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    for name in BESIDE:
        source, target = parts.folder / name, folder / name
        if not source.exists():
            continue
        if target.exists() and target.read_bytes() != source.read_bytes():
            os.replace(target, target.with_name(f"{name}.before-{now:%Y%m%dT%H%M%SZ}"))
        os.replace(source, target)
        put.append(name)
    return put


def _listed(dump: Path) -> list[str]:
    try:
        _run(["pg_restore", "--list", str(dump)], None)
    except ConfigError as error:
        return [str(error)]
    return []


def _run(command: list[str], url: URL | None) -> None:
    program = shutil.which(command[0])
    if program is None:
        raise ConfigError(f"{command[0]} is not on the PATH: install PostgreSQL's client programs")
    password = {"PGPASSWORD": str(url.password)} if url is not None and url.password else {}
    done = subprocess.run(  # noqa: S603 - our own arguments, no shell
        [program, *command[1:]], env={**os.environ, **password}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        detail = "; ".join(line for line in done.stderr.strip().splitlines() if line)[:500]
        raise ConfigError(f"{command[0]} failed: {detail}")

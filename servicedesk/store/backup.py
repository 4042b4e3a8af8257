"""One file that a desk can be restored from: the database, the audit key, the anchors, a manifest with hashes.

SQLite is copied while the desk runs (online backup, then an integrity check of the copy); PostgreSQL by pg_dump.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from servicedesk.errors import ConfigError

from .db import Database


def write(db: Database, target: Path, extra: Mapping[str, Path], facts: Mapping[str, Any], now: datetime) -> Path:
    """Write `<target>/servicedesk-<time>.tar`, or the target itself when it ends in .tar (mode 0600); answer its path.

    extra: name in the archive → file, left out when absent; facts: for the manifest. Anchors are read before the
    database, so that the copy never lacks what they name. Raises ConfigError with what to do.
    """
    name = f"servicedesk-{now:%Y%m%dT%H%M%SZ}.tar"
    if target.suffix == ".tar":
        target, name = target.parent, target.name
    try:
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=target, prefix=".backup-") as folder:
            parts = {
                part: Path(shutil.copy2(path, Path(folder) / part)) for part, path in extra.items() if path.exists()
            }
            dump = Path(folder) / ("database.pgdump" if db.postgresql else "database.sqlite")
            _dump_postgresql(db, dump) if db.postgresql else _copy_sqlite(db, dump)
            draft = Path(folder) / name
            _pack(draft, {dump.name: dump, **parts}, {**facts, "made_at": now.isoformat()})
            os.replace(draft, target / name)
    except OSError as error:
        raise ConfigError(f"the backup cannot be written to {target}: {error.strerror or error}") from error
    return target / name


def check(path: Path) -> list[str]:
    """What is wrong with a backup: files that are missing or differ from the manifest; empty: it is whole."""
    try:
        with tarfile.open(path) as archive:
            listed = archive.extractfile("manifest.json")
            manifest = json.load(listed) if listed else {}
            return [
                f"{name} {'is missing' if found is None else 'was changed'}"
                for name, wanted in manifest.get("files", {}).items()
                if (found := _digest_in(archive, name)) != wanted["sha256"]
            ]
    except (OSError, tarfile.TarError, KeyError, ValueError) as error:
        return [f"it cannot be read: {error}"]


def integrity(db: Database) -> list[str]:
    """What the database itself finds wrong (SQLite: pages and foreign keys); PostgreSQL checks itself."""
    if db.postgresql:
        return []
    with db.read() as tx:
        told = [str(row[0]) for row in tx.conn.exec_driver_sql("PRAGMA quick_check")]
        broken = tx.conn.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(5)
    faults = [] if told == ["ok"] else told
    return faults + [f"{row[0]} row {row[1]} names a {row[2]} that is not there" for row in broken]


def _copy_sqlite(db: Database, target: Path) -> None:
    import sqlite3

    with closing(sqlite3.connect(target)) as copy, db.write_engine.connect() as connection:
        source = connection.connection.driver_connection
        assert isinstance(source, sqlite3.Connection)  # noqa: S101 - for the type checker
        source.backup(copy, pages=2000)
        told = copy.execute("PRAGMA integrity_check").fetchone()[0]
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
    if told != "ok":
        raise ConfigError(f"the copy of the database is damaged: {told}")


def _dump_postgresql(db: Database, target: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise ConfigError("pg_dump is not on the PATH: install PostgreSQL's client programs, or back up the server")
    url = db.url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    password = {"PGPASSWORD": str(db.url.password)} if db.url.password else {}
    done = subprocess.run(  # noqa: S603 - our own arguments, no shell
        [program, "--format=custom", "--no-password", f"--file={target}", f"--dbname={url}"],
        env={**os.environ, **password},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        detail = "; ".join(line for line in done.stderr.strip().splitlines() if line)[:500]
        raise ConfigError(f"pg_dump could not save the database: {detail}")


def _pack(target: Path, files: Mapping[str, Path], facts: Mapping[str, Any]) -> None:
    listed = {name: {"sha256": _digest(path), "size": path.stat().st_size} for name, path in files.items()}
    manifest = json.dumps({**facts, "files": listed}, indent=2).encode()
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            info = tarfile.TarInfo("manifest.json")
            info.size, info.mode, info.mtime = len(manifest), 0o600, int(target.stat().st_mtime)
            archive.addfile(info, io.BytesIO(manifest))
            for name, path in files.items():
                archive.add(path, arcname=name, filter=_private)
        file.flush()
        os.fsync(file.fileno())


def _private(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Unpacked, nobody else may read it either."""
    info.mode = 0o600
    return info


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_in(archive: tarfile.TarFile, name: str) -> str | None:
    try:
        file = archive.extractfile(name)
    except KeyError:
        return None
    return hashlib.file_digest(file, "sha256").hexdigest() if file else None  # type: ignore[arg-type]

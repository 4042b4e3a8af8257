"""`servicedesk db …`: schema, health, backup, restore, copy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from servicedesk.cli.common import emit, opened, state
from servicedesk.config import Config
from servicedesk.errors import ConfigError

if TYPE_CHECKING:
    from servicedesk.store.db import Database


@click.group()
def db() -> None:
    """Upgrade, check, back up, restore and copy the database."""


@db.command()
def upgrade() -> None:
    """Bring the schema to this program's version; an empty database gets it whole. Safe to repeat."""
    from servicedesk.store import schema

    with _database(state().config()) as database:
        before, after = schema.upgrade(database)
    if before == after:
        told = f"the schema is at {after} already"
    else:
        told = f"the schema is at {after} now" + (f", was at {before}" if before else "")
    emit({"before": before, "after": after}, told)


@db.command()
def check() -> None:
    """Is the schema the program's, do the triggers stand, is the file sound? Exit 1 when not."""
    from servicedesk.store import backup, schema, triggers

    with _database(state().config(), must_exist=True) as database:
        with database.read() as tx:
            revision = schema.stamp(tx)
            problem = schema.mismatch(revision)
            faults = [problem] if problem else [f"trigger {text}" for text in triggers.differences(tx)]
        faults += backup.integrity(database)
        engine = "postgresql" if database.postgresql else "sqlite"
    emit(
        {"ok": not faults, "engine": engine, "schema": revision, "faults": faults},
        [*faults, f"{engine}, schema {revision or 'none'}: {'ok' if not faults else 'not ok'}"],
    )
    sys.exit(1 if faults else 0)


@db.command("backup")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--without-key", is_flag=True, help="Leave the audit key out: keep it apart yourself.")
def backup_(target: Path, without_key: bool) -> None:
    """Save the database, the audit key and the anchors into one tar file, while the desk runs.

    TARGET is a folder, or the name of a file that ends in .tar.
    """
    from servicedesk.services import backups

    with opened() as desk:
        made = backups.save(desk, target, without_key)
    size = made.stat().st_size
    warning = "" if without_key else "; it holds the audit key: keep it safe"
    emit({"file": str(made), "bytes": size}, f"{made} ({size:,} bytes){warning}")


@db.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--try", "only_try", is_flag=True, help="Restore it into a folder for a moment only, and look.")
@click.option("--replace", is_flag=True, help="Move the database that is there aside (SQLite).")
def restore(file: Path, only_try: bool, replace: bool) -> None:
    """Put a backup's database, audit key and anchors where the configuration says; the desk must be stopped.

    PostgreSQL: into an empty database. What is moved aside is named. Exit 1 when the timeline is not whole afterwards.
    """
    from servicedesk.desk import utc_now
    from servicedesk.store import restore as store

    config = state().config()
    if only_try:
        faults = store.trial(file, config.data_path, utc_now())
        emit({"ok": not faults, "faults": faults}, faults or [f"{file} can be restored"])
        sys.exit(1 if faults else 0)
    moved = _restore(config, file, replace)
    _verified({"restored": str(file), "moved_aside": moved}, [f"moved aside: {moved}"] if moved else [])


def _restore(config: Config, file: Path, replace: bool) -> str | None:
    """Answers where the old database is now, if there was one."""
    from servicedesk.desk import utc_now
    from servicedesk.store import restore as store

    now, aside = utc_now(), None
    with _database(config) as database, store.unpacked(file, config.data_path) as parts:
        if database.postgresql:
            if parts.dump is None:
                raise ConfigError(f"{file} is a backup of SQLite: restore it there, then `servicedesk db copy`")
            store.into_postgresql(parts, database)
        else:
            path = Path(database.url.database or "")
            if parts.sqlite is None:
                raise ConfigError(f"{file} is a backup of PostgreSQL: set database_url to an empty database there")
            if path.exists() and not replace:
                raise ConfigError(f"there is a database at {path}: --replace moves it aside")
            aside = store.into_sqlite(parts, path, now)
        store.put_beside(parts, config.data_path, now)
    return str(aside) if aside else None


@db.command()
@click.argument("target", metavar="DATABASE_URL")
def copy(target: str) -> None:
    """Copy everything into an empty database, such as postgresql://user@host/name, and compare.

    Nobody writes meanwhile: senders are told 503 and come again. Point database_url to the new one before the desk is
    started again; the data folder with the audit key stays. Exit 1 when the timeline is not whole there.
    """
    from dataclasses import replace as changed

    from servicedesk.desk import utc_now
    from servicedesk.store import copying
    from servicedesk.store.db import Database

    config = state().config()
    with _database(config, must_exist=True) as source:
        database = Database(target, utc_now)
        try:
            counts = copying.copy(source, database)
        finally:
            database.close()
    told = [f"{name}: {count}" for name, count in counts.items() if count]
    _verified({"tables": counts}, told, changed(config, database_url=target))


def _verified(value: dict[str, object], told: list[str], config: Config | None = None) -> None:
    """Check the timeline of the database that was just made, say so, and end."""
    from servicedesk.desk import open_desk
    from servicedesk.services import audit

    desk = open_desk(config or state().config(), create=False)
    try:
        report = audit.verify(desk)
    finally:
        desk.close()
    faults = [f"{fault.where}: {fault.message}" for fault in report.faults]
    summary = f"{report.incidents} tickets, {report.rows} timeline rows: {'not ' if faults else ''}whole"
    emit({**value, "whole": report.whole, "incidents": report.incidents, "faults": faults}, [*told, *faults, summary])
    sys.exit(0 if report.whole else 1)


@contextmanager
def _database(config: Config, must_exist: bool = False) -> Iterator[Database]:
    from servicedesk.desk import utc_now
    from servicedesk.store.db import Database

    database = Database(config.effective_database_url, utc_now)
    file = Path(database.url.database) if not database.postgresql and database.url.database else None
    if must_exist and file is not None and not file.exists():
        raise ConfigError(f"there is no database at {file}")
    if file is not None and not must_exist:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    try:
        yield database
    finally:
        database.close()

"""`servicedesk db …`: schema, health, backup."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from servicedesk import __version__
from servicedesk.cli.common import emit, opened, state
from servicedesk.config import Config
from servicedesk.errors import ConfigError

if TYPE_CHECKING:
    from servicedesk.store.db import Database


@click.group()
def db() -> None:
    """Upgrade, check and back up the database."""


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
    from servicedesk.store import backup

    with opened() as desk:
        where = desk.config.data_path
        names = ["anchors.log"] if without_key else ["anchors.log", "audit.key"]
        extra = {name: where / name for name in names}
        facts = {"program": __version__, "schema": _revision(desk.db)}
        made = backup.write(desk.db, target, extra, facts, desk.now())
    faults = backup.check(made)
    if faults:
        raise ConfigError(f"the backup {made} is not whole: {'; '.join(faults)}")
    size = made.stat().st_size
    warning = "" if without_key else "; it holds the audit key: keep it safe"
    emit({"file": str(made), "bytes": size}, f"{made} ({size:,} bytes){warning}")


def _revision(database: Database) -> str | None:
    from servicedesk.store import schema

    with database.read() as tx:
        return schema.stamp(tx)


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

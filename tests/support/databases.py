"""Databases for tests: a schema is made once a run and copied for each test.

SQLite: a template file, copied. PostgreSQL: a template database, `CREATE DATABASE … TEMPLATE`.
"""

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from servicedesk.store import schema
from servicedesk.store.db import Database
from tests.support import postgres_server

TEMPLATE = "desk_template"
_numbers = itertools.count(1)


def postgres_folder() -> Path:
    """The shared server's folder of this test run; the first process of the run names it."""
    return Path(os.environ[postgres_server.FOLDER_VARIABLE])


def postgres_url() -> str:
    """URL of the maintenance database of the run's PostgreSQL server, started at the first call."""
    owner = int(os.environ[postgres_server.FOLDER_VARIABLE + "_OWNER"])
    return postgres_server.ensure_running(postgres_folder(), owner)


def create_schema(url: str) -> None:
    """The newest schema in an empty database."""
    database = Database(url, lambda: datetime.now(UTC))
    try:
        schema.ensure(database, create=True)
    finally:
        database.close()


def sqlite_url(path: Path) -> str:
    """The database URL of a SQLite file."""
    return f"sqlite:///{path}"


def sqlite_template(run_folder: Path) -> Path:
    """A SQLite file that holds the schema; made once a run."""
    path = run_folder / "template.sqlite"
    with postgres_server.locked(run_folder / "template.lock"):
        if not path.exists():
            draft = run_folder / "template.draft"
            create_schema(sqlite_url(draft))
            draft.rename(path)
    return path


def new_sqlite(run_folder: Path, folder: Path) -> str:
    """A fresh SQLite database with the schema; its URL."""
    path = folder / f"desk-{next(_numbers)}.sqlite"
    shutil.copyfile(sqlite_template(run_folder), path)
    return sqlite_url(path)


@contextmanager
def new_postgres(template: str | None = TEMPLATE) -> Iterator[str]:
    """A fresh PostgreSQL database (with the schema unless template is None), dropped afterwards; its URL."""
    admin = postgres_url()
    if template == TEMPLATE:
        _ensure_template(admin)
    name = f"t{os.getpid()}_{next(_numbers)}"
    with closing(psycopg.connect(admin, autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'} STRATEGY FILE_COPY")
        try:
            yield postgres_server.url(postgres_folder(), name)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _ensure_template(admin: str) -> None:
    done = postgres_folder() / "template-done"
    with postgres_server.locked(postgres_folder() / "template.lock"):
        if done.exists():
            return
        with closing(psycopg.connect(admin, autocommit=True)) as connection:
            connection.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
        create_schema(postgres_server.url(postgres_folder(), TEMPLATE))
        done.touch()

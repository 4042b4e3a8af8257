"""`servicedesk config …`"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from servicedesk import config as configuration
from servicedesk.cli.common import emit, state, table
from servicedesk.errors import ConfigError


@click.group()
def config() -> None:
    """The effective configuration."""


@config.command()
def show() -> None:
    """Print every key with its value (secrets masked), where it came from and what it means."""
    found = list(configuration.settings(state().config()))
    rows = [(s.name, s.value, s.origin, s.doc + (" (not built yet)" if s.later else "")) for s in found]
    emit([asdict(s) for s in found], table(("KEY", "VALUE", "FROM", "MEANING"), rows))


@config.command()
def check() -> None:
    """Read configuration, policies and playbooks, and ask the database; exit 1 with a sentence when one is wrong."""
    from servicedesk.files import playbooks, policies
    from servicedesk.web.server import parse_bind

    settings = state().config()
    parse_bind(settings.http.bind)
    policies.load(Path(settings.policies) if settings.policies else None)
    books = playbooks.load([Path(settings.playbooks)] if settings.playbooks else [])
    if books.errors:
        raise books.errors[0]
    unknown = configuration.unknown_variables(settings)
    if unknown:
        raise ConfigError(f"there is no such setting: {', '.join(unknown)}. `servicedesk config show` lists them all")
    configuration.check_folder(settings)
    told = {"configuration": "ok", "policies": "ok", "playbooks": f"ok, {len(books.all)} read"}
    told["database"] = _database(settings)
    emit(told, [f"{name}: {text}" for name, text in told.items()])


def _database(settings: configuration.Config) -> str:
    from servicedesk.desk import utc_now
    from servicedesk.store import schema
    from servicedesk.store.db import Database

    db = Database(settings.effective_database_url, utc_now)
    try:
        if not db.postgresql and not Path(str(db.url.database)).exists():
            return "not made yet: `servicedesk up` makes it"
        with db.read() as tx:
            return schema.mismatch(schema.stamp(tx)) or "ok"
    finally:
        db.close()

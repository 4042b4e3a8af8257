"""What the commands share: configuration, the desk, who acts, and how answers and complaints are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

from servicedesk import config as configuration
from servicedesk.domain.incident import ADMIN, Actor
from servicedesk.errors import DeskError, Refused

if TYPE_CHECKING:
    from servicedesk.desk import Desk

# Who has a shell on the desk's data acts with all rights; the timeline shows it as "admin" without an account.
OPERATOR = Actor(None, "operator", frozenset({ADMIN}))


@dataclass(frozen=True)
class State:
    """The options of the whole program, as `click.Context.obj`."""

    config_file: str | None = None
    json: bool = False
    debug: bool = False

    def config(self) -> configuration.Config:
        """Raises ConfigError."""
        return configuration.load(self.config_file)


def state() -> State:
    """The options of the running command."""
    found = click.get_current_context().find_object(State)
    return found or State()


@contextmanager
def opened(create: bool = False) -> Iterator[Desk]:
    """The desk that the configuration names, closed afterwards. Raises what `open_desk` raises."""
    from servicedesk.desk import open_desk

    desk = open_desk(state().config(), create=create)
    try:
        yield desk
    finally:
        desk.close()


def emit(value: Any, text: str | Iterable[str]) -> None:
    """Print `value` as JSON with --json, else the text (or its lines)."""
    if state().json:
        indent = 2 if sys.stdout.isatty() else None
        click.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=indent))
    else:
        click.echo(text if isinstance(text, str) else "\n".join(text))


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Lines of a plain table, columns aligned; empty values as a dash."""
    cells = [tuple(head), *[tuple(_cell(value) for value in row) for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]


def complain(error: Exception, as_json: bool) -> None:
    """One clear sentence on stderr; refusals one a line."""
    if as_json:
        body: dict[str, Any] = {"error": type(error).__name__, "detail": str(error)}
        if isinstance(error, Refused):
            fields = ("rule", "guard", "message", "where")
            body["refusals"] = [{name: getattr(r, name) for name in fields} for r in error.refusals]
        click.echo(json.dumps(body, ensure_ascii=False), err=True)
    elif isinstance(error, Refused):
        for r in error.refusals:
            click.echo(f"servicedesk: refused by {r.rule}/{r.guard}: {r.message}", err=True)
    else:
        text = str(error) or (error.__doc__ if isinstance(error, DeskError) else "") or type(error).__name__
        click.echo(f"servicedesk: {text}", err=True)


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(str(v) for v in value) or "-"
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} has no JSON form")

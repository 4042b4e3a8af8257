"""`servicedesk playbook …`"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from servicedesk.cli.common import emit, state, table
from servicedesk.errors import FileError

if TYPE_CHECKING:
    from servicedesk.domain.playbook import Playbook
    from servicedesk.files.playbooks import PlaybookSet


@click.group()
def playbook() -> None:
    """Lint, list and match playbooks; none of these needs the database."""


@playbook.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.pass_context
def lint(ctx: click.Context, paths: tuple[Path, ...]) -> None:
    """Check files and folders; exit 1 when anything is wrong, with file, line, key and what to do."""
    from servicedesk.checks.registry import CHECKS
    from servicedesk.files import playbooks

    checked, errors = playbooks.lint(paths, CHECKS)
    lines = [str(e) for e in errors] or [f"{checked} playbook{'' if checked == 1 else 's'}, nothing wrong"]
    emit({"checked": checked, "errors": [_error(e) for e in errors]}, lines)
    if errors:
        ctx.exit(1)


@playbook.command("list")
def list_() -> None:
    """List the playbooks that the desk uses; broken files are named on stderr."""
    books = _load()
    _warn(books.errors)
    rows = [(p.id, p.title, len(p.steps), p.owner, p.version[:12], p.file) for p in books.all]
    told = {"items": [_row(p) for p in books.all], "errors": [_error(e) for e in books.errors]}
    emit(told, table(("ID", "TITLE", "STEPS", "OWNER", "VERSION", "FILE"), rows))


@playbook.command()
@click.argument("labels", nargs=-1)
@click.option("--type", "type_", default="incident", type=click.Choice(["incident", "request", "question"]))
@click.option("--category", default="", help="The ticket's category.")
@click.option("--service", default="", help="The ticket's service.")
@click.pass_context
def match(ctx: click.Context, labels: tuple[str, ...], type_: str, category: str, service: str) -> None:
    """Say which playbooks an alert or ticket would get; exit 1 when it gets none.

    LABELS are of one alert: 'alertname=KubePodCrashLooping' namespace=shop
    """
    found = _load().match(_labels(labels), type_, category, service)
    rows = [(p.id, p.title, p.file) for p in found]
    emit({"items": [_row(p) for p in found]}, table(("ID", "TITLE", "FILE"), rows) if rows else "no playbook matches")
    if not found:
        ctx.exit(1)


@playbook.command()
def schema() -> None:
    """Print the JSON Schema of a playbook file, for editors."""
    from servicedesk.checks.registry import CHECKS
    from servicedesk.files import schemas

    click.echo(schemas.text(schemas.playbook(CHECKS)), nl=False)


def _load() -> PlaybookSet:
    from servicedesk.checks.registry import CHECKS
    from servicedesk.files import playbooks

    own = state().config().playbooks
    return playbooks.load([Path(own)] if own else [], kinds=CHECKS)


def _labels(words: Iterable[str]) -> dict[str, str]:
    from servicedesk.domain.matchers import MatcherError, parse_matchers

    found: dict[str, str] = {}
    for word in words:
        try:
            for matcher in parse_matchers(word):
                if matcher.op != "=":
                    raise click.UsageError(f"{word}: give the alert's labels as name=value")
                found[matcher.name] = matcher.value
        except MatcherError as e:
            raise click.UsageError(f"{word}: give the alert's labels as name=value ({e})") from e
    return found


def _row(p: Playbook) -> dict[str, Any]:
    return {
        "id": p.id,
        "title": p.title,
        "summary": p.summary,
        "owner": p.owner,
        "estimated_minutes": p.estimated_minutes,
        "steps": [{"id": s.id, "title": s.title, "mandatory": s.mandatory} for s in p.steps],
        "version": p.version,
        "file": p.file,
    }


def _error(e: FileError) -> dict[str, Any]:
    return {"file": e.file, "line": e.line, "key": e.key, "message": e.message}


def _warn(errors: Iterable[FileError]) -> None:
    for e in errors:
        click.echo(f"servicedesk: {e}", err=True)

"""`servicedesk playbook …`"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from servicedesk.cli import learning
from servicedesk.cli.common import OPERATOR, emit, opened, state, table
from servicedesk.errors import FileError

if TYPE_CHECKING:
    from servicedesk.domain.parameters import Values
    from servicedesk.domain.playbook import Playbook
    from servicedesk.files.playbooks import PlaybookSet
    from servicedesk.services.shared.asking import Dry


@click.group(commands={"stats": learning.stats, "coverage": learning.coverage})
def playbook() -> None:
    """Lint, list, match, test and run playbooks without the database; their use; stop and start all checks."""


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


@playbook.command()
@click.argument("names", nargs=-1, required=True)
@click.pass_context
def test(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Dry run: what each check of these playbooks (ids, files or folders) would ask, with example values.

    Asks nothing; exit 1 when a check could not be asked.
    """
    from servicedesk.domain.parameters import examples
    from servicedesk.services.shared.asking import dry_run

    config = state().config()
    told, lines, broken = [], [], 0
    for book in _named(names):
        plan = dry_run(book, examples(book.parameters), config)
        broken += sum(1 for d in plan if d.problem and not d.shown)
        told.append({"playbook": book.id, "checks": [_dry(d) for d in plan]})
        lines += [f"{book.id}: {len(plan)} checks", *[text for d in plan for text in _dry_lines(d)]]
    emit({"items": told}, lines)
    if broken:
        ctx.exit(1)


@playbook.command()
@click.argument("playbook_id")
@click.argument("labels", nargs=-1)
@click.option("--dry-run", "dry", is_flag=True, help="Show what would be asked, and ask nothing.")
@click.pass_context
def run(ctx: click.Context, playbook_id: str, labels: tuple[str, ...], dry: bool) -> None:
    """Ask the checks of a playbook now, from here, for an alert with these labels; nothing is recorded.

    Exit 1 when one of them fails or is inconclusive.
    """
    from servicedesk.domain.parameters import resolve
    from servicedesk.services.shared.asking import dry_run

    book = next(iter(_named((playbook_id,))))
    values, config = resolve(book.parameters, _labels(labels)), state().config()
    plan = dry_run(book, values, config)
    if dry:
        emit({"checks": [_dry(d) for d in plan]}, [text for d in plan for text in _dry_lines(d)])
        return
    if not config.checks.enabled:
        raise click.ClickException("checks are switched off in the configuration (checks.enabled)")
    found = [_asked(book, d, values) for d in plan]
    lines = [f"{row['verdict']:<12}  {row['step']}: {row['summary']}" for row in found]
    emit({"checks": found}, lines or "this playbook has no checks")
    if any(row["verdict"] != "pass" for row in found):
        ctx.exit(1)


@playbook.command()
@click.option("--reason", required=True, help="Why; it is shown to everybody.")
def stop(reason: str) -> None:
    """Stop all checks of the running desk until `playbook start`."""
    from servicedesk.services import checks

    with opened() as desk:
        checks.stop(desk, OPERATOR, reason)
    emit({"stopped": True}, "No further check begins until `servicedesk playbook start`.")


@playbook.command()
def start() -> None:
    """Let checks run again."""
    from servicedesk.services import checks

    with opened() as desk:
        checks.start(desk, OPERATOR)
    emit({"stopped": False}, "Checks run again.")


def _named(names: Iterable[str]) -> list[Playbook]:
    """Playbooks by id, file or folder."""
    from servicedesk.checks.registry import CHECKS
    from servicedesk.files import playbooks

    known, found = _load(), []
    for name in names:
        path = Path(name)
        if path.exists():
            found += [playbooks.read(f, CHECKS) for f in (playbooks.find(path) if path.is_dir() else [path])]
        elif (book := known.get(name)) is not None:
            found.append(book)
        else:
            raise click.UsageError(f"{name}: there is no such playbook, file or folder")
    return found


def _asked(book: Playbook, dry: Dry, values: Values) -> dict[str, Any]:
    from servicedesk.services.checks import execute
    from servicedesk.services.shared.asking import question

    row = {"step": dry.step, "title": dry.title, "type": dry.type, "asked": list(dry.shown)}
    spec = book.check(dry.step)
    if dry.problem or spec is None:
        return row | {"verdict": "inconclusive", "summary": dry.problem}
    ask = question(book, spec, values)
    result = execute(state().config(), ask.check, ask.data)
    return row | {"verdict": result.verdict, "summary": result.summary, "details": result.details}


def _dry(d: Dry) -> dict[str, Any]:
    return {
        "step": d.step,
        "title": d.title,
        "type": d.type,
        "auto": d.auto,
        "asks": list(d.shown),
        "problem": d.problem,
    }


def _dry_lines(d: Dry) -> list[str]:
    head = f"  {d.step}{' (auto)' if d.auto else ''}: {d.title}"
    return [head, *[f"    {line}" for line in d.shown], *([f"    ! {d.problem}"] if d.problem else [])]

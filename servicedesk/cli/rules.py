"""`servicedesk rules …`"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from servicedesk.cli.common import emit, state, table
from servicedesk.errors import FileError

if TYPE_CHECKING:
    from servicedesk.domain.syslog_events import Told
    from servicedesk.domain.syslog_rules import Rule


@click.group()
def rules() -> None:
    """Lint, list and try correlation and syslog rules."""


@rules.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.pass_context
def lint(ctx: click.Context, paths: tuple[Path, ...]) -> None:
    """Check rule files and the examples in them; exit 1 when anything is wrong. Without PATHS: all that are used."""
    from servicedesk.domain.syslog_rules import Ruleset
    from servicedesk.files import rules as files
    from servicedesk.services.shared.lines import Zones, failing_examples

    where = list(paths) or [files.SHIPPED, *_own_folder()]
    found, errors = files.lint(where)
    correlation, wrong = _correlation(where)
    errors += [error for error in wrong if str(error) not in {str(known) for known in errors}]
    shipped = files.lint([files.SHIPPED])[0]
    everything = Ruleset(files.together((rule for rule in found if rule not in shipped), shipped))
    config = state().config()
    zones = Zones(config.syslog.timezone, config.syslog.timezones)
    errors += [
        FileError(why, rule.file, None, f"{rule.id}.tests[{number}]")
        for rule, number, why in failing_examples(found, everything, zones)
    ]
    count = len(found) + correlation
    lines = [str(error) for error in errors] or [f"{count} rule{'' if count == 1 else 's'}, nothing wrong"]
    emit({"checked": count, "errors": [_error(error) for error in errors]}, lines)
    if errors:
        ctx.exit(1)


def _correlation(where: list[Path]) -> tuple[int, list[FileError]]:
    """How many correlation rules there are, and what is wrong with them, their tests included."""
    from servicedesk.files import correlation_rules as files
    from servicedesk.files import policies

    config = state().config()
    policy = policies.load(Path(config.policies) if config.policies else None).alerts
    shipped = files.lint([files.SHIPPED], policy)[0]
    found, errors = files.lint(where, policy)
    everything = files.together((rule for rule in found if rule not in shipped), shipped, policy)
    return len(found), errors + files.failing_examples(found, everything)


@rules.command("list")
def list_() -> None:
    """List the rules in the order in which they are asked; broken files are named on stderr."""
    from servicedesk.cli.rehearsing import ruleset
    from servicedesk.files.rules import RuleBook

    book = RuleBook(next(_own_folder(), None))
    for error in book.errors:
        click.echo(f"servicedesk: {error}", err=True)
    known = book.current().rules
    rows = [(r.id, r.action, r.severity, r.title, Path(r.file).name) for r in known]
    correlation = ruleset(None).rules
    told = {"items": [_row(r) for r in known], "errors": [_error(error) for error in book.errors]}
    told["correlation"] = [{"id": r.id, "answer": r.answer, "reason": r.reason, "file": r.file} for r in correlation]
    more = [(r.id, r.answer, ",".join(r.group_by), str(r.threshold or ""), Path(r.file).name) for r in correlation]
    lines = table(("CORRELATION", "ANSWER", "GROUP BY", "THRESHOLD", "FILE"), more)
    emit(told, [*lines, "", *table(("SYSLOG", "ACTION", "SEVERITY", "TITLE", "FILE"), rows)])


@rules.command()
@click.argument("file", required=False, type=click.File("rb"))
@click.option("--line", "lines", multiple=True, help="One line, instead of a file; may be given again.")
@click.option("--rules", "own", type=click.Path(exists=True, path_type=Path), help="Rules to try instead of your own.")
@click.pass_context
def test(ctx: click.Context, file: Any, lines: tuple[str, ...], own: Path | None) -> None:
    """Run a test of correlation rules (FILE.yaml), or say what would become of the syslog lines of FILE (- is stdin).

    A test holds deliveries as they came and the tickets that must come of them; exit 1 when it is otherwise. Of a line
    its rule, alert and key are told.
    """
    if file is not None and Path(file.name).suffix in {".yaml", ".yml"}:
        from servicedesk.cli import rehearsing

        rehearsing.check(ctx, Path(file.name), own)
        return
    if file is None and not lines:
        raise click.UsageError("Give a file with lines, - for stdin, or --line.")
    raw = [line.encode() for line in lines] or [row.rstrip(b"\r\n") for row in file]
    told = list(_try(raw, own))
    rows = [(one.verdict.kind, one.verdict.reason, _key(one), one.line.text[:80]) for one in told]
    emit({"items": [_outcome(one) for one in told]}, table(("BECOMES", "BECAUSE", "KEY", "TEXT"), rows))


@rules.command()
@click.argument("numbers", nargs=-1, type=int, required=True)
def record(numbers: tuple[int, ...]) -> None:
    """Print a test of these stored deliveries that expects what becomes of them now: save it, change it, run it."""
    from servicedesk.cli import rehearsing

    rehearsing.record(numbers)


def _try(raw: Iterable[bytes], own: Path | None) -> Iterator[Told]:
    from servicedesk.domain.syslog_rules import Ruleset
    from servicedesk.files import rules as files
    from servicedesk.services.shared.lines import Record, Zones, read

    where = [own] if own is not None else list(_own_folder())
    found, errors = files.lint(where) if where else ((), [])
    if errors:
        raise errors[0]
    ruleset = Ruleset(files.together(found, files.lint([files.SHIPPED])[0]))
    config = state().config()
    zones = Zones(config.syslog.timezone, config.syslog.timezones)
    for number, line in enumerate(raw):
        yield read(ruleset, zones, number, Record(0, "udp", "", b64=line))


def _own_folder() -> Iterator[Path]:
    from servicedesk.services.shared.lines import own_folder

    config = state().config()
    if config.rules or own_folder(config).is_dir():
        yield own_folder(config)


def _key(one: Told) -> str:
    from alert_receivers.syslog.masking import template
    from servicedesk.domain.syslog_events import key_parts

    return " ".join(f"{name}={value}" for name, value in key_parts(one, template).items())


def _outcome(one: Told) -> dict[str, Any]:
    from alert_receivers.syslog.masking import template
    from servicedesk.domain.syslog_events import key_parts

    rule, line = one.verdict.rule, one.line
    said = {"host": line.host, "app": line.app, "facility": line.facility, "severity": line.severity, "text": line.text}
    became = {"becomes": one.verdict.kind, "because": one.verdict.reason, "rule": rule.id if rule else None}
    return became | {"key": key_parts(one, template), "template": template(line.text)} | said


def _row(rule: Rule) -> dict[str, Any]:
    return {"id": rule.id, "title": rule.title, "action": rule.action, "severity": rule.severity, "file": rule.file}


def _error(error: FileError) -> dict[str, Any]:
    return {"file": error.file, "line": error.line, "key": error.key, "message": error.message}

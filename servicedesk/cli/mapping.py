"""`servicedesk mapping …`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from servicedesk.cli.common import emit, opened, state, table


@click.group()
def mapping() -> None:
    """Receivers, and mappings: how the JSON of a sender becomes events."""


@mapping.command("list")
def list_() -> None:
    """List the receivers: those that are written and those that a mapping describes."""
    from servicedesk.files import mappings

    own = state().config().mappings
    described = mappings.load(Path(own) if own else None)
    rows = [(r.name, r.title, f"/api/v1/receivers/{r.name}") for r in mappings.receivers(described.values()).values()]
    items = [dict(zip(("name", "title", "address"), row, strict=True)) for row in rows]
    emit({"items": items}, table(("NAME", "TITLE", "ADDRESS"), rows))


@mapping.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def lint(files: tuple[Path, ...]) -> None:
    """Check mapping files, their samples included. Exit 1 with file, line and key for the first fault."""
    from servicedesk.files import mappings

    names = [mappings.read(file).name for file in files]
    emit({"items": names}, [f"{file}: {name}: fine" for file, name in zip(files, names, strict=True)])


@mapping.command()
@click.argument("name")
@click.argument("body", type=click.File("r", encoding="utf-8", errors="surrogateescape"))
@click.pass_context
def preview(ctx: click.Context, name: str, body: Any) -> None:
    """Show the events that BODY (a file, or - for the input) gives; nothing is stored.

    NAME is a receiver, or a mapping's file. Exit 1 when anything of it would be a dead letter.
    """
    import msgspec

    from servicedesk.services import mappings

    path = Path(name)
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    with opened() as desk:
        found = mappings.preview(desk, body.read(), "" if text else name, text)
    head = ("ENTRY", "STATUS", "ALERT", "SEVERITY", "BEGAN", "ENDED", "LABELS")
    rows = [(e.index, e.status, e.name, e.severity, e.starts_at, e.ends_at, _labels(e.labels)) for e in found.events]
    lines = table(head, rows) if rows else ["no events"]
    lines += [f"dead: {'the whole body' if index == -1 else index}: {why}" for index, why in _dead(found)]
    emit(msgspec.to_builtins(found), [_printable(line) for line in lines])
    if _dead(found):
        ctx.exit(1)


def _labels(labels: Any) -> str:
    return " ".join(f"{name}={value}" for name, value in labels.items())


def _dead(found: Any) -> list[tuple[int, str]]:
    return ([(-1, found.problem)] if found.problem else []) + list(found.errors)


def _printable(text: str) -> str:
    """Senders' text never steers the terminal."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)

"""`servicedesk delivery …`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from servicedesk.cli import rehearsing
from servicedesk.cli.common import OPERATOR, emit, opened, table


@click.group()
def delivery() -> None:
    """Raw deliveries as senders sent them, and what could not be applied of them."""


@delivery.command("list")
@click.option("--dead", is_flag=True, help="Only those with something that could not be applied.")
@click.option("--state", type=click.Choice(["stored", "done", "dead"]), help="Only deliveries in this state.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500))
@click.option("--cursor", default="", help="Where the last list ended.")
def list_(dead: bool, state: str | None, limit: int, cursor: str) -> None:
    """List deliveries, the newest first."""
    from servicedesk.store.views import deliveries as views

    with opened() as desk, desk.read() as tx:
        page = views.deliveries(tx, state=state or "", dead=dead, cursor=cursor, limit=limit)
    head = ("ID", "RECEIVED", "RECEIVER", "SOURCE", "BYTES", "STATE", "APPLIED", "EVENTS", "DEAD")
    rows = [
        (d.id, d.received_at, d.receiver, d.source, d.size, d.state, d.applied_upto, d.events, _open_letters(d))
        for d in page.items
    ]
    lines = table(head, rows) if rows else ["no deliveries"]
    emit({"items": [_told(d) for d in page.items], "next": page.next}, lines)


@delivery.command()
@click.argument("number", type=int)
def show(number: int) -> None:
    """Show one delivery: its state, its dead letters, and its body as sent."""
    from servicedesk.errors import NotFound
    from servicedesk.store.views import deliveries as views

    with opened() as desk, desk.read() as tx:
        found = views.find(tx, number)
        if found is None:
            raise NotFound(f"There is no delivery {number}.")
        body = views.body(tx, number)
    told = _told(found)
    lines = [f"{name}: {value}" for name, value in told.items() if name != "letters" and value not in (None, "")]
    lines += [f"dead: {letter['index']}: {letter['error']}" for letter in told["letters"]]
    emit(told | {"body": body}, [*lines, "", _printable(body)])


@delivery.command()
@click.argument("numbers", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, help="Every delivery of which something is dead.")
@click.option("--dry-run", is_flag=True, help="Change nothing: what would become of stored deliveries.")
@click.option(
    "--rules", type=click.Path(exists=True, path_type=Path), help="With --dry-run: rules instead of your own."
)
@click.option("--last", default=200, show_default=True, type=click.IntRange(1, 100_000), help="With --dry-run.")
@click.pass_context
def replay(
    ctx: click.Context, numbers: tuple[int, ...], everything: bool, dry_run: bool, rules: Path | None, last: int
) -> None:
    """Apply again what could not be applied; what was applied stays as it is. Exit 1 while something is still dead.

    --dry-run --rules FILE plays stored deliveries on a desk that is thrown away, by the rules of now and by those of
    FILE, and tells the difference.
    """
    from servicedesk.services import deliveries

    if dry_run:
        rehearsing.differ(numbers, rules, last)
        return
    if bool(numbers) is everything:
        raise click.UsageError("Name deliveries, or --all.")
    with opened() as desk:
        done = [deliveries.replay(desk, OPERATOR, number) for number in numbers or deliveries.dead(desk)]
    lines = []
    for one in done:
        lines.append(f"delivery {one.delivery}: {one.applied} applied now, {len(one.dead)} still dead")
        lines += [f"  {'the whole body' if index == -1 else index}: {error}" for index, error in one.dead]
    emit({"items": [_outcome(one) for one in done]}, lines or ["nothing is dead"])
    if any(one.dead for one in done):
        ctx.exit(1)


def _outcome(one: Any) -> dict[str, Any]:
    dead = [{"index": index, "error": error} for index, error in one.dead]
    return {"delivery": one.delivery, "applied": one.applied, "dead": dead}


def _told(d: Any) -> dict[str, Any]:
    names = ("id", "receiver", "source", "content_type", "received_at", "size", "state", "applied_upto", "events")
    told = {name: getattr(d, name) for name in (*names, "truncated", "error", "done_at")}
    letters = [{"index": r.idx, "error": r.error, "at": r.at, "cleared_at": r.cleared_at} for r in d.letters]
    return told | {"letters": letters}


def _open_letters(d: Any) -> int:
    return sum(letter.cleared_at is None for letter in d.letters)


def _printable(text: str) -> str:
    """Senders' text never steers the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)

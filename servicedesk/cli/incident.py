"""`servicedesk incident …`: what pages and API do, from the machine that the desk runs on. --as NAME says who acts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from servicedesk.cli import closing, silencing, tickets
from servicedesk.cli.common import OPERATOR, emit, opened, table
from servicedesk.cli.tickets import MOMENT, NUMBER, act, acting
from servicedesk.domain import incident as words

LEVEL = click.IntRange(1, 3)


@click.group(commands=closing.COMMANDS | silencing.COMMANDS)
def incident() -> None:
    """List, show and work on tickets."""


@incident.command("list")
@click.option(
    "--status", "statuses", multiple=True, type=click.Choice(words.STATES), help="May be given several times."
)
@click.option("--all", "every", is_flag=True, help="Closed and cancelled ones too.")
@click.option("--priority", "priorities", multiple=True, type=click.IntRange(1, 5))
@click.option("--type", "types", multiple=True, type=click.Choice(words.TYPES))
@click.option("--owner", default="", help="Sign-in name, or “none”.")
@click.option("--team", default="")
@click.option("--service", default="")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE")
@click.option("--text", default="", help="A number, or a part of the title.")
@click.option("--limit", default=50, type=click.IntRange(1, 500))
def list_(limit: int, **wanted: Any) -> None:
    """The queue: new and in progress first."""
    with opened() as desk:
        rows = tickets.listed(desk, limit, **wanted)
    shown = [(r["number"], f"P{r['priority'] or '-'}", r["status"], r["owner"], r["service"], r["title"]) for r in rows]
    emit(rows, table(("NUMBER", "PRIO", "STATE", "OWNER", "SERVICE", "TITLE"), shown))


@incident.command()
@click.argument("number", type=NUMBER)
@click.option("--as", "name", default="", envvar="SERVICEDESK_AS", help="Whose actions to show.")
def show(number: int, name: str) -> None:
    """Everything about a ticket, and what is missing before it may close."""
    with opened() as desk:
        ticket = tickets.whole(desk, number, tickets.person(desk, name) if name else OPERATOR)
    emit(ticket, tickets.page(ticket))


@incident.command("open")
@click.argument("title")
@click.option("--type", "type_", type=click.Choice(words.TYPES), default="incident", show_default=True)
@click.option("--description", default="")
@click.option("--category", default="")
@click.option("--impact", type=LEVEL, default=None, help="1 high to 3 low.")
@click.option("--urgency", type=LEVEL, default=None, help="1 high to 3 low.")
@click.option("--service", default="")
@click.option("--team", default="")
@click.option("--requester", default="", help="Sign-in name of who asked.")
@acting
def open_(title: str, type_: str, name: str, **form: Any) -> None:
    """Raise a ticket by hand."""
    from servicedesk.services import incidents

    with opened() as desk:
        actor = tickets.person(desk, name)
        new = incidents.NewTicket(title=title, type=type_, channel="cli", **form)
        number = incidents.open_ticket(desk, actor, new)
        ticket = tickets.whole(desk, number, actor)
    emit(ticket, tickets.line(ticket))


@incident.command()
@click.argument("number", type=NUMBER)
@acting
def take(number: int, name: str) -> None:
    """Own it from now on (M2)."""
    from servicedesk.services import incidents

    act(number, name, lambda desk, actor: incidents.take(desk, actor, number))


@incident.command()
@click.argument("number", type=NUMBER)
@click.option("--owner", default=None, help="Sign-in name; empty for nobody.")
@click.option("--team", default=None)
@acting
def assign(number: int, name: str, owner: str | None, team: str | None) -> None:
    """Give it an owner, a team, or both."""
    from servicedesk.services import incidents

    if owner is None and team is None:
        raise click.UsageError("Name an --owner, a --team, or both.")
    act(number, name, lambda desk, actor: incidents.assign(desk, actor, number, owner, team))


@incident.command()
@click.argument("number", type=NUMBER)
@click.option("--reason", required=True, type=click.Choice(words.HOLD_REASONS))
@click.option("--until", type=MOMENT, default=None, help="When to look again, such as 2026-11-30T09:00Z.")
@click.option("--question", default="", help="Public, for the requester.")
@click.option("--note", default="", help="Internal.")
@acting
def hold(number: int, name: str, reason: str, until: datetime | None, question: str, note: str) -> None:
    """Let it wait for something outside (M3)."""
    from servicedesk.services import incidents

    act(number, name, lambda desk, actor: incidents.hold(desk, actor, number, reason, until, question, note))


@incident.command()
@click.argument("number", type=NUMBER)
@acting
def resume(number: int, name: str) -> None:
    """Work goes on (M3)."""
    from servicedesk.services import incidents

    act(number, name, lambda desk, actor: incidents.resume(desk, actor, number))


@incident.command()
@click.argument("number", type=NUMBER)
@click.option("--title", default=None)
@click.option("--description", default=None)
@click.option("--category", default=None)
@click.option("--impact", type=LEVEL, default=None)
@click.option("--urgency", type=LEVEL, default=None)
@click.option("--service", default=None)
@click.option("--tag", "tags", multiple=True, help="The new set of tags.")
@click.option("--major/--not-major", default=None)
@acting
def edit(number: int, name: str, tags: tuple[str, ...], **fields: Any) -> None:
    """Change what describes it."""
    from servicedesk.services import incidents

    changes = {key: value for key, value in fields.items() if value is not None} | (
        {"tags": list(tags)} if tags else {}
    )
    if not changes:
        raise click.UsageError("Name at least one thing to change.")
    act(number, name, lambda desk, actor: incidents.edit(desk, actor, number, changes))


@incident.command()
@click.argument("number", type=NUMBER)
@click.argument("text")
@click.option("--public", is_flag=True, help="The requester sees it.")
@acting
def comment(number: int, name: str, text: str, public: bool) -> None:
    """Add an internal note, or a message to the requester."""
    from servicedesk.services import incidents

    act(number, name, lambda desk, actor: incidents.comment(desk, actor, number, text, public))


@incident.command()
@click.argument("number", type=NUMBER)
@click.option("--reason", default="")
@acting
def reopen(number: int, name: str, reason: str) -> None:
    """A new cycle, with a reason (M7, M8, M10)."""
    from servicedesk.services import incidents

    act(number, name, lambda desk, actor: incidents.reopen(desk, actor, number, reason))


@incident.command()
@click.argument("number", type=NUMBER)
@click.option("--code", required=True, type=click.Choice(words.CANCEL_REASONS))
@click.option("--reason", default="")
@click.option("--target", type=NUMBER, default=None, help="The open ticket that takes the alerts.")
@acting
def cancel(number: int, name: str, code: str, reason: str, target: int | None) -> None:
    """Not handled as an incident (M9)."""
    from servicedesk.services import incidents

    act(number, name, lambda desk, actor: incidents.cancel(desk, actor, number, code, reason, target))

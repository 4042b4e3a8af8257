"""`servicedesk notification …`"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from servicedesk.cli.common import emit, opened, table
from servicedesk.domain.incident import number as shown_number
from servicedesk.domain.incident import parse_number

if TYPE_CHECKING:
    from servicedesk.store.outbox import Listed

STATES = ("pending", "sent", "failed", "skipped", "held", "digested")


@click.group()
def notification() -> None:
    """Who was told what, and a test of the channels."""


@notification.command("list")
@click.option("--incident", "ticket", default=None, metavar="NUMBER", help="Only about this ticket.")
@click.option("--state", type=click.Choice(STATES), default=None, help="Only in this state.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
def list_(ticket: str | None, state: str | None, limit: int) -> None:
    """The newest notifications and what became of them."""
    from servicedesk.services import outbox

    wanted = parse_number(ticket) if ticket is not None else None
    if ticket is not None and wanted is None:
        raise click.BadParameter(f"{ticket!r} is no number of a ticket: write INC-42 or 42", param_hint="--incident")
    with opened() as desk:
        rows = outbox.listing(desk, wanted, state, limit)
    head = ("TICKET", "EVENT", "CHANNEL", "TARGET", "STATE", "TRIES", "CREATED", "SAID")
    emit([_shown(row) for row in rows], table(head, [_cells(row) for row in rows]))


def _shown(row: Listed) -> dict[str, Any]:
    return asdict(row) | {"number": shown_number(row.incident_id) if row.incident_id else None}


def _cells(row: Listed) -> tuple[Any, ...]:
    ticket = shown_number(row.incident_id) if row.incident_id else ""
    state = f"{row.state} (maybe twice)" if row.maybe_duplicate else row.state
    said = row.error or row.provider_id
    return ticket, row.event, row.channel, row.target, state, row.tries, row.created_at, said


@notification.command()
@click.argument("ticket")
def why(ticket: str) -> None:
    """Who was told of a ticket, who was not, and why."""
    from servicedesk.store.views import told

    wanted = parse_number(ticket)
    if wanted is None:
        raise click.BadParameter(f"{ticket!r} is no number of a ticket: write INC-42 or 42")
    with opened() as desk, desk.read() as tx:
        rows = told.told(tx, wanted)
    head = ("TIME", "WHAT", "WHO", "CHANNEL", "STATE", "RULE", "SAID")
    cells = [(r.at, r.event, r.who or r.target, r.channel, r.state, r.rule, r.why or r.provider_id) for r in rows]
    emit([asdict(row) for row in rows], table(head, cells))


@notification.command()
def channels() -> None:
    """The channels, and the settings that each reads."""
    from servicedesk.channels import registry

    with opened() as desk:
        config = desk.config
        found = [(c, c.configured(config), [(f, f.help(config)) for f in c.fields]) for c in registry.CHANNELS.values()]
    shown = [
        {
            "name": c.name,
            "title": c.title,
            "configured": ready,
            "fields": [{"key": f.key, "required": f.required, "secret": f.secret, "help": s.doc} for f, s in read],
        }
        for c, ready, read in found
    ]
    cells = [
        (c.name, "yes" if ready else "", f.key, "needed" if f.required else "", s.value, s.doc)
        for c, ready, read in found
        for f, s in read
    ]
    emit(shown, table(("CHANNEL", "IN USE", "SETTING", "", "VALUE", "MEANING"), cells))


@notification.command()
@click.option("--channel", default=None, help="Its name; without it all that are configured.")
@click.option("--to", "target", default="", metavar="ADDRESS", help="Mail address, or a place of the named channel.")
@click.option("--language", default="en", help="en or fr.")
def test(channel: str | None, target: str, language: str) -> None:
    """Send a test message now, without a ticket."""
    from servicedesk.services import outbox

    with opened() as desk:
        own = {c.name: target if c.personal else "" for c in outbox.configured(desk) if target or not c.personal}
        wanted = {channel: target} if channel else own  # without a channel the address is one for mail
        if not wanted:
            raise click.UsageError("nothing to test: give --to ADDRESS for mail, or set webhook.url")
        answers = [outbox.send_test(desk, name, address, language) for name, address in wanted.items()]
    emit(answers, [f"{a['channel']}: sent to {a['target']} ({a['provider_id']})" for a in answers])

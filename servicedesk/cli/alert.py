"""`servicedesk alert …`"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from servicedesk.cli import tickets
from servicedesk.cli.common import emit, opened, table
from servicedesk.cli.tickets import acting
from servicedesk.domain.correlation_rules import MARKS
from servicedesk.domain.incident import number


@click.group()
def alert() -> None:
    """Alerts with and without a ticket: list, check, make a ticket of one."""


@alert.command("list")
@click.option("--to-check", is_flag=True, help="Only records without a ticket that nobody has judged yet.")
@click.option("--flapping", is_flag=True, help="Only those that fire and recover again and again.")
@click.option("--text", default="", help="Part of the name, or a fingerprint.")
@click.option("--source", default="")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500))
@click.option("--cursor", default="", help="Where the last list ended.")
def list_(to_check: bool, flapping: bool, text: str, source: str, limit: int, cursor: str) -> None:
    """List alerts, the newest identity first, with what decided about them."""
    from servicedesk.store.views import alerts as views

    with opened() as desk, desk.read() as tx:
        wanted = views.Filter(to_check=to_check, flapping=flapping, text=text, source=source)
        page = views.alerts(tx, wanted, cursor=cursor, limit=limit)
    head = ("ID", "STATE", "NAME", "SOURCE", "SINCE", "TICKET", "RULE", "DECISION")
    rows = [(a.id, _state(a), a.name, a.source, a.first_seen, _ticket(a), a.rule, a.decision) for a in page.items]
    emit({"items": [asdict(a) for a in page.items], "next": page.next}, table(head, rows) if rows else ["no alerts"])


@alert.command()
@click.argument("alert_id", type=int)
def show(alert_id: int) -> None:
    """Show one alert: labels, decision, rule, ticket."""
    from servicedesk.errors import NotFound
    from servicedesk.store.views import alerts as views

    with opened() as desk, desk.read() as tx:
        found = views.find(tx, alert_id)
    if found is None:
        raise NotFound("There is no such alert.")
    told: dict[str, Any] = asdict(found)
    emit(told, [f"{name}: {value}" for name, value in told.items() if value not in (None, "", {}, 0)])


@alert.command()
@click.argument("alert_id", type=int)
@acting
def ticket(alert_id: int, name: str) -> None:
    """Make a ticket of a recorded alert; one that has an open ticket keeps it."""
    from servicedesk.services import records

    with opened() as desk:
        made = records.open_ticket(desk, tickets.person(desk, name), alert_id)
    said = number(made.incident_id)
    emit({"incident": said, "new": made.new}, f"{said} {'opened' if made.new else 'has it already'}")


@alert.command()
@click.argument("word", type=click.Choice([*MARKS, "none"]))
@click.argument("alert_ids", nargs=-1, type=int, required=True)
@acting
def mark(word: str, alert_ids: tuple[int, ...], name: str) -> None:
    """Say what records are, so that nobody must check them; “none” takes the mark away."""
    from servicedesk.services import records

    with opened() as desk:
        count = records.mark(desk, tickets.person(desk, name), alert_ids, "" if word == "none" else word)
    emit({"marked": count}, f"{count} marked")


@alert.command()
def gaps() -> None:
    """List by name how many alerts lack a severity, a service or a runbook_url."""
    from servicedesk.store.views import alerts as views

    with opened() as desk, desk.read() as tx:
        found = views.gaps(tx)
    head = ("NAME", "ALERTS", "NO SEVERITY", "NO SERVICE", "NO RUNBOOK_URL")
    rows = [(g.name, g.alerts, g.severity, g.service, g.runbook_url) for g in found]
    emit({"items": [asdict(g) for g in found]}, table(head, rows) if rows else ["nothing is lacking"])


def _state(a: Any) -> str:
    return f"{a.status}, flapping" if a.flapping_since else str(a.status)


def _ticket(a: Any) -> str:
    return number(a.incident_id) if a.incident_id else ""

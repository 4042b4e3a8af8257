"""`servicedesk incident silence …` and what checks found, asked for a ticket from the command line."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from servicedesk.cli.common import emit, opened, table
from servicedesk.cli.tickets import MOMENT, NUMBER, acting, person


@click.command()
@click.argument("number", type=NUMBER)
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), default=None, help="For how long, from now.")
@click.option("--until", type=MOMENT, default=None, help="Or until when, such as 2026-11-30T09:00Z.")
@click.option("--reason", required=True, help="It stands in the silence's comment, with author and ticket.")
@click.option("--alert", type=int, default=None, help="The id of one of its alerts; without: what they share.")
@acting
def silence(
    number: int, hours: float | None, until: datetime | None, reason: str, alert: int | None, name: str
) -> None:
    """Silence the ticket's alerts in the Alertmanager; it ends with the ticket."""
    from servicedesk.services import silences

    with opened() as desk:
        end = _end(desk.now(), hours, until)
        row = silences.silence(desk, person(desk, name), number, end, reason, alert)
    emit({"silence": row, "until": end}, f"Silence {row}, until {end:%Y-%m-%d %H:%M:%SZ}.")


@click.command()
@click.argument("number", type=NUMBER)
def silences(number: int) -> None:
    """List the silences that were set from a ticket."""
    from servicedesk.store.views import silences as views

    with opened() as desk, desk.read() as tx:
        found = views.of_ticket(tx, number)
    rows = [(s.id, s.state, s.ends_at, s.actor, s.reason, s.error) for s in found]
    told = [{name: getattr(s, name) for name in s.__slots__} for s in found]
    emit({"items": told}, table(("SILENCE", "STATE", "ENDS", "BY", "REASON", "ERROR"), rows))


@click.command("silence-extend")
@click.argument("number", type=NUMBER)
@click.argument("silence_id", type=int)
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), default=None, help="For how long, from now.")
@click.option("--until", type=MOMENT, default=None, help="Or until when.")
@acting
def extend(number: int, silence_id: int, hours: float | None, until: datetime | None, name: str) -> None:
    """Let a silence end at another time."""
    from servicedesk.services import silences

    with opened() as desk:
        end = _end(desk.now(), hours, until)
        silences.extend(desk, person(desk, name), number, silence_id, end)
    emit({"silence": silence_id, "until": end}, f"Silence {silence_id}, until {end:%Y-%m-%d %H:%M:%SZ}.")


@click.command("silence-end")
@click.argument("number", type=NUMBER)
@click.argument("silence_id", type=int)
@acting
def end(number: int, silence_id: int, name: str) -> None:
    """End a silence now."""
    from servicedesk.services import silences

    with opened() as desk:
        silences.expire(desk, person(desk, name), number, silence_id)
    emit({"silence": silence_id, "state": "expired"}, f"Silence {silence_id} is ended.")


@click.command()
@click.argument("number", type=NUMBER)
def checks(number: int) -> None:
    """List what the desk asked by itself for a ticket, and what was found, the newest first."""
    from servicedesk.store.views import checks as views

    with opened() as desk, desk.read() as tx:
        found = views.listed(tx, number, limit=200).items
    rows = [(c.at, c.step, c.verdict or c.state, c.asked_by or "desk", c.summary) for c in found]
    told = [{name: getattr(c, name) for name in c.__slots__} for c in found]
    emit({"items": told}, table(("WHEN", "CHECK", "VERDICT", "BY", "FOUND"), rows))


def _end(now: datetime, hours: float | None, until: datetime | None) -> datetime:
    if (hours is None) == (until is None):
        raise click.UsageError("Say for how long: --hours, or --until.")
    return until if until is not None else now + timedelta(hours=hours or 0)


COMMANDS: dict[str, click.Command] = {
    "silence": silence,
    "silences": silences,
    "silence-extend": extend,
    "silence-end": end,
    "checks": checks,
}

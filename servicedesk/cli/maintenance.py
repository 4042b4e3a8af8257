"""`servicedesk maintenance …`"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from servicedesk.cli.common import OPERATOR, emit, opened, table


@click.group()
def maintenance() -> None:
    """Maintenance windows and suppressions: alerts are recorded, and judged when they end."""


def _options(command: Any) -> Any:
    for option in reversed(
        (
            click.option("--start", required=True, metavar="TIME", help="Of the first time, as 2026-12-01T22:00."),
            click.option("--minutes", type=int, required=True, help="How long each time lasts."),
            click.option("--service", default="", help="For the alerts of this service."),
            click.option("--matchers", default="", help="For alerts that fit, as 'alertname=~\"Disk.*\"'."),
            click.option("--source", default="", help="For the alerts of this source."),
            click.option("--recurrence", default="", metavar="RRULE", help="As FREQ=WEEKLY;BYDAY=SU (RFC 5545)."),
            click.option("--timezone", default="UTC", help="Of the start and the recurrence, as Europe/Paris."),
            click.option("--reason", default=""),
            click.option("--suppression", is_flag=True, help="A suppression instead of a maintenance."),
        )
    ):
        command = option(command)
    return command


@maintenance.command("add")
@click.argument("title")
@_options
@click.option("--dry-run", is_flag=True, help="Only show which firing alerts it fits, and its next times.")
def add(title: str, dry_run: bool, **given: Any) -> None:
    """Plan a window."""
    from servicedesk.services import maintenance as service

    wanted = _plan(service, title, given)
    with opened() as desk:
        window, found = service.preview(desk, wanted)
        times = service.next_times(window, desk.now(), 5)
        number = None if dry_run else service.plan(desk, OPERATOR, wanted)
    lines = [f"window {number} was planned" if number else "nothing was stored"]
    lines += [f"holds {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC" for start, end in times]
    lines += [f"fits alert {m.id}: {m.name} of {m.source}, which fires now" for m in found]
    emit({"id": number, "times": times, "alerts": [asdict(m) for m in found]}, lines)


def _plan(service: Any, title: str, given: dict[str, Any]) -> Any:
    try:
        start = datetime.fromisoformat(given.pop("start"))
    except ValueError as error:
        raise click.UsageError("--start: write a time as 2026-12-01T22:00") from error
    starts_at = start if start.tzinfo else service.local(start, given["timezone"])
    kind = "suppression" if given.pop("suppression") else "maintenance"
    return service.Plan(kind=kind, title=title, starts_at=starts_at, **given)


@maintenance.command("list")
@click.option("--past", is_flag=True, help="Also those that are over.")
def list_(past: bool) -> None:
    """Windows that run or are planned."""
    from servicedesk.store.views import maintenance as views

    with opened() as desk, desk.read() as tx:
        found = views.windows(tx, past=past)
    head = ("WINDOW", "KIND", "STATE", "NEXT", "UNTIL", "HELD", "FOR", "TITLE")
    rows = [
        (w.id, w.kind, w.state, w.next_start, w.next_end, w.held, _for(w.service, w.matchers, w.source), w.title)
        for w in found
    ]
    emit([asdict(w) for w in found], table(head, rows))


def _for(service: str, matchers: str, source: str) -> str:
    named = (f"service {service}" if service else "", matchers, f"source {source}" if source else "")
    return ", ".join(text for text in named if text)


@maintenance.command("cancel")
@click.argument("window", type=int)
def cancel(window: int) -> None:
    """End a window early, with all its times to come; what it holds back is judged at once."""
    from servicedesk.services import maintenance as service

    with opened() as desk:
        service.cancel(desk, OPERATOR, window)
    emit({"id": window}, f"window {window} was ended")

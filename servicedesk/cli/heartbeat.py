"""`servicedesk heartbeat …`"""

from __future__ import annotations

from dataclasses import asdict

import click

from servicedesk.cli.common import OPERATOR, emit, opened, table


@click.group()
def heartbeat() -> None:
    """Who must be heard from: pings of jobs and scripts, Watchdogs of Alertmanagers."""


@heartbeat.command()
@click.argument("name")
@click.option("--every", type=int, required=True, help="Seconds between pings.")
@click.option("--grace", type=int, default=60, help="Seconds that a ping may be late.")
@click.option("--service", default="", help="Service of the alert about silence.")
@click.option("--severity", default="warning", help="Severity of the alert about silence.")
def add(name: str, every: int, grace: int, service: str, severity: str) -> None:
    """Make a heartbeat; the address to ping is shown once."""
    from servicedesk.services import heartbeats

    with opened() as desk:
        number, key = heartbeats.add(desk, OPERATOR, name, every, grace, service, severity)
        address = f"{desk.config.base_url}/api/v1/heartbeats/{key}/ping"
    emit({"id": number, "key": key, "ping": address}, f"heartbeat {number}: curl -fsS -X POST {address}")


@heartbeat.command("list")
def list_() -> None:
    """Every heartbeat."""
    from servicedesk.store.views import heartbeats as views

    with opened() as desk, desk.read() as tx:
        found = views.heartbeats(tx)
    rows = [(h.id, h.name, h.kind, h.state, h.last_at, h.due_at, h.every, h.grace) for h in found]
    head = ("HEARTBEAT", "NAME", "KIND", "STATE", "LAST", "DUE", "EVERY", "GRACE")
    emit([asdict(h) for h in found], table(head, rows))


@heartbeat.command()
@click.argument("number", type=int)
@click.option("--off", is_flag=True, help="Go on again.")
def pause(number: int, off: bool) -> None:
    """Silence is no alarm for a while."""
    from servicedesk.services import heartbeats

    with opened() as desk:
        heartbeats.pause(desk, OPERATOR, number, not off)
    emit({"id": number, "paused": not off}, f"heartbeat {number} {'goes on' if off else 'is paused'}")


@heartbeat.command()
@click.argument("number", type=int)
def remove(number: int) -> None:
    """Forget a heartbeat."""
    from servicedesk.services import heartbeats

    with opened() as desk:
        heartbeats.remove(desk, OPERATOR, number)
    emit({"id": number}, f"heartbeat {number} was removed")

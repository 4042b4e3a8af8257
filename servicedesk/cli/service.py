"""`servicedesk service …`"""

from __future__ import annotations

from typing import Any

import click

from servicedesk.cli.common import OPERATOR, emit, opened, table


@click.group()
def service() -> None:
    """Services, their teams and criticality."""


@service.command()
@click.argument("name")
@click.option("--team", default="", help="The team that looks after it; the default team unless told.")
@click.option("--criticality", type=click.IntRange(1, 3), default=2, help="1 high, 2, 3 low: the impact of its alerts.")
@click.option("--description", default="")
def add(name: str, team: str, criticality: int, description: str) -> None:
    """Add a service. NAME is what the alerts' label `service` (or `job`) says."""
    from servicedesk.services import people

    with opened() as desk:
        service_id = people.add_service(desk, OPERATOR, name, team, criticality, description)
    emit({"id": service_id, "name": name}, f"service {name} was added")


@service.command("list")
def list_() -> None:
    """Every service."""
    from servicedesk.store.views import people as views

    with opened() as desk, desk.read() as tx:
        found = views.services(tx)
    fields = ("id", "name", "team", "criticality", "description")
    emit(
        [{field: getattr(s, field) for field in fields} for s in found],
        table(("SERVICE", "TEAM", "CRITICALITY", "DESCRIPTION"), [[getattr(s, f) for f in fields[1:]] for s in found]),
    )


@service.command()
@click.argument("name")
@click.option("--team", default=None)
@click.option("--criticality", type=click.IntRange(1, 3), default=None)
@click.option("--description", default=None)
def change(name: str, **given: Any) -> None:
    """Change team, criticality or description."""
    from servicedesk.services import people

    changes = {key: value for key, value in given.items() if value is not None}
    if not changes:
        raise click.UsageError("say what to change: --team, --criticality or --description")
    with opened() as desk:
        people.change_service(desk, OPERATOR, name, changes)
    emit({"name": name, **changes}, f"service {name} was changed")

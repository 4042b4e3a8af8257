"""`servicedesk team …`"""

from __future__ import annotations

from typing import Any

import click

from servicedesk.cli.common import OPERATOR, emit, opened, table


@click.group()
def team() -> None:
    """Teams and their members."""


@team.command()
@click.argument("name")
@click.option("--email", default="", help="The team's address for notices.")
def add(name: str, email: str) -> None:
    """Add a team."""
    from servicedesk.services import people

    with opened() as desk:
        team_id = people.add_team(desk, OPERATOR, name, email)
    emit({"id": team_id, "name": name}, f"team {name} was added")


@team.command("list")
def list_() -> None:
    """Every team with its members (* leads)."""
    from servicedesk.store.views import people as views

    with opened() as desk, desk.read() as tx:
        teams = views.teams(tx)
    emit(
        [
            {
                "id": t.id,
                "name": t.name,
                "email": t.email,
                "members": [{"name": m.name, "lead": m.lead} for m in t.members],
            }
            for t in teams
        ],
        table(("TEAM", "MAIL", "MEMBERS"), [(t.name, t.email, [_mark(m) for m in t.members]) for t in teams]),
    )


@team.command()
@click.argument("name")
@click.option("--name", "new_name", default=None, help="A new name.")
@click.option("--email", default=None)
def change(name: str, new_name: str | None, email: str | None) -> None:
    """Rename a team, or change its address."""
    from servicedesk.services import people

    given = {"name": new_name, "email": email}
    changes = {key: value for key, value in given.items() if value is not None}
    if not changes:
        raise click.UsageError("say what to change: --name or --email")
    with opened() as desk:
        people.change_team(desk, OPERATOR, name, changes)
    emit({"name": changes.get("name", name)}, f"team {name} was changed")


@team.command()
@click.argument("name")
@click.argument("user")
@click.option("--lead", is_flag=True, help="As its lead.")
def join(name: str, user: str, lead: bool) -> None:
    """Add USER to the team NAME (again with --lead or without: change that)."""
    from servicedesk.services import people

    with opened() as desk:
        people.put_member(desk, OPERATOR, name, user, lead)
    emit({"team": name, "user": user, "lead": lead}, f"{user} is {'lead' if lead else 'member'} of {name}")


@team.command()
@click.argument("name")
@click.argument("user")
def leave(name: str, user: str) -> None:
    """Take USER out of the team NAME."""
    from servicedesk.services import people

    with opened() as desk:
        people.drop_member(desk, OPERATOR, name, user)
    emit({"team": name, "user": user}, f"{user} left {name}")


def _mark(member: Any) -> str:
    return f"{member.name}{'*' if member.lead else ''}"

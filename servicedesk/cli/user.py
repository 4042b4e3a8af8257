"""`servicedesk user …`: accounts, from the machine that the desk runs on."""

from __future__ import annotations

import sys
from typing import Any

import click

from servicedesk.cli.common import OPERATOR, emit, opened, table
from servicedesk.domain.incident import ROLES

ROLE = click.Choice(ROLES)


@click.group()
def user() -> None:
    """People: add, change, disable, sign-in links."""


@user.command()
@click.argument("name")
@click.option("--role", "roles", type=ROLE, multiple=True, required=True, help="May be given several times.")
@click.option("--display", default="", help="Name as people read it.")
@click.option("--email", default="", help="Where notices go.")
@click.option("--language", type=click.Choice(["en", "fr"]), default=None, help="Default: the browser's.")
@click.option("--team", "teams", multiple=True, help="Several times for several; agents join the default team.")
@click.option("--no-team", is_flag=True, help="Join no team.")
@click.option("--password-stdin", is_flag=True, help="Read the first password from standard input.")
@click.option("--link", is_flag=True, help="Answer a one-time sign-in link (24 hours).")
def add(name: str, roles: tuple[str, ...], link: bool, password_stdin: bool, **form: Any) -> None:
    """Add somebody. Without a password or a link they cannot sign in yet (`user link`)."""
    from servicedesk.services import people

    teams = () if form["no_team"] else (form["teams"] or None)
    new = people.NewUser(
        name,
        roles,
        display=form["display"],
        email=form["email"],
        language=form["language"] or "",
        teams=teams,
        password=_stdin_line() if password_stdin else "",
    )
    with opened() as desk:
        user_id = people.add_user(desk, OPERATOR, new)
        answer = {"id": user_id, "name": name, "roles": list(roles)}
        if link:
            answer["link"] = _link(desk, people.signin_link(desk, OPERATOR, name))
    emit(answer, f"{name} was added" + (f"; one-time sign-in link: {answer['link']}" if link else ""))


@user.command("list")
def list_() -> None:
    """Everybody with roles and teams."""
    from servicedesk.store.views import people as views

    with opened() as desk, desk.read() as tx:
        rows = views.users(tx)
    fields = ("id", "name", "display", "email", "roles", "teams", "language", "active", "created_at")
    emit(
        [{field: getattr(u, field) for field in fields} for u in rows],
        table(
            ("NAME", "DISPLAY", "ROLES", "TEAMS", "MAIL", "STATE"),
            [(u.name, u.display, u.roles, u.teams, u.email, "active" if u.active else "disabled") for u in rows],
        ),
    )


@user.command()
@click.argument("name")
@click.option("--role", "roles", type=ROLE, multiple=True, help="The new set of roles.")
@click.option("--team", "teams", multiple=True, help="The new set of teams.")
@click.option("--display", default=None)
@click.option("--email", default=None)
@click.option("--language", type=click.Choice(["en", "fr"]), default=None)
def change(name: str, roles: tuple[str, ...], teams: tuple[str, ...], **fields: str | None) -> None:
    """Change roles, teams, name shown, mail address or language."""
    changes: dict[str, Any] = {key: value for key, value in fields.items() if value is not None}
    changes |= {"roles": roles} if roles else {}
    changes |= {"teams": teams} if teams else {}
    if not changes:
        raise click.UsageError("say what to change, for example --role agent --role reviewer")
    _change(name, changes, f"{name} was changed")


@user.command()
@click.argument("name")
def disable(name: str) -> None:
    """Sign somebody out and bar them; their tickets and records stay."""
    _change(name, {"active": False}, f"{name} is disabled")


@user.command()
@click.argument("name")
def enable(name: str) -> None:
    """Let somebody in again."""
    _change(name, {"active": True}, f"{name} is enabled")


@user.command()
@click.argument("name")
def link(name: str) -> None:
    """A one-time sign-in link (24 hours): the old password is void once it is used."""
    from servicedesk.services import people

    with opened() as desk:
        address = _link(desk, people.signin_link(desk, OPERATOR, name))
    emit({"name": name, "link": address}, address)


@user.command()
@click.argument("name")
def invite(name: str) -> None:
    """Mail somebody a link (7 days) by which they come in and set a password."""
    from servicedesk.services import invitations

    with opened() as desk:
        invitations.invite(desk, OPERATOR, name)
    emit({"name": name}, f"an invitation for {name} goes out; a running desk sends it")


@user.command()
@click.argument("name")
def password(name: str) -> None:
    """Set somebody's password (asked for, or from standard input)."""
    from servicedesk.services import people

    asked = sys.stdin.isatty()
    new = click.prompt("New password", hide_input=True, confirmation_prompt=True) if asked else _stdin_line()
    with opened() as desk:
        people.set_password(desk, OPERATOR, name, new)
    emit({"name": name}, f"the password of {name} is set; signed out everywhere")


def _change(name: str, changes: dict[str, Any], told: str) -> None:
    from servicedesk.services import people

    with opened() as desk:
        people.change_user(desk, OPERATOR, name, changes)
    emit({"name": name, **changes}, told)


def _link(desk: Any, secret: str) -> str:
    from servicedesk.services import setup

    return f"{desk.config.base_url}{setup.signin_path(secret)}"


def _stdin_line() -> str:
    return sys.stdin.readline().rstrip("\r\n")

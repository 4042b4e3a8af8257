"""The first start: one team, one service, the first admin with a sign-in link, one token for senders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain.incident import ADMIN, SYSTEM
from servicedesk.services.shared import identity
from servicedesk.store import access, people
from servicedesk.store.db import Tx

FIRST_ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class FirstRun:
    """What is to be shown once; empty strings: nothing new. signin_secret: for the page /sign-in/link/<secret>."""

    admin: str = ""
    signin_secret: str = ""
    ingest_token: str = ""

    @property
    def signin_path(self) -> str:
        return signin_path(self.signin_secret) if self.signin_secret else ""


def signin_path(secret: str) -> str:
    """Where a one-time sign-in link leads, below the desk's base URL."""
    return f"/sign-in/link/{secret}"


def first_run(desk: Desk) -> FirstRun:
    """Make what a new desk needs; at later starts it does nothing, except that an admin who never came in gets a new
    sign-in link (the old one is void). Several processes may call it at once."""
    with desk.read() as tx:
        if _complete(tx):
            return FirstRun()
    return desk.write(lambda tx: _make(tx, desk))


def _complete(tx: Tx) -> bool:
    return (
        _came_in(tx, _admins(tx))
        and people.default_team(tx) is not None
        and people.any_service(tx)
        and access.any_token_for(tx, "ingest")
    )


def _make(tx: Tx, desk: Desk) -> FirstRun:
    people.lock_setup(tx)
    team_id = identity.ensure_defaults(tx, desk, SYSTEM)
    token = ""
    if not access.any_token_for(tx, "ingest"):
        token = identity.new_token(tx, desk, SYSTEM, name="first sender", user_id=None, scopes=["ingest"])
    admins = _admins(tx)
    if _came_in(tx, admins):
        return FirstRun(ingest_token=token)
    if admins:
        admin_id, name = admins[0].id, admins[0].name
    else:
        name = FIRST_ADMIN
        admin_id = identity.add_user(tx, desk, SYSTEM, {"name": name, "roles": [ADMIN]}, None)
        people.put_member(tx, team_id, admin_id, lead=True)
    return FirstRun(name, identity.new_signin_link(tx, desk, SYSTEM, admin_id, name), token)


def _admins(tx: Tx) -> list[Any]:
    return [row for row in people.users(tx) if row.active and ADMIN in row.roles]


def _came_in(tx: Tx, admins: list[Any]) -> bool:
    """Has any of them a password, or used a sign-in link?"""
    return any(row.password_hash for row in admins) or access.used_a_link(tx, [r.id for r in admins], identity.SIGNIN)

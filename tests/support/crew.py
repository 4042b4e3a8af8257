"""The people of a test: one per role, all of the default team, made the way the program makes them."""

from __future__ import annotations

from servicedesk.desk import Desk
from servicedesk.domain.incident import SYSTEM, Actor
from servicedesk.services.shared import identity

ROLES = {
    "owner": "agent",
    "agent": "agent",
    "lead": "lead",
    "lead2": "lead",
    "reviewer": "reviewer",
    "reviewer2": "reviewer",
    "requester": "requester",
    "stranger": "requester",
    "admin": "admin",
}


def crew(desk: Desk) -> dict[str, Actor]:
    """Accounts named as in ROLES, each with name@example.org; answers them as actors with their own session."""

    def make(tx):  # type: ignore[no-untyped-def]
        identity.ensure_defaults(tx, desk, SYSTEM)
        return {
            name: identity.add_user(
                tx, desk, SYSTEM, {"name": name, "roles": [role], "email": f"{name}@example.org"}, None
            )
            for name, role in ROLES.items()
        }

    ids = desk.write(make)
    return {name: Actor(ids[name], name, frozenset({role})) for name, role in ROLES.items()}

"""Names that people type → rows; a name that does not exist is a BadInput that says which field."""

from __future__ import annotations

from typing import Any

from servicedesk.errors import BadInput
from servicedesk.store import facts, people
from servicedesk.store.db import Tx

UNKNOWN = "unknown"


def person(tx: Tx, name: str, field: str) -> Any:
    """An active user by sign-in name."""
    row = people.user_named(tx, name)
    if row is None or not row.active:
        raise BadInput({field: f"There is no active user {name!r}."})
    return row


def team_named(tx: Tx, name: str, field: str = "team") -> Any:
    row = people.team_named(tx, name)
    if row is None:
        raise BadInput({field: f"There is no team {name!r}."})
    return row


def default_team(tx: Tx) -> int | None:
    """What no service claims goes there."""
    row = people.default_team(tx)
    return row.id if row else None


def service_named(tx: Tx, name: str, field: str = "service") -> Any:
    """None for "" and "unknown"."""
    if name in ("", UNKNOWN):
        return None
    row = people.service_named(tx, name)
    if row is None:
        raise BadInput({field: f"There is no service {name!r}: add it, or write “unknown”."})
    return row


def in_team(tx: Tx, user_id: int, team_id: int | None) -> bool:
    return facts.owner(tx, user_id, team_id)[1]

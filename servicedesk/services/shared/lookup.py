"""Names that people type → rows; a name that does not exist is a BadInput that says which field."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select

from servicedesk.errors import BadInput
from servicedesk.store.db import Tx
from servicedesk.store.tables import service, team, team_member, user

UNKNOWN = "unknown"


def person(tx: Tx, name: str, field: str) -> Row[Any]:
    """An active user by sign-in name."""
    row = tx.run(select(user).where(user.c.name == name)).first()
    if row is None or not row.active:
        raise BadInput({field: f"There is no active user {name!r}."})
    return row  # type: ignore[no-any-return]


def team_named(tx: Tx, name: str, field: str = "team") -> Row[Any]:
    row = tx.run(select(team).where(team.c.name == name)).first()
    if row is None:
        raise BadInput({field: f"There is no team {name!r}."})
    return row  # type: ignore[no-any-return]


def default_team(tx: Tx) -> int | None:
    """The oldest team: what no service claims goes there."""
    return tx.run(select(team.c.id).order_by(team.c.id).limit(1)).scalar()  # type: ignore[no-any-return]


def service_named(tx: Tx, name: str, field: str = "service") -> Row[Any] | None:
    """None for "" and "unknown"."""
    if name in ("", UNKNOWN):
        return None
    row = tx.run(select(service).where(service.c.name == name)).first()
    if row is None:
        raise BadInput({field: f"There is no service {name!r}: add it, or write “unknown”."})
    return row  # type: ignore[no-any-return]


def in_team(tx: Tx, user_id: int, team_id: int | None) -> bool:
    query = select(team_member.c.user_id).where(team_member.c.user_id == user_id, team_member.c.team_id == team_id)
    return tx.run(query).first() is not None

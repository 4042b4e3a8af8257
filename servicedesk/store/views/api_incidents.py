"""Small look-ups of the API: row versions, and names to ids and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select

from servicedesk.store.db import Tx
from servicedesk.store.tables import incident, team, user


@dataclass(frozen=True, slots=True)
class Head:
    """What a request about a ticket is judged by before anything else."""

    version: int
    requester_id: int | None


def head(tx: Tx, incident_id: int) -> Head | None:
    """The row version of a ticket (its ETag) and its requester; None when there is no such ticket."""
    r = tx.run(select(incident.c.version, incident.c.requester_id).where(incident.c.id == incident_id)).one_or_none()
    return None if r is None else Head(r.version, r.requester_id)


def user_ids(tx: Tx, names: Iterable[str]) -> dict[str, int]:
    """Ids by sign-in name; a name that nobody has is absent."""
    wanted = sorted(set(names) - {""})
    if not wanted:
        return {}
    return {r.name: r.id for r in tx.run(select(user.c.id, user.c.name).where(user.c.name.in_(wanted)))}


def user_id(tx: Tx, name: str) -> int | None:
    """The id of a user by sign-in name."""
    found: int | None = tx.run(select(user.c.id).where(user.c.name == name)).scalar_one_or_none()
    return found


def team_id(tx: Tx, name: str) -> int | None:
    found: int | None = tx.run(select(team.c.id).where(team.c.name == name)).scalar_one_or_none()
    return found


def sign_in_names(tx: Tx, ids: Iterable[int | None]) -> dict[int | None, str]:
    """Sign-in names by user id: what a program sends back in `owner` or `requester`."""
    wanted = sorted({i for i in ids if i is not None})
    if not wanted:
        return {}
    return {r.id: r.name for r in tx.run(select(user.c.id, user.c.name).where(user.c.id.in_(wanted)))}

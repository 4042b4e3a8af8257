"""What stands around every page: who reads it, and how much waits (counted to a hundred, never a whole table)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select

from servicedesk.domain.incident import IN_PROGRESS, PENDING, WORKING
from servicedesk.store import records
from servicedesk.store.db import Tx
from servicedesk.store.tables import alert, dead_letter, delivery, incident, review, second_person_request, team, user

from .rows import shown_name

CAP = 100


@dataclass(frozen=True, slots=True)
class Reader:
    """The signed-in user, for the frame of a page."""

    id: int
    name: str
    shown: str
    language: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """How much waits; CAP means "CAP or more"."""

    mine: int = 0
    unassigned: int = 0
    reviews: int = 0
    requests: int = 0
    to_check: int = 0
    letters: int = 0


def reader(tx: Tx, user_id: int) -> Reader | None:
    row = tx.run(select(user, shown_name(user).label("shown")).where(user.c.id == user_id)).one_or_none()
    return None if row is None else Reader(row.id, row.name, row.shown, row.language, tuple(row.roles or ()))


def counts(tx: Tx, user_id: int) -> Counts:
    """For an agent: one query over short ends of indexes."""
    i, r, a = incident.c, second_person_request.c, alert.c
    wanted: dict[str, Select[Any]] = {
        "mine": select(i.id).where(i.owner_id == user_id, i.status.in_((IN_PROGRESS, PENDING))),
        "unassigned": select(i.id).where(i.owner_id.is_(None), i.status.in_(WORKING)),
        "reviews": select(review.c.id).where(review.c.decided_at.is_(None), review.c.status == "in_review"),
        "requests": select(r.id).where(r.status == "asked", r.expires_at > tx.now),
        "to_check": select(a.id).where(records.waiting()),
        "letters": select(dead_letter.c.id).where(dead_letter.c.cleared_at.is_(None)),
    }
    columns = [_capped(query).label(name) for name, query in wanted.items()]
    columns.append(_capped(select(delivery.c.id).where(delivery.c.state == "dead")).label("dead"))
    row = tx.run(select(*columns)).mappings().one()
    letters = min(CAP, row["letters"] + row["dead"])
    return Counts(letters=letters, **{name: row[name] for name in wanted if name != "letters"})


def _capped(query: Select[Any]) -> Any:
    return select(func.count()).select_from(query.limit(CAP).subquery()).scalar_subquery()


def names(tx: Tx) -> dict[str, dict[int, str]]:
    """Names of people and teams by id, for lines that were stored with ids."""
    people = {r.id: r.shown for r in tx.run(select(user.c.id, shown_name(user).label("shown")).limit(5000))}
    return {"people": people, "teams": {r.id: r.name for r in tx.run(select(team.c.id, team.c.name))}}


def address(tx: Tx, user_id: int | None) -> str:
    """Somebody's mail address; "" for none."""
    return tx.run(select(user.c.email).where(user.c.id == user_id)).scalar() or ""

"""Records without a ticket: those that wait to be checked, and how they are marked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select, update

from servicedesk.store.db import Tx
from servicedesk.store.tables import alert


def waiting() -> Any:
    """What makes an alert wait to be checked: no ticket, no mark, and no maintenance that is going to end."""
    c = alert.c
    return c.incident_id.is_(None) & c.checked_at.is_(None) & or_(c.waits.is_(None), c.waits != "window")


@dataclass(frozen=True, slots=True)
class Overdue:
    """count: how many wait for longer than they should, at most LIMIT; oldest: since when."""

    count: int
    oldest: datetime


LIMIT = 1000


def overdue(tx: Tx, before: datetime) -> Overdue | None:
    """The records that came before this instant and still wait; None when there are none."""
    old = select(alert.c.first_seen).where(waiting(), alert.c.first_seen < before).limit(LIMIT).subquery()
    query = select(func.count(), func.min(old.c.first_seen, type_=alert.c.first_seen.type)).select_from(old)
    row = tx.run(query).one()
    return Overdue(row[0], row[1]) if row[0] else None


def mark(tx: Tx, alert_ids: Collection[int], word: str | None) -> list[int]:
    """Mark alerts as this word says; None: they wait again. Answers those that exist, in order."""
    values = {"check_mark": word, "checked_at": tx.now if word else None}
    theirs = update(alert).where(alert.c.id.in_(sorted(alert_ids))).values(values).returning(alert.c.id)
    return sorted(tx.run(theirs).scalars())


def mark_by_rule(tx: Tx, alert_ids: Collection[int], word: str) -> None:
    """A rule's mark; what a person or rule has marked stays."""
    theirs = update(alert).where(alert.c.id.in_(sorted(alert_ids)), alert.c.checked_at.is_(None))
    tx.run(theirs.values(check_mark=word, checked_at=tx.now))

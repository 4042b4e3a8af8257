"""What the alarms look for: tickets without an owner, reviews that are due. Rows are locked in the order of ids."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, or_, select, update

from servicedesk.domain.incident import CANCELLED, RESOLVED, REVIEW

from .db import Tx
from .tables import incident, review

LIMIT = 200  # a transaction


def any_due(tx: Tx, before: timedelta, again: timedelta) -> bool:
    """Is there anything to do? Asked without taking the write lock."""
    queries = (select(incident.c.id).where(_unassigned(tx)), _reviews(tx, before, again))
    return any(tx.run(query.limit(1)).first() is not None for query in queries)


def unassigned(tx: Tx) -> list[Any]:
    """Tickets whose time to find an owner is over, locked; columns id, owner_id, status, cycle, unassigned_due_at.

    One that somebody works on right now is left for the next look.
    """
    c = incident.c
    query = select(c.id, c.owner_id, c.status, c.cycle, c.unassigned_due_at).where(_unassigned(tx)).order_by(c.id)
    return list(tx.run(query.limit(LIMIT).with_for_update(skip_locked=True)))


def _unassigned(tx: Tx) -> Any:
    return incident.c.unassigned_due_at <= tx.now


def alarmed(tx: Tx, ids: Iterable[int]) -> None:
    """The alarm of these tickets has been judged: it does not come again for the same wait."""
    tx.run(update(incident).where(incident.c.id.in_(list(ids))).values(unassigned_due_at=None))


def reviews(tx: Tx, before: timedelta, again: timedelta) -> list[Any]:
    """Undecided reviews of the current cycle that may need a reminder, locked with their tickets."""
    query = _reviews(tx, before, again).order_by(incident.c.id).limit(LIMIT)
    return list(tx.run(query.with_for_update(skip_locked=True)))


def _reviews(tx: Tx, before: timedelta, again: timedelta) -> Any:
    r = review.c
    fresh = or_(r.reminded_at.is_(None), and_(r.due_at <= tx.now, r.reminded_at < r.due_at))
    repeated = and_(r.due_at <= tx.now, r.reminded_at <= tx.now - again)
    return (
        select(r.id, r.incident_id, r.status, r.author_id, r.reviewer_id, r.due_at, r.reminded_at)
        .join(incident, and_(incident.c.id == r.incident_id, incident.c.cycle == r.cycle))
        .where(r.decided_at.is_(None), r.due_at <= tx.now + before, or_(fresh, repeated))
        .where(incident.c.status.in_((RESOLVED, REVIEW, CANCELLED)))
    )


def reminded(tx: Tx, ids: Iterable[int]) -> None:
    tx.run(update(review).where(review.c.id.in_(list(ids))).values(reminded_at=tx.now))

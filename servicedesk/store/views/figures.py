"""Figures that are asked of the database when the program is scraped: each one walk over a small index."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from servicedesk.store.db import Tx
from servicedesk.store.tables import delivery, incident, outbox, review


@dataclass(frozen=True, slots=True)
class Figures:
    """incidents: (status, priority or 0) → how many."""

    incidents: dict[tuple[str, int], int]
    reviews_overdue: int
    outbox_pending: int
    deliveries_waiting: int


def figures(tx: Tx) -> Figures:
    """What is open, late and waiting now."""
    i = incident.c
    grouped = tx.run(select(i.status, i.priority, func.count()).where(i.test.is_(False)).group_by(i.status, i.priority))
    late = select(func.count()).where(review.c.decided_at.is_(None), review.c.due_at < tx.now)
    pending = select(func.count()).select_from(outbox).where(outbox.c.state == "pending")
    waiting = select(func.count()).select_from(delivery).where(delivery.c.state == "stored")
    return Figures(
        {(status, priority or 0): count for status, priority, count in grouped},
        tx.run(late).scalar_one(),
        tx.run(pending).scalar_one(),
        tx.run(waiting).scalar_one(),
    )

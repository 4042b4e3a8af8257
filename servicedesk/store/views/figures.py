"""Figures that are asked of the database when the program is scraped: each one walk over a small index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, text

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
    every, tests = _by_state(tx), _by_state(tx, text("test"))
    late = select(func.count()).where(review.c.decided_at.is_(None), review.c.due_at < tx.now)
    pending = select(func.count()).select_from(outbox).where(outbox.c.state == "pending")
    waiting = select(func.count()).select_from(delivery).where(delivery.c.state == "stored")
    return Figures(
        {state: count - tests.get(state, 0) for state, count in every.items() if count > tests.get(state, 0)},
        tx.run(late).scalar_one(),
        tx.run(pending).scalar_one(),
        tx.run(waiting).scalar_one(),
    )


def _by_state(tx: Tx, *only: Any) -> dict[tuple[str, int], int]:
    """(status, priority or 0) → how many tickets: a walk over an index, without the rows."""
    i = incident.c
    rows = tx.run(select(i.status, i.priority, func.count()).where(*only).group_by(i.status, i.priority))
    return {(status, priority or 0): count for status, priority, count in rows}

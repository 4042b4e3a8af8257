"""The worker's judge: quiet windows that end, second-person requests that expire."""

from __future__ import annotations

from sqlalchemy import select, update

from servicedesk.desk import Desk
from servicedesk.domain.incident import SYSTEM
from servicedesk.services.shared import facts as loader
from servicedesk.services.shared import timeline
from servicedesk.services.shared.judge import judge
from servicedesk.services.shared.timeline import Line
from servicedesk.store.db import Priority, Tx
from servicedesk.store.tables import incident, second_person_request

BATCH = 100


def run_due(desk: Desk) -> int:
    """Judge every incident whose stored `due_at` has come, each in a transaction of its own; answers how many."""
    now = desk.now()
    with desk.read() as tx:
        query = select(incident.c.id).where(incident.c.due_at <= now).order_by(incident.c.due_at).limit(BATCH)
        due = tx.run(query).scalars().all()
    for incident_id in due:
        desk.write(lambda tx, i=incident_id: judge(tx, desk, i), Priority.SLICE)  # type: ignore[misc]
    return len(due) + _expire(desk)


def _expire(desk: Desk) -> int:
    r = second_person_request.c
    open_ones = select(r.id, r.incident_id).where(r.status == "asked", r.expires_at <= desk.now()).limit(BATCH)
    with desk.read() as tx:
        rows = tx.run(open_ones).all()

    def expire(tx: Tx, request_id: int, incident_id: int) -> None:
        loader.lock(tx, incident_id)
        changed = tx.run(
            update(second_person_request)
            .where(r.id == request_id, r.status == "asked")
            .values(status="expired", decided_at=tx.now)
        )
        if changed.rowcount:
            said = {"request": request_id, "status": "expired"}
            timeline.append(tx, desk, Line(incident_id, "second_person", said, SYSTEM))

    for row in rows:
        desk.write(lambda tx, row=row: expire(tx, row.id, row.incident_id), Priority.SLICE)  # type: ignore[misc]
    return len(rows)

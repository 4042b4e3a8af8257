"""Alarms that time alone raises: nobody has taken a ticket, a review is due or overdue."""

from __future__ import annotations

from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain.incident import WORKING
from servicedesk.domain.notification import REMIND_BEFORE, REMIND_EVERY, Notice, review_reminder
from servicedesk.services.shared import notify, timeline
from servicedesk.services.shared.timeline import Line
from servicedesk.store import alarms
from servicedesk.store.db import Priority, Tx


def run_due(desk: Desk) -> int:
    """Raise every alarm that is due; answers how many tickets and reviews were looked at. Raises Busy."""
    with desk.read() as tx:
        if not alarms.any_due(tx, REMIND_BEFORE, REMIND_EVERY):
            return 0
    return desk.write(lambda tx: _unassigned(tx, desk) + _reviews(tx, desk), Priority.SLICE)


def _unassigned(tx: Tx, desk: Desk) -> int:
    """Tell the team's leads, once for each wait, that a ticket has no owner."""
    rows = alarms.unassigned(tx)
    alone = [row for row in rows if row.owner_id is None and row.status in WORKING]
    if rows:
        alarms.alarmed(tx, [row.id for row in rows])
    text = "Nobody has taken this ticket in time: the leads are told."
    timeline.append_many(tx, desk, [Line(row.id, "alarm", {"event": "unassigned", "text": text}) for row in alone])
    keyed = [(row.id, f"{row.cycle}:{row.unassigned_due_at.isoformat()}") for row in alone]
    notify.enqueue(tx, desk, [Notice("unassigned", number, key) for number, key in keyed])
    return len(rows)


def _reviews(tx: Tx, desk: Desk) -> int:
    """Remind author or reviewer a day before, then daily from the due time on, the leads too, until it is decided."""
    rows = alarms.reviews(tx, REMIND_BEFORE, REMIND_EVERY)
    due = [(row, review_reminder(row.due_at, row.reminded_at, tx.now)) for row in rows]
    if rows:
        alarms.reminded(tx, [row.id for row, event in due if event])
    notify.enqueue(tx, desk, [_reminder(row, event, tx.now.isoformat()) for row, event in due if event])
    return len(rows)


def _reminder(row: Any, event: str, key: str) -> Notice:
    turn = row.reviewer_id if row.status == "in_review" and row.reviewer_id else row.author_id
    return Notice(
        event, row.incident_id, f"{row.id}:{key}", {"to": [turn] if turn else [], "due": row.due_at.isoformat()}
    )

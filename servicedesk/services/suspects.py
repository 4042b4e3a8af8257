"""Doubts that have lasted: a firing that came after the end that covers it is believed when no newer end came."""

from __future__ import annotations

from datetime import datetime

from servicedesk.desk import Desk
from servicedesk.domain.alert_state import SUSPECT
from servicedesk.services.shared import attach, observe
from servicedesk.store import alerts, deliveries
from servicedesk.store.db import Priority, Tx

BATCH = 200


def run_due(desk: Desk, now: datetime) -> int:
    """Confirm the suspect alerts that are due: M7, or a new incident when theirs is over; answers how many.

    Nothing is confirmed while a delivery waits that was received by then: it may hold the newer end. Raises Busy.
    """
    with desk.read() as tx:
        due = alerts.due_suspects(tx, now, BATCH)
        if not due or deliveries.waiting_since(tx, now):
            return 0
    return desk.write(lambda tx: _confirm(tx, desk, due, now), Priority.SLICE)


def _confirm(tx: Tx, desk: Desk, due: list[int], now: datetime) -> int:
    rows = [
        row
        for row in alerts.lock_by_id(tx, due).values()
        if row.status == SUSPECT and row.suspect_due_at is not None and row.suspect_due_at <= now
    ]
    judged = observe.judge_anew(tx, desk, rows, confirm=True)
    for one in judged:
        one.seen_at = tx.now
    attach.follow(tx, desk, judged)
    return len(rows)

"""Flapping alerts that have been calm for long enough."""

from __future__ import annotations

from datetime import timedelta

from servicedesk.desk import Desk
from servicedesk.services.shared import flaps
from servicedesk.store import alerts, deliveries
from servicedesk.store.db import Priority, Tx

BATCH = 200
PATIENCE = timedelta(minutes=5)


def run_due(desk: Desk) -> int:
    """End what is over; answers how many alerts. A job. Raises Busy.

    Not while a delivery waits, which may tell of another change; but no longer than PATIENCE.
    """
    now = desk.now()
    with desk.read() as tx:
        found = alerts.calm(tx, now, BATCH)
        busy = bool(found) and deliveries.waiting_since(tx, now)
        ids = [number for number, ended in found if not busy or ended <= now - PATIENCE]
    return desk.write(lambda tx: _end(tx, desk, ids), Priority.SLICE) if ids else 0


def _end(tx: Tx, desk: Desk, ids: list[int]) -> int:
    rows = [r for r in alerts.lock_by_id(tx, ids).values() if r.flap_ends_at is not None and r.flap_ends_at <= tx.now]
    for row in rows:
        row.flapping_since = row.flap_ends_at = None
    alerts.write_state(tx, rows)
    flaps.tell(tx, desk, flaps.Turns(ended=rows))
    tx.after_commit.append(lambda: desk.wake.notify("changes"))
    return len(rows)

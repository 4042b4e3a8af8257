"""The worker that looks again at alerts which wait for others: thresholds, tickets to be attached to."""

from __future__ import annotations

from datetime import timedelta

from servicedesk.desk import Desk
from servicedesk.services.shared import gather
from servicedesk.store import gathering
from servicedesk.store.db import Priority

REMEMBERED = timedelta(days=30)  # after its end a ticket may be opened again, and take what attaches
PORTION = 500  # tickets in one transaction


def run_once(desk: Desk) -> int:
    """Look at one group of alerts that wait; answers 1, or 0 when nothing has changed among them. Raises Busy."""
    return int(gather.look(desk))


def forget_old(desk: Desk) -> int:
    """Tickets that have long been over take no more alerts; answers how many were let go."""
    with desk.read() as tx:
        found = gathering.forgettable(tx, desk.now() - REMEMBERED, PORTION)
    if found:
        desk.write(lambda tx: gathering.forget(tx, found), Priority.SLICE)
    return len(found)

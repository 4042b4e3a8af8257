"""The worker's judge: quiet windows that end, second-person requests that expire."""

from __future__ import annotations

from servicedesk.desk import Desk
from servicedesk.domain.incident import SYSTEM
from servicedesk.services.shared import facts as loader
from servicedesk.services.shared import timeline
from servicedesk.services.shared.judge import judge
from servicedesk.services.shared.timeline import Line
from servicedesk.store import gates, tickets
from servicedesk.store.db import Priority, Tx

BATCH = 100


def run_due(desk: Desk) -> int:
    """Judge every incident whose stored `due_at` has come, each in a transaction of its own; answers how many."""
    now = desk.now()
    with desk.read() as tx:
        due = tickets.due(tx, now, BATCH)
    for incident_id in due:
        desk.write(lambda tx, i=incident_id: judge(tx, desk, i), Priority.SLICE)  # type: ignore[misc]
    return len(due) + _expire(desk)


def _expire(desk: Desk) -> int:
    with desk.read() as tx:
        expired = gates.expired_requests(tx, desk.now(), BATCH)

    def expire(tx: Tx, request_id: int, incident_id: int) -> None:
        loader.lock(tx, incident_id)
        if gates.decide_request(tx, request_id, {"status": "expired"}):
            said = {"request": request_id, "status": "expired"}
            timeline.append(tx, desk, Line(incident_id, "second_person", said, SYSTEM))

    for request_id, number in expired:
        desk.write(lambda tx, r=request_id, n=number: expire(tx, r, n), Priority.SLICE)  # type: ignore[misc]
    return len(expired)

"""The worker's judge: quiet windows that end, tickets that recovered unseen, second-person requests that expire."""

from __future__ import annotations

from servicedesk.desk import Desk
from servicedesk.domain import incident as words
from servicedesk.domain.incident import SYSTEM, Action
from servicedesk.errors import Refused
from servicedesk.services.shared import drafts, playbooks, timeline, transition
from servicedesk.services.shared import facts as loader
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
    return len(due) + _auto_resolve(desk) + _expire(desk)


def _auto_resolve(desk: Desk) -> int:
    """M4a, where the policy switches it on: what recovered before anybody looked, and stayed quiet since."""
    rule = desk.policy.alerts.auto_resolve
    if not rule.enabled:
        return 0
    with desk.read() as tx:
        unseen = tickets.recovered_unseen(tx, desk.now() - rule.after, rule.priorities, BATCH)
    for number in unseen:
        desk.write(lambda tx, n=number: _resolve_unseen(tx, desk, n), Priority.SLICE)  # type: ignore[misc]
    return len(unseen)


def _resolve_unseen(tx: Tx, desk: Desk, number: int) -> None:
    f = loader.load(tx, desk, number)
    if f.status != words.NEW:
        return
    causes = desk.policy.cause_classes
    resolution = {
        "resolution_code": "self_recovered",
        "cause_class": "unknown" if "unknown" in causes else next(iter(causes)),
        "resolution_notes": "Every alert recovered by itself before anybody looked.",
    }
    values = resolution | {"resolved_at": tx.now, "resolver_id": None, "unassigned_due_at": None}
    try:
        transition.perform(tx, desk, f, SYSTEM, Action("auto_resolve"), values, resolution)
    except Refused:
        return  # an alert fires again: it stays where it is
    playbooks.skip_open(tx, desk, number, "It recovered by itself.")
    drafts.ensure(tx, desk, loader.load(tx, desk, number), SYSTEM)
    judge(tx, desk, number)


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

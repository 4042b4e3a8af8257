"""A ticket's paging begins in the transaction of what it is about; the job `escalations` executes what is due."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain.escalation import ACKNOWLEDGED, OVER, PAGING
from servicedesk.domain.notification import Decision, Notice, Reach
from servicedesk.store import escalations
from servicedesk.store.db import Tx

BEGINS = ("opened", "refired", "reopened")
TOPIC = "escalations"


def begin(tx: Tx, desk: Desk, notices: Iterable[Notice]) -> frozenset[int]:
    """Begin a run for each of these tickets that an escalation policy is for; answers the ids that one is for.

    A run that still looks for somebody in the same cycle goes on as it is: one page an episode.
    """
    ids = {n.incident_id for n in notices if n.event in BEGINS}
    if not ids:
        return frozenset()
    found = escalations.subjects(tx, ids)
    busy = (PAGING, ACKNOWLEDGED)
    _start(tx, desk, [r for r in found if r.run is None or r.of_cycle != r.cycle or r.state not in busy])
    return frozenset(r.id for r in found)


def again(tx: Tx, desk: Desk, ids: Iterable[int], reason: str) -> frozenset[int]:
    """These tickets look for somebody anew, by the policy that is theirs now; answers those that have one."""
    wanted = set(ids)
    found = escalations.subjects(tx, wanted)
    _start(tx, desk, found, reason)
    for incident_id in sorted(wanted - {row.id for row in found}):
        escalations.change(
            tx, incident_id, {"state": OVER, "due_at": None, "reason": "No escalation policy is for it."}
        )
    return frozenset(row.id for row in found)


def _start(tx: Tx, desk: Desk, rows: Iterable[Any], reason: str = "") -> None:
    runs = [_run(tx, row, reason) for row in rows]
    if runs:
        escalations.begin(tx, runs)
        tx.after_commit.append(lambda: desk.wake.notify(TOPIC))


def _run(tx: Tx, row: Any, reason: str) -> dict[str, Any]:
    return {
        "incident_id": row.id,
        "policy_id": row.policy_id,
        "policy_version": row.version,
        "policy": row.body,
        "cycle": row.cycle,
        "run": (row.run or 0) + 1,
        "state": PAGING,
        "reason": reason,
        "began_at": tx.now,
        "began_seq": row.head_seq,
        "round": 1,
        "step": 0,
        "due_at": tx.now + timedelta(minutes=row.body["steps"][0]["wait"]),
    }


def fires_again(tx: Tx, desk: Desk, ids: Iterable[int]) -> None:
    """Alerts of these tickets fire again: where the run had ended with the recovery, somebody is looked for anew."""
    if escalations.wake(tx, ids):
        tx.after_commit.append(lambda: desk.wake.notify(TOPIC))


def instead(decision: Decision, reach: Reach) -> Decision:
    """The escalation policy tells people; what is told to everybody (webhooks) stays."""
    rest = tuple(t for t in decision.targets if t.channel in reach.broadcast)
    return Decision(decision.event, rest, "The escalation policy pages people instead.", silent=not rest)

"""A ticket's paging begins in the transaction of what it is about; the job `escalations` executes what is due."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import msgspec

from servicedesk.desk import Desk
from servicedesk.domain import escalation
from servicedesk.domain.escalation import ACKNOWLEDGED, OVER, PAGING, RECOVERED
from servicedesk.domain.escalation_policy import Policy
from servicedesk.domain.notification import Decision, Notice, Reach
from servicedesk.services.shared import timeline
from servicedesk.services.shared.timeline import Line
from servicedesk.store import escalations
from servicedesk.store.db import Tx

BEGINS = ("opened", "refired", "reopened", "flaps")
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
        "takes_over": None,
        "state": PAGING,
        "reason": reason,
        "began_at": tx.now,
        "began_seq": row.head_seq,
        "round": 1,
        "step": 0,
        "due_at": tx.now + timedelta(minutes=row.body["steps"][0]["wait"]),
    }


def changed(tx: Tx, desk: Desk, ids: Iterable[int], *, raised: bool = False) -> frozenset[int]:
    """The team, service or priority of these tickets is another one: the policy that holds now takes over.

    Answers those whose run ended, began or was taken over; the timeline says so. raised: to a higher priority.
    """
    wanted = set(ids)
    runs: list[dict[str, Any]] = []
    lines: list[Line] = []
    for row in escalations.standings(tx, wanted) if wanted else ():
        text = _changed(tx, row, raised, runs)
        lines += [Line(row.id, "page", {"text": text, "change": True})] if text else []
    timeline.append_many(tx, desk, lines)
    escalations.begin(tx, runs)
    if runs:
        tx.after_commit.append(lambda: desk.wake.notify(TOPIC))
    return frozenset(line.incident_id for line in lines)


def _changed(tx: Tx, row: Any, raised: bool, runs: list[dict[str, Any]]) -> str:
    """What becomes of one run, in a sentence; "" for nothing."""
    holds = None if row.body is None else msgspec.convert(row.body, Policy)
    state = row.state if row.of_cycle == row.cycle else None
    do = escalation.change(row.status, state, row.priority, holds, row.ran == row.policy_id, raised and bool(row.waits))
    if not do:
        return ""
    if do == "end":
        text = f"No escalation policy is for it any more: {row.ran_name} ends."
        escalations.change(tx, row.id, {"state": OVER, "due_at": None, "reason": text})
    elif do == "begin":
        text = f"The escalation policy {row.name} begins."
        new: dict[str, Any] = {"began_seq": 0} if row.run is None else {}  # who has it already is asked nothing
        before = {"began_seq": row.began_seq, "takes_over": row.takes_over or row.run}
        runs.append(_run(tx, row, text) | (new if state is None else before))
    else:
        same = row.ran == row.policy_id
        text = "Its priority was raised: it waits no longer." if same else _instead(row)
        runs.append(_run(tx, row, text) | _going_on(tx, row))
    escalations.leave_waiting(tx, row.id, text)
    return text


def _instead(row: Any) -> str:
    return f"The escalation policy {row.name} holds now, instead of {row.ran_name}."


def _going_on(tx: Tx, row: Any) -> dict[str, Any]:
    """What the run that takes over has from the one before: who has it, that it recovered, whom it told."""
    kept: dict[str, Any] = {"began_seq": row.began_seq, "takes_over": row.takes_over or row.run}
    if row.state == ACKNOWLEDGED:
        return kept | {"state": ACKNOWLEDGED, "due_at": tx.now}
    return kept | ({"state": RECOVERED, "due_at": None} if row.state == RECOVERED else {})


def fires_again(tx: Tx, desk: Desk, ids: Iterable[int]) -> None:
    """Alerts of these tickets fire again: where the run had ended with the recovery, somebody is looked for anew."""
    if escalations.wake(tx, ids):
        tx.after_commit.append(lambda: desk.wake.notify(TOPIC))


def instead(decision: Decision, reach: Reach) -> Decision:
    """The escalation policy tells people; what is told to everybody (webhooks) stays."""
    rest = tuple(t for t in decision.targets if t.channel in reach.broadcast)
    return Decision(decision.event, rest, "The escalation policy pages people instead.", silent=not rest)

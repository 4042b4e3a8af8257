"""The only writer of an incident's status: a decided move becomes a row change, a timeline line, and a wake-up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servicedesk import metrics
from servicedesk.desk import Desk
from servicedesk.domain import incident as words
from servicedesk.domain.incident import Action, Actor, Facts
from servicedesk.domain.lifecycle import Act, Move, decide
from servicedesk.domain.notification import unassigned_due
from servicedesk.errors import Refused
from servicedesk.services.shared import notify, timeline, waiting, watching
from servicedesk.services.shared.timeline import Line
from servicedesk.store import reviews, tickets
from servicedesk.store.db import Tx

_NEW_CYCLE = {"M7", "M8", "M10"}
_CLEARED: dict[str, Any] = {  # what a new cycle forgets; the timeline remembers
    "resolved_at": None,
    "resolver_id": None,
    "resolution_code": None,
    "cause_class": None,
    "resolution_notes": None,
    "explanation": None,
    "cancel_reason": None,
    "merged_into": None,
    "closed_at": None,
    "due_at": None,
    "self_reviewed": False,
}


def judged(facts: Facts, actor: Actor, action: Action) -> Move | Act:
    """`decide`, with its refusals counted."""
    try:
        return decide(facts, actor, action)
    except Refused as refused:
        for refusal in refused.refusals:
            metrics.refused(refusal.guard)
        raise


def perform(
    tx: Tx,
    desk: Desk,
    facts: Facts,
    actor: Actor,
    action: Action,
    values: Mapping[str, Any] | None = None,
    content: Mapping[str, Any] | None = None,
) -> str:
    """Decide a move and make it. facts: loaded in this transaction (row locked).

    values: further columns of the incident to set; content: what the timeline line says besides from, to, reason.
    Answers the new status. Raises Refused.
    """
    move = judged(facts, actor, action)
    if not isinstance(move, Move):
        raise AssertionError(f"{action.name} is no move")
    target = _target(move, facts)
    changes: dict[str, Any] = {"status": target, "version": facts.version + 1, "updated_at": tx.now}
    if move.id in _NEW_CYCLE:
        changes |= _CLEARED | {"cycle": facts.cycle + 1}
        reviews.supersede(tx, facts.id)
        if target == words.NEW:
            changes |= {"owner_id": None, "unassigned_due_at": unassigned_due(desk.policy, facts.priority, tx.now)}
    if move.id == "M3":
        changes |= {"hold_reason": None, "hold_until": None, "next_look_at": None}
    changes |= waiting.columns(desk, facts, target, action, tx.now)
    changes |= dict(values or {})
    tickets.change(tx, facts.id, changes)
    if target == words.RESOLVED:
        watching.begin(tx, desk, facts)
    told = {"from": facts.status, "to": target, "cycle": changes.get("cycle", facts.cycle)}
    if action.reason:
        told["reason"] = action.reason
    if action.code:
        told["code"] = action.code
    timeline.append(tx, desk, Line(facts.id, "status", told | dict(content or {}), actor, move.id))
    notify.refresh(tx, desk, facts.id)
    tx.after_commit.append(lambda: metrics.transition(move.id))
    tx.after_commit.append(lambda: desk.wake.notify("changes"))
    return target


def _target(move: Move, facts: Facts) -> str:
    """A reopened ticket returns to the queue when nobody active owns it."""
    if move.id in _NEW_CYCLE and not (facts.owner_id and facts.owner_active):
        return words.NEW
    return move.target

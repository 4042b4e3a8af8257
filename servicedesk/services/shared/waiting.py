"""The ladder's place in a ticket's life: when it begins, what ends it, and what a person may do after it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain import business_time
from servicedesk.domain import incident as words
from servicedesk.domain import waiting as rules
from servicedesk.domain.guards import blank
from servicedesk.domain.incident import Action, Actor, Facts
from servicedesk.errors import BadInput
from servicedesk.store import tickets
from servicedesk.store import waiting as store
from servicedesk.store.db import Tx

NO_RESPONSE = "no_response"
OVER = 1000  # ladder_step once the whole ladder has passed and the lead decides
STOPPED: dict[str, Any] = {"ladder_from": None, "ladder_step": 0, "ladder_due_at": None}


def columns(desk: Desk, f: Facts, target: str, action: Action, now: datetime) -> dict[str, Any]:
    """Every move ends the ladder that ran; resolving, or waiting for the requester, begins one."""
    if f.requester_id is None:
        return STOPPED
    if target == words.RESOLVED:
        return _begun(desk, rules.silence(desk.policy.ageing.silence), now)
    if target == words.PENDING and action.code == "requester":
        return _begun(desk, rules.question(desk.policy.ageing.waiting_reminders, f.urgency), now)
    return STOPPED


def _begun(desk: Desk, ladder: tuple[rules.Rung, ...], now: datetime) -> dict[str, Any]:
    due = rules.first_due(desk.policy.calendar, ladder, now)
    return {"ladder_from": now, "ladder_step": 0, "ladder_due_at": due}


def next_look(desk: Desk, reason: str, now: datetime) -> datetime:
    """Every pending ticket has a date on which somebody looks again."""
    entry = desk.policy.hold_reasons.get(reason)
    return business_time.add_days(desk.policy.calendar, now, entry.next_look) if entry else now + timedelta(days=1)


def heard(tx: Tx, desk: Desk, f: Facts) -> str:
    """The requester wrote: the implicit clock stops; answers the notice that asks the owner what it means."""
    if f.status not in (words.RESOLVED, words.REVIEW):
        return "reply"
    tickets.change(tx, f.id, STOPPED)
    return "reply_resolved"


def spoke(tx: Tx, desk: Desk, f: Facts) -> str:
    """We wrote to the requester: where a word of theirs had stopped the clock, it begins again from here."""
    waits = f.status == words.RESOLVED and f.requester_id is not None and not _confirmed(f)
    if waits and tickets.get(tx, f.id).ladder_from is None:
        tickets.change(tx, f.id, _begun(desk, rules.silence(desk.policy.ageing.silence), tx.now))
    return "message"


def _confirmed(f: Facts) -> bool:
    return bool(f.confirmations and f.confirmations[-1].accepted)


def too_late(f: Facts) -> bool:
    """Closed, and longer ago than a requester may reopen?"""
    return f.status == words.CLOSED and f.closed_at is not None and f.now > f.closed_at + f.reopen_window


def need_silence(tx: Tx, f: Facts, actor: Actor) -> None:
    """A lead may decide for a requester only after the whole ladder. Raises BadInput."""
    if not actor.has(words.LEAD):
        raise BadInput({"silent": "Only a lead decides for a requester who does not answer."})
    if tickets.get(tx, f.id).ladder_step < OVER:
        raise BadInput({"silent": "The reminders are not over yet: the requester may still answer."})


def unanswered(tx: Tx, desk: Desk, f: Facts, actor: Actor, explanation: str) -> str:
    """`no_response` is a lead's word, after attempts that went out; answers the explanation with them. BadInput."""
    row = tickets.get(tx, f.id)
    if not actor.has(words.LEAD):
        raise BadInput({"code": "Only a lead ends a ticket because the requester does not answer."})
    made = store.attempts(tx, f.id, row.created_at) if f.requester_id is not None else ()
    if not made:
        raise BadInput({"code": "No question has reached the requester: there is no answer to miss."})
    language = store.requester_language(tx, f.requester_id or 0)
    said = rules.explained("question", made, desk.policy.calendar.timezone, language, f.reopen_window)
    return said if blank(explanation) else f"{explanation}\n\n{said}"

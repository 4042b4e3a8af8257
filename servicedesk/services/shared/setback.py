"""M7 for whoever learns that the fix does not hold: back to work, and whom it concerns is told."""

from __future__ import annotations

from servicedesk.desk import Desk
from servicedesk.domain.incident import Action, Actor, Facts
from servicedesk.services.shared import notify, transition
from servicedesk.services.shared.notify import Notice
from servicedesk.store.db import Tx


def back_to_work(tx: Tx, desk: Desk, f: Facts, actor: Actor, trigger: str, reason: str) -> None:
    """A new cycle begins. f: loaded in this transaction; trigger: verification or requester."""
    action = Action("reopen", reason=reason, trigger=trigger)
    transition.perform(tx, desk, f, actor, action, {"waiting_on": "agent"}, {"trigger": trigger})
    notify.enqueue(tx, desk, [Notice("reopened", f.id, str(f.cycle + 1), {"text": reason, "from": actor.id})])

"""Absences: one's own, or entered by a lead; a deputy stands in for assignment, review and pages (N9)."""

from __future__ import annotations

from datetime import datetime, timedelta

from servicedesk.desk import Desk
from servicedesk.domain.incident import AGENT, LEAD, Actor
from servicedesk.errors import BadInput, NotAllowed, NotFound
from servicedesk.services.shared import identity, lookup, spans
from servicedesk.store import oncall
from servicedesk.store.db import Tx

LONGEST = timedelta(days=1100)


def _may(actor: Actor, name: str) -> None:
    if not (actor.has(LEAD) or (actor.has(AGENT) and actor.name == name)):
        raise NotAllowed("Only a lead enters somebody else's absence.")


def add(
    desk: Desk,
    actor: Actor,
    user: str,
    starts_at: datetime,
    ends_at: datetime,
    deputy: str = "",
    reason: str = "",
    keep_tickets: bool = False,
) -> int:
    """Answers its id. keep_tickets: open tickets stay with who is absent. Raises NotAllowed, BadInput."""
    _may(actor, user)
    spans.check(starts_at, ends_at, LONGEST)
    reason = identity.clean_text(reason, "reason", 300)

    def change(tx: Tx) -> int:
        if ends_at <= tx.now:
            raise BadInput({"ends_at": "This is over already."})
        person = lookup.person(tx, user, "user")
        stands_in = lookup.person(tx, deputy, "deputy") if deputy else None
        if stands_in is not None and stands_in.id == person.id:
            raise BadInput({"deputy": "Somebody else stands in."})
        values = {
            "user_id": person.id,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "deputy_id": stands_in.id if stands_in else None,
            "reason": reason,
            "hand_over": not keep_tickets,
            "made_by": actor.id,
        }
        said = {"from": starts_at, "to": ends_at, "deputy": deputy}
        identity.record(tx, desk, actor, "absence", person.name, None, said)
        return oncall.add_absence(tx, values)

    return desk.write(change)


def cancel(desk: Desk, actor: Actor, absence_id: int) -> None:
    """Back earlier than planned, or never gone. Raises NotAllowed, NotFound."""

    def change(tx: Tx) -> None:
        row = oncall.absence_by_id(tx, absence_id)
        if row is None:
            raise NotFound("There is no such absence.")
        person = oncall.person(tx, row.user_id)
        _may(actor, person.name)
        oncall.change_absence(tx, absence_id, {"cancelled_at": tx.now})
        before = {"from": row.starts_at, "to": row.ends_at}
        identity.record(tx, desk, actor, "absence", person.name, before, {"cancelled": True})

    desk.write(change)

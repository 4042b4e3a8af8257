"""Who owns a ticket: taking it up, giving it to somebody else, giving it back to the queue."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from servicedesk.desk import Desk
from servicedesk.domain import incident as words
from servicedesk.domain.incident import Action, Actor, Facts
from servicedesk.domain.notification import unassigned_due
from servicedesk.errors import BadInput
from servicedesk.services.shared import lookup, notify, paging, timeline, transition
from servicedesk.services.shared.notify import Notice
from servicedesk.services.shared.timeline import Line
from servicedesk.store import tickets
from servicedesk.store.db import Tx


def with_owner(tx: Tx, f: Facts, owner_id: int | None, team_id: int | None) -> Facts:
    member = owner_id is not None and lookup.in_team(tx, owner_id, team_id)
    return replace(f, owner_id=owner_id, team_id=team_id, owner_active=owner_id is not None, owner_in_team=member)


def begin(
    tx: Tx, desk: Desk, f: Facts, actor: Actor, owner_id: int | None, team_id: int | None, action: Action
) -> None:
    values = {
        "owner_id": owner_id,
        "team_id": team_id,
        "acknowledged_at": tx.now,
        "unassigned_due_at": None,
    }
    f = with_owner(tx, f, owner_id, team_id)
    transition.perform(tx, desk, f, actor, action, values, {"owner": owner_id, "team": team_id})
    notify.enqueue(tx, desk, [Notice("assigned", f.id, f"{f.cycle}:{f.version}", {"from": actor.id})])


def reassign(
    tx: Tx, desk: Desk, f: Facts, actor: Actor, owner_id: int | None, team_id: int | None, version: int | None
) -> None:
    transition.judged(f, actor, Action("assign", version))
    if owner_id is None and f.status != words.NEW and f.owner_id is not None:
        raise BadInput({"owner": "A ticket in work keeps an owner: name another one."})
    if owner_id is not None and not lookup.in_team(tx, owner_id, team_id):
        raise BadInput({"owner": "This person is not a member of the ticket's team."})
    told = {"owner": [f.owner_id, owner_id], "team": [f.team_id, team_id]}
    tickets.change(tx, f.id, {"owner_id": owner_id, "team_id": team_id, "updated_at": tx.now, "version": f.version + 1})
    tx.after_commit.append(lambda: desk.wake.notify("changes"))
    timeline.append(tx, desk, Line(f.id, "assignment", told, actor))
    if owner_id is None and team_id != f.team_id:
        paging.again(tx, desk, [f.id], "It was handed to another team.")
    if owner_id not in (None, f.owner_id):
        notify.enqueue(tx, desk, [Notice("assigned", f.id, f"{f.cycle}:{f.version}", {"from": actor.id})])


def release(tx: Tx, desk: Desk, f: Facts, actor: Actor, reason: str, due_at: datetime | None = None) -> None:
    """Back to the queue: no owner, the state stays; who may take it is looked for anew.

    due_at: when the leads are alarmed that nobody owns it (default: as for a new ticket).
    """
    due = due_at or unassigned_due(desk.policy, f.priority, tx.now)
    values = {"owner_id": None, "unassigned_due_at": due, "updated_at": tx.now, "version": f.version + 1}
    tickets.change(tx, f.id, values)
    told = {"owner": [f.owner_id, None], "team": [f.team_id, f.team_id], "reason": reason}
    timeline.append(tx, desk, Line(f.id, "assignment", told, actor))
    paging.again(tx, desk, [f.id], reason)
    tx.after_commit.append(lambda: desk.wake.notify("changes"))

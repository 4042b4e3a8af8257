"""Who owns a ticket: taking it up, giving it to somebody else, giving it back to the queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

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


def take(tx: Tx, desk: Desk, f: Facts, actor: Actor, version: int | None = None) -> None:
    """M2: the actor owns it from now on; on a ticket in work this is an assignment to oneself. Raises Refused."""
    if f.status == words.NEW:
        begin(tx, desk, f, actor, actor.id, f.team_id, Action("take", version))
    else:
        reassign(tx, desk, f, actor, actor.id, f.team_id, version)


def acknowledge(tx: Tx, desk: Desk, f: Facts, actor: Actor) -> str:
    """Somebody is on it. A new ticket of the actor's team becomes theirs ("taken"), else it is noted ("noted").

    Raises Refused where the ticket is over, or the actor no agent.
    """
    if f.owner_id is not None and f.owner_id == actor.id:
        if f.status in words.WORKING:  # a sign of life: an automatic assignment is answered, an old answer renewed
            timeline.append(tx, desk, Line(f.id, "acknowledged", {"owner": f.owner_id}, actor))
        return "yours"
    if f.status == words.NEW and actor.id is not None and lookup.in_team(tx, actor.id, f.team_id):
        take(tx, desk, f, actor)
        return "taken"
    transition.judged(f, actor, Action("acknowledge"))
    timeline.append(tx, desk, Line(f.id, "acknowledged", {"owner": f.owner_id}, actor))
    return "noted"


def with_owner(tx: Tx, f: Facts, owner_id: int | None, team_id: int | None) -> Facts:
    member = owner_id is not None and lookup.in_team(tx, owner_id, team_id)
    return replace(f, owner_id=owner_id, team_id=team_id, owner_active=owner_id is not None, owner_in_team=member)


def give(
    tx: Tx,
    desk: Desk,
    f: Facts,
    actor: Actor,
    owner_id: int,
    team_id: int | None,
    version: int | None = None,
    reason: str = "",
) -> None:
    """Somebody owns it from now on, whatever state of work it is in. Raises BadInput, Refused."""
    if f.status == words.NEW:
        begin(tx, desk, f, actor, owner_id, team_id, Action("take", version, reason=reason))
    else:
        reassign(tx, desk, f, actor, owner_id, team_id, version, reason)


def begin(
    tx: Tx,
    desk: Desk,
    f: Facts,
    actor: Actor,
    owner_id: int | None,
    team_id: int | None,
    action: Action,
    acknowledged: bool = True,
) -> None:
    """M2. acknowledged: a person did it (an automatic assignment answers to nobody)."""
    values: dict[str, Any] = {"owner_id": owner_id, "team_id": team_id, "unassigned_due_at": None}
    if acknowledged:
        values["acknowledged_at"] = tx.now
    f = with_owner(tx, f, owner_id, team_id)
    transition.perform(tx, desk, f, actor, action, values, {"owner": owner_id, "team": team_id})
    notify.enqueue(tx, desk, [Notice("assigned", f.id, f"{f.cycle}:{f.version}", {"from": actor.id})])


def reassign(
    tx: Tx,
    desk: Desk,
    f: Facts,
    actor: Actor,
    owner_id: int | None,
    team_id: int | None,
    version: int | None,
    reason: str = "",
) -> None:
    """Another owner or team on a ticket in work. Raises BadInput, Refused."""
    transition.judged(f, actor, Action("assign", version))
    if owner_id is None and f.status != words.NEW and f.owner_id is not None:
        raise BadInput({"owner": "A ticket in work keeps an owner: name another one."})
    if owner_id is not None and not lookup.in_team(tx, owner_id, team_id):
        raise BadInput({"owner": "This person is not a member of the ticket's team."})
    told: dict[str, Any] = {"owner": [f.owner_id, owner_id], "team": [f.team_id, team_id]}
    told |= {"reason": reason} if reason else {}
    owned: dict[str, Any] = {} if owner_id is None else {"unassigned_due_at": None}
    change_row(tx, desk, f, {"owner_id": owner_id, "team_id": team_id} | owned)
    timeline.append(tx, desk, Line(f.id, "assignment", told, actor))
    notify.refresh(tx, desk, f.id)
    switched = paging.changed(tx, desk, [f.id]) if team_id != f.team_id else frozenset()
    if owner_id is None and team_id != f.team_id and not switched:
        paging.again(tx, desk, [f.id], "It was handed to another team.")
    if owner_id not in (None, f.owner_id):
        notify.enqueue(tx, desk, [Notice("assigned", f.id, f"{f.cycle}:{f.version}", {"from": actor.id})])


def release(tx: Tx, desk: Desk, f: Facts, actor: Actor, reason: str, due_at: datetime | None = None) -> None:
    """Back to the queue: no owner, the state stays; who may take it is looked for anew.

    due_at: when the leads are alarmed that nobody owns it (default: as for a new ticket).
    """
    due = due_at or unassigned_due(desk.policy, f.priority, tx.now)
    change_row(tx, desk, f, {"owner_id": None, "unassigned_due_at": due})
    told = {"owner": [f.owner_id, None], "team": [f.team_id, f.team_id], "reason": reason}
    timeline.append(tx, desk, Line(f.id, "assignment", told, actor))
    notify.refresh(tx, desk, f.id)
    paging.again(tx, desk, [f.id], reason)


def change_row(tx: Tx, desk: Desk, f: Facts, values: Mapping[str, Any], bump: bool = True) -> None:
    """Set columns of the ticket; bump: it is another version now (G11)."""
    changes = dict(values) | {"updated_at": tx.now}
    if bump:
        changes["version"] = f.version + 1
    tickets.change(tx, f.id, changes)
    tx.after_commit.append(lambda: desk.wake.notify("changes"))

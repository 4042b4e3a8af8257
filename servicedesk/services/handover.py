"""Handing over: one ticket, or everything that somebody has open; and the tickets of who is not there (T23, T24)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain.guards import blank
from servicedesk.domain.incident import AGENT, LEAD, SYSTEM, WORKING, Action, Actor, number
from servicedesk.errors import BadInput, DeskError, NotAllowed
from servicedesk.services.shared import facts as loader
from servicedesk.services.shared import lookup, owning, timeline, transition
from servicedesk.services.shared.timeline import Line
from servicedesk.store import oncall
from servicedesk.store.db import Priority, Tx

LIMIT = 100
PARTS = ("known", "tried", "next")
LONGEST = 4000


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one ticket of several. problem: "" when it was handed over."""

    number: str
    problem: str = ""


def hand_over(
    desk: Desk,
    actor: Actor,
    incident_id: int,
    to: str,
    where: Mapping[str, str] | None = None,
    version: int | None = None,
) -> None:
    """Give a ticket to somebody of its team. where: known, tried, next – where we are, kept on the ticket.

    Raises NotAllowed, NotFound, BadInput, Refused.
    """
    told = _where(where or {})

    def change(tx: Tx) -> None:
        _give(tx, desk, actor, incident_id, lookup.person(tx, to, "to"), told, version)

    desk.write(change)


def hand_over_all(
    desk: Desk, actor: Actor, to: str, numbers: Iterable[int], where: Mapping[str, str] | None = None
) -> tuple[Result, ...]:
    """A whole shift: each ticket is judged alone, in a transaction of its own. Raises NotAllowed, BadInput."""
    told = _where(where or {})
    with desk.read() as tx:
        lookup.person(tx, to, "to")
    found = []
    for incident_id in numbers:
        try:
            hand_over(desk, actor, incident_id, to, told)
            found.append(Result(number(incident_id)))
        except DeskError as error:
            found.append(Result(number(incident_id), str(error)))
    return tuple(found)


def where_we_are(desk: Desk, actor: Actor, incident_id: int, where: Mapping[str, str]) -> None:
    """Write where we are (known, tried, next) without handing over. Raises NotAllowed, NotFound, BadInput."""
    told = _where(where)
    if not told:
        raise BadInput({"known": "Say what is known, what was tried, or what comes next."})

    def change(tx: Tx) -> None:
        _need(actor, loader.load(tx, desk, incident_id).owner_id)
        timeline.append(tx, desk, Line(incident_id, "handover", dict(told), actor))

    desk.write(change)


def release(desk: Desk, actor: Actor, incident_id: int, reason: str = "", version: int | None = None) -> None:
    """Back to the queue: the owner's or a lead's act. Raises NotAllowed, NotFound, BadInput, Refused."""

    def change(tx: Tx) -> None:
        f = loader.load(tx, desk, incident_id)
        _need(actor, f.owner_id, own=True)
        if f.owner_id is None or f.status not in WORKING:
            raise BadInput({"owner": "Only a ticket in work that has an owner goes back to the queue."})
        transition.judged(f, actor, Action("assign", version))
        owning.release(tx, desk, f, actor, reason.strip()[:2000] or "Given back to the queue.")

    desk.write(change)


def _give(
    tx: Tx, desk: Desk, actor: Actor, incident_id: int, person: Any, told: Mapping[str, str], version: int | None
) -> None:
    f = loader.load(tx, desk, incident_id)
    _need(actor, f.owner_id)
    if f.status not in WORKING:
        raise BadInput({"owner": f"{number(incident_id)} is not in work."})
    if told:
        timeline.append(tx, desk, Line(incident_id, "handover", {"to": person.id, **told}, actor))
    owning.give(tx, desk, f, actor, person.id, f.team_id, version)


def _need(actor: Actor, owner_id: int | None, own: bool = False) -> None:
    if not actor.has(AGENT):
        raise NotAllowed("Only people of the desk may do this.")
    if own and owner_id != actor.id and not actor.has(LEAD):
        raise NotAllowed("Only the owner or a lead gives a ticket back.")


def _where(where: Mapping[str, str]) -> dict[str, str]:
    """Only what was said. Raises BadInput."""
    unknown = sorted(set(where) - set(PARTS))
    if unknown:
        raise BadInput(dict.fromkeys(unknown, f"Use {', '.join(PARTS)}."))
    long = {name: f"At most {LONGEST} characters." for name, text in where.items() if len(text) > LONGEST}
    if long:
        raise BadInput(long)
    return {name: where[name].strip() for name in PARTS if not blank(where.get(name, ""))}


def return_due(desk: Desk) -> int:
    """Tickets of disabled owners, and of absent ones who wished it, go to the deputy, else to the queue with an alarm.

    Answers how many moved. Raises Busy.
    """
    with desk.read() as tx:
        if not (oncall.any_begun(tx) or oncall.any_left(tx)):
            return 0
    return desk.write(lambda tx: _return(tx, desk), Priority.SLICE)


def _return(tx: Tx, desk: Desk) -> int:
    rows = oncall.ownerless_due(tx, LIMIT)
    moved: set[int] = set()
    for row in rows:
        if row.id in moved:  # two absences at once
            continue
        moved.add(row.id)
        f, name = loader.load(tx, desk, row.id), row.display or row.name
        why = f"{name} is absent." if row.active else f"The account of {name} is disabled."
        if row.deputy_id is not None and row.active and lookup.in_team(tx, row.deputy_id, row.team_id):
            owning.give(tx, desk, f, SYSTEM, row.deputy_id, row.team_id, None, f"{why} The deputy takes over.")
        else:
            owning.release(tx, desk, f, SYSTEM, f"{why} Back to the queue.", tx.now)
    if len(rows) < LIMIT:
        oncall.handed_over(tx)
    return len(moved)

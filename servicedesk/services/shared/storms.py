"""A storm of one alert name: when its tickets come too fast, one more takes the rest, until it is quiet for a while."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from servicedesk.desk import Desk
from servicedesk.domain import storm as rules
from servicedesk.domain.correlation import Decision
from servicedesk.domain.correlation_rules import STORM
from servicedesk.domain.incident import WORKING, number
from servicedesk.services.shared.observe import Judged
from servicedesk.store import correlations, storms
from servicedesk.store.correlations import Ticket
from servicedesk.store.db import Tx
from servicedesk.store.storms import Storm

Group = list[tuple[Judged, Decision]]  # alerts that share a new ticket


@dataclass(slots=True)
class Calmed:
    """alone: groups with a ticket each; stormy: one for all of these; joining: alerts that a storm's ticket takes."""

    alone: list[Group] = field(default_factory=list)
    stormy: list[tuple[Storm, Group]] = field(default_factory=list)
    joining: list[tuple[Ticket, Judged]] = field(default_factory=list)


def taking(tx: Tx, judged: Iterable[Judged]) -> list[int]:
    """Tickets of the storms that these alerts may be part of; not locked."""
    return storms.taking(tx, {rules.digest(one.row.source, one.row.name) for one in judged})


def calm(tx: Tx, desk: Desk, groups: Sequence[Group], tickets: dict[int, Ticket]) -> Calmed:
    """What becomes of groups that need a new ticket. tickets: locked ones; a storm's own is added."""
    calmed = Calmed()
    if not groups:
        return calmed
    by_name: dict[bytes, list[Group]] = {}
    names: dict[bytes, tuple[str, str]] = {}
    for group in groups:
        row = group[0][0].row
        digest = rules.digest(row.source, row.name)
        names[digest] = (row.source, row.name)
        by_name.setdefault(digest, []).append(group)
    known = storms.lock(tx, names)
    for digest, found in by_name.items():
        _calm(tx, desk, known[digest], found, tickets, calmed)
    storms.write(tx, known.values())
    return calmed


def _calm(
    tx: Tx, desk: Desk, storm: Storm, groups: Sequence[Group], tickets: dict[int, Ticket], calmed: Calmed
) -> None:
    limit = desk.policy.alerts.storm
    until = tx.now + max(limit.window, desk.policy.alerts.join_window)
    ticket = _ticket(tx, storm, tickets)
    if ticket is not None:
        storm.until = until
        rest = groups
        for one in (one for group in groups for one, _ in group):
            why = rules.reason(storm.name, storm.source, limit.incidents, limit.window)
            one.row.decision = f"{why} {number(ticket.id)} takes it."
            calmed.joining.append((ticket, one))
    else:
        room = rules.room(storm.opened, tx.now, len(groups), limit.incidents, limit.window)
        storm.opened, rest = room.times, groups[room.free :]
        calmed.alone += groups[: room.free]
        if rest:
            storm.until, storm.taken = until, 0
            why = rules.reason(storm.name, storm.source, limit.incidents, limit.window)
            decision = Decision("open", STORM, f"{why} This one takes the others.")
            calmed.stormy.append((storm, [(one, decision) for group in rest for one, _ in group]))
    storm.taken += sum(len(group) for group in rest)


def _ticket(tx: Tx, storm: Storm, tickets: dict[int, Ticket]) -> Ticket | None:
    """The ticket that takes more, while there is a storm and people have not resolved it."""
    if storm.incident_id is None or storm.until is None or storm.until <= tx.now:
        return None
    if storm.incident_id not in tickets:  # it has just been opened by another worker
        tickets |= correlations.lock_tickets(tx, [storm.incident_id])
    ticket = tickets[storm.incident_id]
    return ticket if ticket.status in WORKING else None


def opened(tx: Tx, stormy: Sequence[tuple[Storm, Group]], ids: Sequence[int]) -> None:
    """These tickets take what comes next."""
    for (storm, _), incident_id in zip(stormy, ids, strict=True):
        storm.incident_id = incident_id
    storms.write(tx, [storm for storm, _ in stormy])

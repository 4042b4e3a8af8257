"""What a desk made of the deliveries that it was given: every alert with its ticket, free of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from servicedesk.domain.incident import CANCELLED
from servicedesk.store.db import Tx
from servicedesk.store.tables import alert, incident, member


@dataclass(frozen=True, slots=True)
class Alert:
    """key: hex; waits: group (for its like or a ticket), window (for the end of a maintenance) or ""."""

    source: str
    key: str
    name: str
    labels: dict[str, str]
    status: str
    rule: str
    decision: str
    waits: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """rule, reason: of its creation; keys: (source, key) of its alerts; episodes: how often they fired."""

    title: str
    priority: int | None
    service: str
    rule: str
    reason: str
    began_at: datetime | None
    episodes: int
    keys: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """tickets: those that were not merged into others, in the order of their beginning."""

    alerts: dict[tuple[str, str], Alert]
    tickets: tuple[Ticket, ...]


def outcome(tx: Tx) -> Outcome:
    a, i = alert.c, incident.c
    names: dict[int, tuple[str, str]] = {}
    alerts: dict[tuple[str, str], Alert] = {}
    columns = (a.id, a.source, a.key, a.name, a.labels, a.status, a.rule, a.decision, a.waits)
    for row in tx.run(select(*columns).order_by(a.id)):
        place = names[row.id] = (row.source, row.key.hex())
        told = (row.source, place[1], row.name, row.labels, row.status, row.rule, row.decision, row.waits or "")
        alerts[place] = Alert(*told)
    carried: dict[int, set[tuple[str, str]]] = {}
    for row in tx.run(select(member.c.incident_id, member.c.alert_id)):
        carried.setdefault(row.incident_id, set()).add(names[row.alert_id])
    query = select(i.id, i.title, i.priority, i.service_label, i.creation, i.started_at, i.occurrences)
    query = query.where(i.status != CANCELLED).order_by(i.started_at, i.id)
    return Outcome(
        alerts,
        tuple(
            Ticket(
                row.title,
                row.priority,
                row.service_label,
                row.creation["rule"],
                row.creation["reason"],
                row.started_at,
                row.occurrences,
                frozenset(carried.get(row.id, ())),
            )
            for row in tx.run(query)
        ),
    )

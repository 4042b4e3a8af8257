"""Incidents as alerts see them: which are open to siblings, who their members are, what changes with them.

Locks: correlation digests in their order, then incidents by id; alerts are locked before both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, exists, func, insert, select, update

from servicedesk.domain.incident import WORKING
from servicedesk.store import bulk
from servicedesk.store.db import Tx
from servicedesk.store.tables import alert, correlation, episode, incident, member, service, timeline


@dataclass(slots=True)
class Ticket:
    """An incident's row, locked, as far as alerts change it."""

    id: int
    type: str
    status: str
    cycle: int
    category: str
    impact: int | None
    urgency: int | None
    priority: int | None
    top_priority: int | None
    service_label: str
    owner_id: int | None
    acknowledged_at: datetime | None
    hold_reason: str | None
    correlation: bytes | None
    occurrences: int
    first_seen: datetime | None
    last_seen: datetime | None
    started_at: datetime | None
    recovered_at: datetime | None
    suspect_at: datetime | None
    auto_recovered: bool
    closed_at: datetime | None
    updated_at: datetime

    @property
    def settled(self) -> bool:
        """Somebody has begun with it: its members stay together."""
        return self.status != "new" or self.cycle > 1 or self.owner_id is not None or self.acknowledged_at is not None


_TICKET = tuple(incident.c[name] for name in Ticket.__slots__)
_CHANGED = (
    "id",
    "impact",
    "urgency",
    "priority",
    "top_priority",
    "occurrences",
    "first_seen",
    "last_seen",
    "started_at",
    "recovered_at",
    "suspect_at",
    "auto_recovered",
    "updated_at",
)


def lock_digests(tx: Tx, digests: Collection[bytes]) -> None:
    """One at a time opens or joins incidents of a correlation digest. SQLite's one writer is this lock already."""
    if tx.postgresql and digests:
        ordered = sorted(digests)
        bulk.insert_rows(tx, correlation, ("digest",), [(digest,) for digest in ordered], or_ignore=True)
        c = correlation.c
        tx.run(select(c.digest).where(c.digest.in_(ordered)).order_by(c.digest).with_for_update())


def near(tx: Tx, starts: Sequence[tuple[bytes, datetime, datetime]]) -> list[int]:
    """Ids of the open incidents of (digest, began not before, began not after); not locked."""
    sql = (
        "SELECT DISTINCT i.id FROM x JOIN incident i ON i.correlation = x.correlation "
        "AND i.started_at BETWEEN x.first_seen AND x.last_seen WHERE i.status IN ('new', 'in_progress', 'pending')"
    )
    return [row[0] for row in bulk.look_up(tx, incident, ("correlation", "first_seen", "last_seen"), starts, sql)]


def lock_tickets(tx: Tx, ids: Collection[int]) -> dict[int, Ticket]:
    """These incidents, locked in the order of their ids."""
    if not ids:
        return {}
    query = select(*_TICKET).where(incident.c.id.in_(sorted(ids))).order_by(incident.c.id).with_for_update()
    return {row.id: Ticket(*row) for row in tx.run(query)}


def open_tickets(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """New incidents; answers their ids in the same order."""
    statement = insert(incident).returning(incident.c.id, sort_by_parameter_order=True)
    return list(tx.run(statement, [dict(row) for row in rows]).scalars())


def write_tickets(tx: Tx, tickets: Iterable[Ticket]) -> None:
    bulk.update_rows(tx, incident, _CHANGED, [[getattr(t, name) for name in _CHANGED] for t in tickets])


def remember(tx: Tx, rows: Sequence[tuple[bytes, int, datetime, datetime]]) -> None:
    """(digest, incident, began, until): what siblings join now; the newest for each digest."""
    columns = ("digest", "incident_id", "began_at", "until")
    bulk.insert_rows(tx, correlation, columns, rows, or_ignore=True)
    bulk.update_rows(tx, correlation, columns, rows)


def add_members(tx: Tx, pairs: Collection[tuple[int, int]]) -> None:
    """(incident, alert); one that is a member already stays as it is."""
    rows = [(incident_id, alert_id, tx.now) for incident_id, alert_id in sorted(pairs)]
    bulk.insert_rows(tx, member, ("incident_id", "alert_id", "added_at"), rows, or_ignore=True)


@dataclass(frozen=True, slots=True)
class Texts:
    """What an alert says, escaped as stored."""

    labels: dict[str, str]
    annotations: dict[str, str]
    summary: str


def texts(tx: Tx, alert_ids: Collection[int]) -> dict[int, Texts]:
    c = alert.c
    query = select(c.id, c.labels, c.annotations, c.summary).where(c.id.in_(sorted(alert_ids)))
    return {row.id: Texts(*row[1:]) for row in tx.run(query)}


@dataclass(frozen=True, slots=True)
class Service:
    """impact: 1 (high) to 3 (low)."""

    id: int
    name: str
    team_id: int
    impact: int


def services(tx: Tx, names: Collection[str]) -> dict[str, Service]:
    c = service.c
    query = select(c.id, c.name, c.team_id, c.criticality).where(c.name.in_(sorted(names)))
    return {row.name: Service(*row) for row in tx.run(query)}


def heads(tx: Tx, digest: bytes, since: datetime) -> list[tuple[int, datetime]]:
    """(incident, began) of the incidents of a digest that began then or later and that no person has touched."""
    i = incident.c
    touched = exists().where(timeline.c.incident_id == i.id, timeline.c.actor_id.is_not(None))
    query = select(i.id, i.started_at).where(i.correlation == digest, i.started_at >= since, i.status == WORKING[0])
    untouched = query.where(i.cycle == 1, i.owner_id.is_(None), i.acknowledged_at.is_(None), ~touched)
    return [(row.id, row.started_at) for row in tx.run(untouched)]


def members(tx: Tx, incident_ids: Collection[int], digest: bytes) -> list[tuple[int, int, bytes, datetime]]:
    """(incident, alert, its key, start of its first episode there) of the siblings that these incidents carry."""
    e = episode.c
    query = (
        select(e.incident_id, e.alert_id, alert.c.key, func.min(e.starts_at, type_=e.starts_at.type))
        .join(alert, alert.c.id == e.alert_id)
        .where(e.incident_id.in_(sorted(incident_ids)), e.fired, alert.c.correlation == digest)
        .group_by(e.incident_id, e.alert_id, alert.c.key)
    )
    return [tuple(row) for row in tx.run(query)]


def guests(tx: Tx, incident_ids: Collection[int], digest: bytes) -> dict[int, list[int]]:
    """Incident → alerts that it carries though they are no siblings of what it was opened for."""
    found: dict[int, list[int]] = {}
    if incident_ids:
        m = member.c
        query = select(m.incident_id, m.alert_id).join(alert, alert.c.id == m.alert_id)
        for row in tx.run(query.where(m.incident_id.in_(sorted(incident_ids)), alert.c.correlation != digest)):
            found.setdefault(row.incident_id, []).append(row.alert_id)
    return found


def move(tx: Tx, source: int, target: int, alert_ids: Collection[int]) -> None:
    """These alerts with their episodes leave one incident for another."""
    ids = sorted(alert_ids)
    add_members(tx, [(target, alert_id) for alert_id in ids])
    tx.run(delete(member).where(member.c.incident_id == source, member.c.alert_id.in_(ids)))
    theirs = (episode.c.incident_id == source) & episode.c.alert_id.in_(ids)
    tx.run(update(episode).where(theirs).values(incident_id=target))
    tx.run(update(alert).where(alert.c.incident_id == source, alert.c.id.in_(ids)).values(incident_id=target))


@dataclass(frozen=True, slots=True)
class Sum:
    """What an incident's members add up to. started_at: of its siblings, where it has any; guests count otherwise."""

    occurrences: int
    started_at: datetime
    ended_at: datetime | None  # None while one fires
    first_seen: datetime
    last_seen: datetime


def sums(tx: Tx, incident_ids: Collection[int]) -> dict[int, Sum]:
    """Of those of the incidents that have members."""
    e, a = episode.c, alert.c
    query = (
        select(
            e.incident_id,
            func.count(),
            func.coalesce(
                func.min(case((a.correlation == incident.c.correlation, e.starts_at)), type_=e.starts_at.type),
                func.min(e.starts_at, type_=e.starts_at.type),
                type_=e.starts_at.type,
            ),
            func.max(e.ends_at, type_=e.starts_at.type),
            func.count() - func.count(e.ends_at),
            func.min(a.first_seen, type_=e.starts_at.type),
            func.max(a.last_seen, type_=e.starts_at.type),
        )
        .join(alert, a.id == e.alert_id)
        .join(incident, incident.c.id == e.incident_id)
        .where(e.incident_id.in_(sorted(incident_ids)), e.fired)
        .group_by(e.incident_id)
    )
    return {row[0]: Sum(row[1], row[2], None if row[4] else row[3], row[5], row[6]) for row in tx.run(query)}

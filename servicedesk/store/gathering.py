"""Alerts that wait for others: what is to be looked at again, and which tickets they may be attached to.

Rows of `gathering` are appended by whoever changes something and taken by whoever looks again: nobody waits here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update

from servicedesk.domain.correlation_rules import Host
from servicedesk.domain.incident import WORKING
from servicedesk.store import bulk
from servicedesk.store.db import Tx
from servicedesk.store.tables import alert, episode, gathering, incident, member, reach

CLAIM = 200


def add(tx: Tx, changed: Iterable[tuple[bytes, datetime]]) -> None:
    """(digest, start) of what changed among alerts that wait, or among tickets that they may join."""
    earliest: dict[bytes, datetime] = {}
    for digest, start in changed:
        earliest[digest] = min(start, earliest.get(digest, start))
    if earliest:
        tx.run(insert(gathering), [{"digest": digest, "since": since} for digest, since in earliest.items()])


def any_due(tx: Tx) -> bool:
    return tx.run(select(gathering.c.id).limit(1)).first() is not None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A digest to look at, from the earliest start that changed on. ids: of its rows, locked."""

    digest: bytes
    since: datetime
    ids: tuple[int, ...]


def claim(tx: Tx) -> Claimed | None:
    """The digest that waits longest, with all its rows that nobody else holds."""
    g = gathering.c
    first = tx.run(select(g.digest).order_by(g.id).limit(1).with_for_update(skip_locked=True)).scalar()
    if first is None:
        return None
    query = select(g.id, g.since).where(g.digest == first).order_by(g.id).limit(CLAIM)
    rows = tx.run(query.with_for_update(skip_locked=True)).all()
    return Claimed(bytes(first), min(row.since for row in rows), tuple(row.id for row in rows))


def done(tx: Tx, claimed: Claimed) -> None:
    tx.run(delete(gathering).where(gathering.c.id.in_(claimed.ids)))


def waiting(tx: Tx, digest: bytes) -> list[int]:
    """Alerts of this correlation digest that wait for others; not locked."""
    a = alert.c
    return list(tx.run(select(a.id).where(a.correlation == digest, a.waits == "group")).scalars())


@dataclass(frozen=True, slots=True)
class Firing:
    """An episode that fired, of an alert that waits or that an untouched ticket of the digest carries."""

    id: int
    alert_id: int
    key: bytes
    starts_at: datetime
    ends_at: datetime | None
    incident_id: int | None


def firings(tx: Tx, alert_ids: Collection[int], since: datetime) -> list[Firing]:
    """Episodes of these alerts that no ticket carries and that began then or later, and those that one carries."""
    e, a = episode.c, alert.c
    query = select(e.id, e.alert_id, a.key, e.starts_at, e.ends_at, e.incident_id).join(alert, a.id == e.alert_id)
    wanted = query.where(e.alert_id.in_(sorted(alert_ids)), e.fired)
    free = wanted.where(e.incident_id.is_(None), ~e.passed, e.starts_at >= since)
    carried = wanted.where(e.incident_id.is_not(None))
    return [Firing(*row) for query in (free, carried) for row in tx.run(query)]


def siblings(tx: Tx, incident_ids: Collection[int], digest: bytes) -> dict[int, int]:
    """Alert → incident, for the members of these incidents that share the digest (guests do not)."""
    m, a = member.c, alert.c
    query = select(m.alert_id, m.incident_id).join(alert, a.id == m.alert_id)
    found = tx.run(query.where(m.incident_id.in_(sorted(incident_ids)), a.correlation == digest))
    return {row.alert_id: row.incident_id for row in found}


def release(tx: Tx, incident_id: int, alert_ids: Collection[int]) -> None:
    """These alerts leave an untouched ticket and wait again."""
    ids = sorted(alert_ids)
    tx.run(delete(member).where(member.c.incident_id == incident_id, member.c.alert_id.in_(ids)))
    theirs = (episode.c.incident_id == incident_id, episode.c.alert_id.in_(ids))
    tx.run(update(episode).where(*theirs).values(incident_id=None))
    tx.run(update(alert).where(alert.c.id.in_(ids)).values(incident_id=None, waits="group"))


def pass_over(tx: Tx, episode_ids: Collection[int]) -> None:
    """These episodes ended before anything came of them."""
    if episode_ids:
        tx.run(update(episode).where(episode.c.id.in_(sorted(episode_ids))).values(passed=True))


def reaches(tx: Tx, rows: Sequence[tuple[bytes, int]]) -> None:
    """(attach digest, incident): alerts of that digest may be attached to it."""
    bulk.insert_rows(tx, reach, ("digest", "incident_id"), sorted(rows), or_ignore=True)


def hosts(tx: Tx, digest: bytes) -> list[Host]:
    """The open incidents that alerts of this attach digest may join."""
    i = incident.c
    query = select(i.id, i.started_at, i.correlation).join(reach, reach.c.incident_id == i.id)
    wanted = query.where(reach.c.digest == digest, i.status.in_(WORKING), i.started_at.is_not(None))
    return [Host(row.id, row.started_at, bytes(row.correlation or b"")) for row in tx.run(wanted)]

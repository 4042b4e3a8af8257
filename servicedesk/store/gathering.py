"""Alerts that wait for others: what is to be looked at again, and which tickets they may be attached to.

Rows of `gathering` are appended by whoever changes something and taken by whoever looks again: nobody waits here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, insert, select, update

from servicedesk.domain.correlation_rules import Host
from servicedesk.domain.incident import CANCELLED, CLOSED, WORKING
from servicedesk.store import bulk
from servicedesk.store.db import Tx
from servicedesk.store.tables import alert, episode, gathering, incident, member, reach

CLAIM = 200


def add(tx: Tx, changed: Iterable[tuple[bytes, datetime, str]]) -> None:
    """(digest, start, rule) of what changed among alerts that wait, or among tickets that they may join."""
    earliest: dict[tuple[bytes, str], datetime] = {}
    for digest, start, rule in changed:
        earliest[digest, rule] = min(start, earliest.get((digest, rule), start))
    if earliest:
        rows = [{"digest": digest, "since": since, "rule": rule} for (digest, rule), since in earliest.items()]
        tx.run(insert(gathering), rows)


def any_due(tx: Tx) -> bool:
    return tx.run(select(gathering.c.id).limit(1)).first() is not None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A digest to look at, from the earliest start that changed on. ids: of its rows, locked."""

    digest: bytes
    since: datetime
    rule: str
    ids: tuple[int, ...]


def claim(tx: Tx) -> Claimed | None:
    """The digest that waits longest, with all its rows that nobody else holds."""
    g = gathering.c
    first = tx.run(select(g.digest).order_by(g.id).limit(1).with_for_update(skip_locked=True)).scalar()
    if first is None:
        return None
    query = select(g.id, g.since, g.rule).where(g.digest == first).order_by(g.id).limit(CLAIM)
    rows = tx.run(query.with_for_update(skip_locked=True)).all()
    return Claimed(bytes(first), min(row.since for row in rows), rows[-1].rule, tuple(row.id for row in rows))


def done(tx: Tx, claimed: Claimed) -> None:
    tx.run(delete(gathering).where(gathering.c.id.in_(claimed.ids)))


def put_off(tx: Tx, claimed: Claimed) -> None:
    """Its turn comes again after that of all others."""
    done(tx, claimed)
    add(tx, [(claimed.digest, claimed.since, claimed.rule)])


def waiting(tx: Tx, digest: bytes) -> list[int]:
    """Alerts of this correlation digest that wait for others; not locked."""
    a = alert.c
    return list(tx.run(select(a.id).where(a.correlation == digest, a.waits == "group")).scalars())


def open_since(tx: Tx, digest: bytes, since: datetime) -> list[int]:
    """Open incidents of a digest that began then or later; not locked."""
    i = incident.c
    query = select(i.id).where(i.correlation == digest, i.started_at >= since, i.status.in_(WORKING))
    return list(tx.run(query).scalars())


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
    free = wanted.where(e.incident_id.is_(None), ~e.passed, ~_held(), e.starts_at >= since)
    carried = wanted.where(e.incident_id.is_not(None))
    return [Firing(*row) for query in (free, carried) for row in tx.run(query)]


def _held() -> Any:
    """It began under a maintenance, and ended before that did."""
    e = episode.c
    return and_(e.held_until.is_not(None), e.ends_at.is_not(None), e.ends_at <= e.held_until)


def siblings(tx: Tx, incident_ids: Collection[int], digest: bytes) -> dict[int, int]:
    """Alert → incident, for the members of these incidents that share the digest (guests do not)."""
    m, a = member.c, alert.c
    query = select(m.alert_id, m.incident_id).join(alert, a.id == m.alert_id)
    found = tx.run(query.where(m.incident_id.in_(sorted(incident_ids)), a.correlation == digest))
    return {row.alert_id: row.incident_id for row in found}


def release(tx: Tx, incident_id: int, alert_ids: Collection[int], decision: str) -> None:
    """These alerts leave an untouched ticket and wait again."""
    ids = sorted(alert_ids)
    tx.run(delete(member).where(member.c.incident_id == incident_id, member.c.alert_id.in_(ids)))
    theirs = (episode.c.incident_id == incident_id, episode.c.alert_id.in_(ids))
    tx.run(update(episode).where(*theirs).values(incident_id=None))
    tx.run(update(alert).where(alert.c.id.in_(ids)).values(incident_id=None, waits="group", decision=decision))


def carry(tx: Tx, incident_id: int | None, episode_ids: Collection[int]) -> None:
    """This incident carries these episodes now; None: no ticket does."""
    tx.run(update(episode).where(episode.c.id.in_(sorted(episode_ids))).values(incident_id=incident_id))


def guests(
    tx: Tx, alert_ids: Collection[int], incident_ids: Collection[int]
) -> dict[int, tuple[int, datetime, datetime | None]]:
    """Alert → (its incident, start and end of its newest episode there), of these that one of these carries."""
    e = episode.c
    found: dict[int, tuple[int, datetime, datetime | None]] = {}
    query = select(e.alert_id, e.incident_id, e.starts_at, e.ends_at).order_by(e.starts_at)
    theirs = query.where(e.alert_id.in_(sorted(alert_ids)), e.incident_id.in_(sorted(incident_ids)), e.fired)
    for row in tx.run(theirs):
        found[row.alert_id] = (row.incident_id, row.starts_at, row.ends_at)
    return found


def align(tx: Tx, incident_id: int, began: datetime, alert_ids: Collection[int]) -> bool:
    """The ticket carries of these guests what was not over before it began; did that change anything?"""
    e, ids = episode.c, sorted(alert_ids)
    over = e.ends_at.is_not(None) & (e.ends_at < began)
    theirs = update(episode).where(e.alert_id.in_(ids), e.fired)
    taken = tx.run(theirs.where(e.incident_id.is_(None), ~over).values(incident_id=incident_id)).rowcount
    left = tx.run(theirs.where(e.incident_id == incident_id, over).values(incident_id=None, passed=True)).rowcount
    return bool(taken + left)


def reaches(tx: Tx, rows: Sequence[tuple[bytes, int, str]]) -> None:
    """(attach digest, incident, rule): alerts of that digest may be attached to it."""
    bulk.insert_rows(tx, reach, ("digest", "incident_id", "rule"), sorted(rows), or_ignore=True)


def with_guests(tx: Tx, digest: bytes) -> list[int]:
    """Incidents to which alerts of this attach digest were attached."""
    return list(tx.run(select(reach.c.incident_id).where(reach.c.digest == digest, reach.c.guests)).scalars())


def has_guests(tx: Tx, digest: bytes, incident_ids: Collection[int]) -> None:
    """Alerts of this attach digest are attached to these incidents now."""
    if incident_ids:
        theirs = (reach.c.digest == digest, reach.c.incident_id.in_(sorted(incident_ids)))
        tx.run(update(reach).where(*theirs).values(guests=True))


def guests_moved(tx: Tx, pairs: Iterable[tuple[int, int]]) -> None:
    """(from, to): what was attached to one incident may be attached to another now."""
    for source, target in pairs:
        theirs = select(reach.c.digest).where(reach.c.incident_id == source, reach.c.guests)
        tx.run(update(reach).where(reach.c.incident_id == target, reach.c.digest.in_(theirs)).values(guests=True))


def stir(tx: Tx, incident_ids: Collection[int]) -> None:
    """These incidents begin at another time now, or are over: what may be attached to them is looked at again."""
    if incident_ids:
        query = select(reach.c.digest, incident.c.started_at, reach.c.rule)
        query = query.join(incident, incident.c.id == reach.c.incident_id).where(incident.c.started_at.is_not(None))
        add(tx, [tuple(row) for row in tx.run(query.where(reach.c.incident_id.in_(sorted(incident_ids))))])


def forgettable(tx: Tx, before: datetime, limit: int) -> list[int]:
    """Incidents that were over before this instant: nothing is attached to them any more."""
    over = incident.c.status.in_((CLOSED, CANCELLED)) & (incident.c.updated_at < before)
    query = select(reach.c.incident_id).join(incident, incident.c.id == reach.c.incident_id).where(over)
    return list(tx.run(query.distinct().limit(limit)).scalars())


def forget(tx: Tx, incident_ids: Collection[int]) -> None:
    tx.run(delete(reach).where(reach.c.incident_id.in_(sorted(incident_ids))))


def hosts(tx: Tx, digest: bytes) -> list[Host]:
    """The open incidents that alerts of this attach digest may join."""
    i = incident.c
    query = select(i.id, i.started_at, i.correlation).join(reach, reach.c.incident_id == i.id)
    wanted = query.where(reach.c.digest == digest, i.status.in_(WORKING), i.started_at.is_not(None))
    return [Host(row.id, row.started_at, bytes(row.correlation or b"")) for row in tx.run(wanted)]

"""The incident's row, its members, and what hangs on them. Status is set by services/shared/transition.py alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, case, delete, func, insert, select, update

from servicedesk.store.db import Tx
from servicedesk.store.tables import alert, correlation, episode, incident, member, user


def add(tx: Tx, values: Mapping[str, Any]) -> int:
    """A new incident; answers its id."""
    new_id: int = tx.run(insert(incident).values(dict(values)).returning(incident.c.id)).scalar_one()
    return new_id


def change(tx: Tx, incident_id: int, values: Mapping[str, Any]) -> None:
    """Set these columns of one incident; the caller holds its lock."""
    tx.run(update(incident).where(incident.c.id == incident_id).values(dict(values)))


def known(tx: Tx, incident_id: int) -> bool:
    """Is there such a ticket?"""
    return tx.run(select(incident.c.id).where(incident.c.id == incident_id)).first() is not None


def get(tx: Tx, incident_id: int) -> Row[Any]:
    """The row as it is now, for a caller who holds its lock."""
    row: Row[Any] = tx.run(select(incident).where(incident.c.id == incident_id)).one()
    return row


def untested(tx: Tx, incident_id: int, name: str) -> bool:
    """Is it not marked as a test, although all of its alerts have this name?"""
    others = select(member.c.alert_id).join(alert, alert.c.id == member.c.alert_id)
    others = others.where(member.c.incident_id == incident_id, alert.c.name != name)
    marked = tx.run(select(incident.c.test).where(incident.c.id == incident_id)).scalar_one()
    return not marked and tx.run(others.limit(1)).first() is None


def due(tx: Tx, now: datetime, limit: int) -> list[int]:
    """Incidents whose stored `due_at` has come, the longest first."""
    query = select(incident.c.id).where(incident.c.due_at <= now).order_by(incident.c.due_at).limit(limit)
    return list(tx.run(query).scalars())


def recovered_unseen(tx: Tx, before: datetime, priorities: Collection[int], limit: int) -> list[int]:
    """New tickets of these priorities whose alerts have all been quiet since `before`."""
    i = incident.c
    query = select(i.id).where(
        i.status == "new", i.priority.in_(sorted(priorities)), i.auto_recovered.is_(True), i.recovered_at <= before
    )
    return list(tx.run(query.order_by(i.id).limit(limit)).scalars())


def declare_ended(tx: Tx, incident_id: int, alert_ids: Collection[int], actor_id: int | None) -> None:
    """The resolver says that these alerts, which cannot clear themselves, are over."""
    tx.run(
        update(member)
        .where(member.c.incident_id == incident_id, member.c.alert_id.in_(sorted(alert_ids)))
        .values(declared_ended_at=tx.now, declared_ended_by=actor_id)
    )


def move_members(tx: Tx, source: int, target: int) -> int:
    """All alerts of `source`, with their episodes, go to `target`; answers how many."""
    theirs = select(member.c.alert_id).where(member.c.incident_id == source).order_by(member.c.alert_id)
    moved = list(tx.run(theirs).scalars())
    if not moved:
        return 0
    there = set(tx.run(select(member.c.alert_id).where(member.c.incident_id == target)).scalars())
    fresh = [{"incident_id": target, "alert_id": a, "added_at": tx.now} for a in moved if a not in there]
    if fresh:
        tx.run(insert(member), fresh)
    tx.run(delete(member).where(member.c.incident_id == source))
    for table in (alert, episode, correlation):
        tx.run(update(table).where(table.c.incident_id == source).values(incident_id=target))
    count = select(func.count()).select_from(episode).where(episode.c.incident_id == target).scalar_subquery()
    values = {"occurrences": count, "recovered_at": _recovered_at(target)}
    tx.run(update(incident).where(incident.c.id == target).values(values))
    return len(moved)


def _recovered_at(incident_id: int) -> Any:
    """When its alerts were last heard of, None while one is firing or in doubt: its quiet window waits for it."""
    theirs = select(alert).join(member, member.c.alert_id == alert.c.id).where(member.c.incident_id == incident_id)
    noisy = theirs.where(alert.c.clears, alert.c.status.in_(("firing", "suspect"))).exists()
    last_seen = theirs.with_only_columns(func.max(alert.c.last_seen, type_=alert.c.last_seen.type)).scalar_subquery()
    return case((noisy, None), else_=last_seen)


def user_name(tx: Tx, user_id: int) -> str:
    """Sign-in name of somebody who is there."""
    name: str = tx.run(select(user.c.name).where(user.c.id == user_id)).scalar_one()
    return name

"""Alerts change their ticket: members, episodes and the alert's own pointer, told on both timelines."""

from __future__ import annotations

from sqlalchemy import delete, func, insert, select, update

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor, number
from servicedesk.services.shared import timeline
from servicedesk.services.shared.timeline import Line
from servicedesk.store.db import Tx
from servicedesk.store.tables import alert, correlation, episode, incident, member


def move_alerts(tx: Tx, desk: Desk, source: int, target: int, actor: Actor) -> int:
    """All members of `source` go to `target`; the caller holds both locks (lower id first). Answers how many moved."""
    theirs = select(member.c.alert_id).where(member.c.incident_id == source)
    moved = tx.run(theirs.order_by(member.c.alert_id)).scalars().all()
    if not moved:
        return 0
    there = set(tx.run(select(member.c.alert_id).where(member.c.incident_id == target)).scalars())
    fresh = [{"incident_id": target, "alert_id": a, "added_at": tx.now} for a in moved if a not in there]
    if fresh:
        tx.run(insert(member), fresh)
    tx.run(delete(member).where(member.c.incident_id == source))
    tx.run(update(alert).where(alert.c.incident_id == source).values(incident_id=target))
    tx.run(update(episode).where(episode.c.incident_id == source).values(incident_id=target))
    tx.run(update(correlation).where(correlation.c.incident_id == source).values(incident_id=target))
    episodes = select(func.count()).select_from(episode).where(episode.c.incident_id == target).scalar_subquery()
    tx.run(update(incident).where(incident.c.id == target).values(occurrences=episodes, recovered_at=None))
    told = {"alerts": len(moved), "from": number(source), "to": number(target)}
    timeline.append_many(
        tx, desk, [Line(source, "alerts_moved", told, actor), Line(target, "alerts_moved", told, actor)]
    )
    return len(moved)

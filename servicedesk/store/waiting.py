"""What waits for somebody: rungs of the ladder, dates to look again, tickets that nobody touches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, bindparam, func, or_, select, update

from servicedesk.domain.incident import PENDING, UNCLOSED
from servicedesk.domain.waiting import Attempt

from .db import Tx
from .tables import incident, outbox, timeline, timeline_content, user

LIMIT = 100
ASKING = ("confirm", "remind", "question_reminder", "message", "phone_confirmed")
_I = incident.c


def due_rungs(tx: Tx) -> list[int]:
    """Tickets whose next rung has come, the longest first."""
    query = select(_I.id).where(_I.ladder_due_at <= tx.now).order_by(_I.ladder_due_at, _I.id)
    return list(tx.run(query.limit(LIMIT)).scalars())


def due_looks(tx: Tx) -> list[int]:
    """Tickets on hold whose date to look again, or until which they wait, has come."""
    query = select(_I.id).where(_I.status == PENDING, _I.next_look_at <= tx.now).order_by(_I.next_look_at, _I.id)
    return list(tx.run(query.limit(LIMIT)).scalars())


def stale(tx: Tx, after: timedelta) -> list[int]:
    """Open tickets that no person has touched for so long, or that are to be told again; postponed ones wait."""
    touched = func.coalesce(_I.activity_at, _I.created_at, type_=_I.created_at.type)
    first = and_(_I.stale_due_at.is_(None), touched <= tx.now - after)
    asleep = and_(_I.status == PENDING, _I.hold_until.is_not(None), _I.hold_until > tx.now)
    query = select(_I.id).where(_I.status.in_(UNCLOSED), or_(first, _I.stale_due_at <= tx.now), ~asleep)
    return list(tx.run(query.order_by(_I.id).limit(LIMIT)).scalars())


def lock(tx: Tx, incident_id: int) -> Row[Any] | None:
    """The row, unless somebody works on it right now: the next look finds it again."""
    query = select(incident).where(_I.id == incident_id).with_for_update(skip_locked=True)
    found: Row[Any] | None = tx.run(query).first()
    return found


def attempts(tx: Tx, incident_id: int, since: datetime) -> tuple[Attempt, ...]:
    """What really went out to the requester since then, by whatever channel, the oldest first."""
    o = outbox.c
    query = (
        select(o.event, o.channel, o.sent_at)
        .join(incident, _I.id == o.incident_id)
        .join(user, user.c.id == _I.requester_id)
        .where(o.incident_id == incident_id, o.state == "sent", o.event.in_(ASKING), o.created_at >= since)
        .where(func.lower(o.target) == func.lower(user.c.email))
        .order_by(o.sent_at, o.id)
    )
    return tuple(Attempt(r.event, r.channel, r.sent_at) for r in tx.run(query))


def last_question(tx: Tx, incident_id: int) -> str:
    """The newest public words of ours to the requester."""
    t, c = timeline.c, timeline_content.c
    ours = and_(t.incident_id == incident_id, t.kind == "message", t.actor_id.is_not(None))
    query = (
        select(c.content)
        .join(timeline, and_(t.incident_id == c.incident_id, t.seq == c.seq))
        .join(incident, _I.id == t.incident_id)
        .where(ours, or_(_I.requester_id.is_(None), t.actor_id != _I.requester_id))
        .order_by(t.seq.desc())
        .limit(1)
    )
    found = tx.run(query).scalar()
    return str(found.get("text", "")) if found else ""


def requester_language(tx: Tx, user_id: int) -> str:
    found: str = tx.run(select(user.c.language).where(user.c.id == user_id)).scalar_one()
    return found


def set_stale(tx: Tx, rows: Iterable[Mapping[str, Any]]) -> None:
    """rows: ticket (id), step, due."""
    query = update(incident).where(_I.id == bindparam("ticket"))
    values = list(rows)
    if values:
        tx.run(query.values(stale_step=bindparam("step"), stale_due_at=bindparam("due")), values)

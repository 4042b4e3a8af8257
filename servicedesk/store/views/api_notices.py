"""Notifications as a list, and the part of a timeline that people said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, select

from servicedesk.store.db import Tx
from servicedesk.store.tables import outbox, timeline, timeline_content, user

from .paging import Page, check_limit, page_of, read_cursor
from .rows import fill, shown_name
from .timeline import Entry


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to one target. state: pending | sent | failed | held | digested."""

    id: int
    incident_id: int | None
    event: str
    channel: str
    target: str
    state: str
    created_at: datetime
    due_at: datetime
    sent_at: datetime | None
    tries: int
    maybe_duplicate: int
    provider_id: str | None
    error: str | None


def notices(
    tx: Tx, *, state: str = "", incident_id: int | None = None, cursor: str = "", limit: int = 50
) -> Page[Notice]:
    """A page of notifications, the newest first. Raises BadInput for a wrong cursor or limit."""
    check_limit(limit)
    after = read_cursor(cursor, int)
    query = select(outbox).order_by(outbox.c.id.desc()).limit(limit + 1)
    if state:
        query = query.where(outbox.c.state == state)
    if incident_id is not None:
        query = query.where(outbox.c.incident_id == incident_id)
    if after is not None:
        query = query.where(outbox.c.id < after[0])
    return page_of([fill(Notice, r) for r in tx.run(query).mappings()], limit, lambda n: (n.id,))


def said(tx: Tx, incident_id: int, kinds: tuple[str, ...], *, cursor: str = "", limit: int = 50) -> Page[Entry]:
    """A page of notes and messages, the oldest first."""
    check_limit(limit)
    after = read_cursor(cursor, int)
    query = _lines(incident_id).where(timeline.c.kind.in_(kinds)).order_by(timeline.c.seq).limit(limit + 1)
    if after is not None:
        query = query.where(timeline.c.seq > after[0])
    return page_of([_entry(r) for r in tx.run(query).mappings()], limit, lambda e: (e.seq,))


def entry(tx: Tx, incident_id: int, seq: int) -> Entry:
    """One line of a timeline that is there."""
    return _entry(tx.run(_lines(incident_id).where(timeline.c.seq == seq)).mappings().one())


def _lines(incident_id: int) -> Select[Any]:
    same = and_(timeline_content.c.incident_id == timeline.c.incident_id, timeline_content.c.seq == timeline.c.seq)
    joined = timeline.outerjoin(timeline_content, same).outerjoin(user, user.c.id == timeline.c.actor_id)
    query = select(timeline, timeline_content.c.content, shown_name(user).label("actor")).select_from(joined)
    return query.where(timeline.c.incident_id == incident_id)


def _entry(r: Any) -> Entry:
    return Entry(r["seq"], r["at"], r["kind"], r["actor_id"], r["actor"], r["actor_role"], r["rule"], r["content"])

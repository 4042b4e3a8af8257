"""The timeline of a ticket (0: the administration log), as people read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select

from servicedesk.domain.incident import AUTOMATION
from servicedesk.store.db import Tx
from servicedesk.store.tables import timeline, timeline_content, user

from .paging import Page, check_limit, page_of, read_cursor
from .rows import shown_name


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. actor: "" for the system, "automation" for a sender's own handling; content: None once erased."""

    seq: int
    at: datetime
    kind: str
    actor_id: int | None
    actor: str
    role: str
    rule: str
    content: dict[str, Any] | None


def entries(tx: Tx, incident_id: int, *, newest: bool = False, cursor: str = "", limit: int = 200) -> Page[Entry]:
    """A page of the timeline, oldest or newest first. Raises BadInput for a wrong cursor or limit."""
    check_limit(limit)
    after = read_cursor(cursor, int)
    same = and_(timeline_content.c.incident_id == timeline.c.incident_id, timeline_content.c.seq == timeline.c.seq)
    query = (
        select(timeline, timeline_content.c.content, shown_name(user).label("actor"))
        .select_from(timeline.outerjoin(timeline_content, same).outerjoin(user, user.c.id == timeline.c.actor_id))
        .where(timeline.c.incident_id == incident_id)
        .order_by(timeline.c.seq.desc() if newest else timeline.c.seq)
    )
    if after is not None:
        query = query.where(timeline.c.seq < after[0] if newest else timeline.c.seq > after[0])
    found = [
        Entry(r["seq"], r["at"], r["kind"], r["actor_id"], _who(r), r["actor_role"], r["rule"], r["content"])
        for r in tx.run(query.limit(limit + 1)).mappings()
    ]
    return page_of(found, limit, lambda e: (e.seq,))


def _who(r: Any) -> str:
    """A person's name; a sender's own machinery is told apart from the desk itself."""
    return str(r["actor"] or (AUTOMATION.name if r["actor_role"] == AUTOMATION.name else ""))

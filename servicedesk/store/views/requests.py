"""Second-person requests: what waits for another person, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select

from servicedesk.domain.incident import number
from servicedesk.store.db import Tx
from servicedesk.store.tables import incident, second_person_request, user

from .paging import Page, check_limit, page_of, read_cursor
from .rows import fill, shown_name

_asked = user.alias("asked")
_decided = user.alias("decided")


@dataclass(frozen=True, slots=True)
class Request:
    """status: asked | approved | refused | expired (asked, but past `expires_at`)."""

    id: int
    incident_id: int
    number: str
    title: str
    priority: int | None
    cycle: int
    kind: str
    reason: str
    payload: dict[str, Any]
    status: str
    asked_by: int
    asker: str
    asked_at: datetime
    expires_at: datetime
    decided_by: int | None
    decider: str
    decided_at: datetime | None
    comment: str
    self_reviewed: bool


def requests(
    tx: Tx, *, status: str = "", incident_id: int | None = None, cursor: str = "", limit: int = 50
) -> Page[Request]:
    """A page of requests, the newest first. status "asked": those that can still be answered."""
    check_limit(limit)
    after = read_cursor(cursor, int)
    query = _query().order_by(second_person_request.c.id.desc())
    if status:
        query = query.where(_in_status(status, tx.now))
    if incident_id is not None:
        query = query.where(second_person_request.c.incident_id == incident_id)
    if after is not None:
        query = query.where(second_person_request.c.id < after[0])
    found = [_request(r, tx.now) for r in tx.run(query.limit(limit + 1)).mappings()]
    return page_of(found, limit, lambda r: (r.id,))


def find(tx: Tx, request_id: int) -> Request | None:
    r = tx.run(_query().where(second_person_request.c.id == request_id)).mappings().one_or_none()
    return None if r is None else _request(r, tx.now)


def _query() -> Any:
    joined = (
        second_person_request.join(incident, incident.c.id == second_person_request.c.incident_id)
        .join(_asked, _asked.c.id == second_person_request.c.asked_by)
        .outerjoin(_decided, _decided.c.id == second_person_request.c.decided_by)
    )
    names = (shown_name(_asked).label("asker"), shown_name(_decided).label("decider"))
    return select(second_person_request, incident.c.title, incident.c.priority, *names).select_from(joined)


def _in_status(status: str, now: datetime) -> Any:
    c = second_person_request.c
    if status == "asked":
        return and_(c.status == "asked", c.expires_at > now)
    if status == "expired":
        return or_(c.status == "expired", and_(c.status == "asked", c.expires_at <= now))
    return c.status == status


def _request(r: Any, now: datetime) -> Request:
    expired = r["status"] == "asked" and r["expires_at"] <= now
    status = "expired" if expired else r["status"]
    return fill(Request, r, number=number(r["incident_id"]), payload=r["payload"] or {}, status=status)

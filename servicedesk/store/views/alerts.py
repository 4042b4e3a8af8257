"""Alerts, their episodes and events; records that never became a ticket wait here "to check"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, or_, select

from servicedesk.store.db import Tx
from servicedesk.store.tables import alert, episode, event

from .paging import Page, check_limit, page_of, read_cursor
from .rows import fill


@dataclass(frozen=True, slots=True)
class Alert:
    """A deduplicated alert. key: hex of the canonical label set's digest; incident_id: its newest ticket."""

    id: int
    name: str
    source: str
    key: str
    fingerprint: str
    status: str
    severity: str
    clears: bool
    summary: str
    labels: dict[str, str]
    annotations: dict[str, str]
    generator_url: str
    starts_at: datetime
    ends_at: datetime | None
    first_seen: datetime
    last_seen: datetime
    count: int
    suspect_due_at: datetime | None
    incident_id: int | None
    decision: str
    checked_at: datetime | None
    check_mark: str


@dataclass(frozen=True, slots=True)
class Filter:
    """to_check: only records without a ticket that nobody judged yet; text: part of the name, or a fingerprint."""

    to_check: bool = False
    statuses: tuple[str, ...] = ()
    source: str = ""
    name: str = ""
    fingerprint: str = ""
    text: str = ""


def alerts(tx: Tx, wanted: Filter, *, cursor: str = "", limit: int = 50) -> Page[Alert]:
    """A page of alerts, the newest identity first. Raises BadInput for a wrong cursor or limit."""
    check_limit(limit)
    after = read_cursor(cursor, int)
    query = _narrowed(select(alert), wanted)
    if after is not None:
        query = query.where(alert.c.id < after[0])
    found = [_alert(r) for r in tx.run(query.order_by(alert.c.id.desc()).limit(limit + 1)).mappings()]
    return page_of(found, limit, lambda a: (a.id,))


def _narrowed(query: Select[Any], wanted: Filter) -> Select[Any]:
    if wanted.to_check:
        query = query.where(alert.c.incident_id.is_(None), alert.c.checked_at.is_(None))
    if wanted.statuses:
        query = query.where(alert.c.status.in_(wanted.statuses))
    if wanted.text:
        part = alert.c.name.icontains(wanted.text, autoescape=True)
        query = query.where(or_(part, alert.c.fingerprint == wanted.text))
    for column, value in (("source", wanted.source), ("name", wanted.name), ("fingerprint", wanted.fingerprint)):
        if value:
            query = query.where(alert.c[column] == value)
    return query


def _alert(r: Any) -> Alert:
    return fill(Alert, r, key=r["key"].hex(), check_mark=r["check_mark"] or "")


def find(tx: Tx, alert_id: int) -> Alert | None:
    r = tx.run(select(alert).where(alert.c.id == alert_id)).mappings().one_or_none()
    return None if r is None else _alert(r)


def ticket_of(tx: Tx, fingerprint: str) -> int | None:
    """Id of the newest ticket of an alert with this fingerprint (as sent, or the first digits of our own key)."""
    query = select(alert.c.incident_id).where(alert.c.fingerprint == fingerprint, alert.c.incident_id.is_not(None))
    found: int | None = tx.run(query.order_by(alert.c.incident_id.desc()).limit(1)).scalar_one_or_none()
    return found


@dataclass(frozen=True, slots=True)
class Episode:
    """One firing, from start to end. fired: ever seen firing."""

    id: int
    alert_id: int
    incident_id: int | None
    starts_at: datetime
    ends_at: datetime | None
    fired: bool
    suspect: bool


def episodes(tx: Tx, alert_id: int, limit: int = 50) -> tuple[Episode, ...]:
    """The newest episodes first."""
    query = select(episode).where(episode.c.alert_id == alert_id)
    query = query.order_by(episode.c.starts_at.desc(), episode.c.id.desc()).limit(limit)
    return tuple(fill(Episode, r) for r in tx.run(query).mappings())


@dataclass(frozen=True, slots=True)
class Event:
    """One distinct statement about an alert, with how often and in which deliveries it was seen."""

    id: int
    alert_id: int
    status: str
    starts_at: datetime
    ends_at: datetime | None
    first_at: datetime
    last_at: datetime
    first_seq: int
    last_seq: int
    count: int


def events(tx: Tx, alert_id: int, *, cursor: str = "", limit: int = 100) -> Page[Event]:
    """A page of an alert's events, the newest first."""
    check_limit(limit)
    after = read_cursor(cursor, int)
    query = select(event).where(event.c.alert_id == alert_id)
    if after is not None:
        query = query.where(event.c.id < after[0])
    found = [fill(Event, r) for r in tx.run(query.order_by(event.c.id.desc()).limit(limit + 1)).mappings()]
    return page_of(found, limit, lambda e: (e.id,))

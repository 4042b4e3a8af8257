"""Alerts, their episodes and events; records that never became a ticket wait here "to check"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, case, exists, func, or_, select

from alert_receivers.syslog.message import SEVERITIES
from servicedesk.store import records
from servicedesk.store.db import Tx
from servicedesk.store.tables import alert, episode, event, syslog_example

from .paging import Page, check_limit, page_of, read_cursor
from .rows import fill


@dataclass(frozen=True, slots=True)
class Alert:
    """A deduplicated alert. key: hex of the canonical label set's digest; incident_id: its newest ticket.

    waits: group (for its like) or window (for the end of the maintenance or suppression window_id, at waits_until).
    flapping_since: since when it fires and recovers again and again; flap_ends_at: when it counts as calm.
    """

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
    flapping_since: datetime | None
    flap_ends_at: datetime | None
    incident_id: int | None
    decision: str
    rule: str
    waits: str
    waits_until: datetime | None
    window_id: int | None
    lacks: int
    checked_at: datetime | None
    check_mark: str


@dataclass(frozen=True, slots=True)
class Filter:
    """to_check: only records without a ticket that nobody judged yet; text: part of the name, or a fingerprint."""

    to_check: bool = False
    flapping: bool = False
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
        query = query.where(records.waiting())
    if wanted.flapping:
        query = query.where(alert.c.flap_ends_at.is_not(None))
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
    return fill(Alert, r, key=r["key"].hex(), check_mark=r["check_mark"] or "", waits=r["waits"] or "")


@dataclass(frozen=True, slots=True)
class Gap:
    """What alerts of one name lack: how many of them have no severity, no service, no runbook_url."""

    name: str
    alerts: int
    severity: int
    service: int
    runbook_url: int


def gaps(tx: Tx, limit: int = 200) -> tuple[Gap, ...]:
    """The names of alerts that lack something, the most frequent first."""
    c = alert.c
    count = func.count()

    def lacking(bit: int) -> Any:
        return func.sum(case((c.lacks.op("&")(bit) > 0, 1), else_=0))

    query = select(c.name, count, lacking(1), lacking(2), lacking(4)).where(c.lacks > 0)
    return tuple(Gap(*row) for row in tx.run(query.group_by(c.name).order_by(count.desc(), c.name).limit(limit)))


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
    """One distinct statement about an alert, with how often and in which deliveries it was seen.

    Of an alert that is born from syslog: one line that was kept, newest first; its times and count are those of the
    statement that it belongs to. at: when it was said; raw: the line as it came; delivery: where the line is stored.
    """

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
    text: str = ""
    host: str = ""
    app: str = ""
    severity: str = ""
    at: datetime | None = None
    raw: str = ""
    delivery: int | None = None


_STATEMENT = (
    "id",
    "alert_id",
    "status",
    "starts_at",
    "ends_at",
    "first_at",
    "last_at",
    "first_seq",
    "last_seq",
    "count",
)


def events(tx: Tx, alert_id: int, *, cursor: str = "", limit: int = 100) -> Page[Event]:
    """A page of an alert's events, the newest first: its kept lines, where it is born from syslog."""
    check_limit(limit)
    if tx.run(select(exists().where(syslog_example.c.digest == _digest(alert_id)))).scalar():
        return _lines(tx, alert_id, cursor, limit)
    return statements(tx, alert_id, cursor=cursor, limit=limit)


def statements(tx: Tx, alert_id: int, *, cursor: str = "", limit: int = 100) -> Page[Event]:
    """A page of an alert's distinct statements, the newest first."""
    check_limit(limit)
    after = read_cursor(cursor, int)
    c = alert.c
    query = select(event, c.summary, c.severity, c.labels).join(alert, c.id == event.c.alert_id)
    query = query.where(event.c.alert_id == alert_id)
    if after is not None:
        query = query.where(event.c.id < after[0])
    found = [_event(r) for r in tx.run(query.order_by(event.c.id.desc()).limit(limit + 1)).mappings()]
    return page_of(found, limit, lambda e: (e.id,))


def _event(r: Any) -> Event:
    labels = r["labels"]
    host, app = (next((labels[n] for n in names if labels.get(n)), "") for names in (_HOSTS, _APPS))
    said = {"text": r["summary"], "severity": r["severity"], "at": r["starts_at"]}
    return Event(**{name: r[name] for name in _STATEMENT}, **said, host=host, app=app)


_HOSTS, _APPS = ("host", "instance", "node"), ("app", "job")  # labels that say where, and what


def kept_lines(tx: Tx, alert_id: int) -> list[Event]:
    """The syslog lines that are kept of an alert (at most a hundred), the newest first."""
    x = syslog_example.c
    rows = tx.run(
        select(syslog_example).where(x.digest == _digest(alert_id)).order_by(x.delivery_id.desc(), x.slot.desc())
    )
    found = rows.mappings().all()
    if not found:
        return []
    seqs = {r["delivery_id"] for r in found}
    e = event.c
    query = select(event).where(e.alert_id == alert_id, e.last_seq >= min(seqs), e.first_seq <= max(seqs))
    said = tx.run(query.order_by(e.id.desc()).limit(1_000)).mappings().all()
    return [_line(alert_id, r, next((s for s in said if _holds(s, r)), None)) for r in found]


def _holds(statement: Any, line: Any) -> bool:
    return bool(statement["first_seq"] <= line["delivery_id"] <= statement["last_seq"])


def _line(alert_id: int, r: Any, statement: Any) -> Event:
    at, seq = r["at"], r["delivery_id"]
    alone = {"status": "firing", "starts_at": at, "ends_at": None, "first_at": r["arrived_at"], "count": 1}
    alone |= {"last_at": r["arrived_at"], "first_seq": seq, "last_seq": seq}
    of = {name: (statement or alone)[name] for name in alone}
    said = {name: r[name] for name in ("text", "host", "app", "raw")}
    return Event(id=r["slot"], alert_id=alert_id, **of, **said, severity=SEVERITIES[r["severity"]], at=at, delivery=seq)


def _lines(tx: Tx, alert_id: int, cursor: str, limit: int) -> Page[Event]:
    after = read_cursor(cursor, int, int)
    found = kept_lines(tx, alert_id)
    if after is not None:
        found = [e for e in found if (e.delivery or 0, e.id) < after]
    return page_of(found[: limit + 1], limit, lambda e: (e.delivery, e.id))


def _digest(alert_id: int) -> Any:
    return select(alert.c.digest).where(alert.c.id == alert_id).scalar_subquery()

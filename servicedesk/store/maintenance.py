"""Maintenance windows and suppressions: planned, ended early, and which alerts they hold back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, or_, select, update

from servicedesk.domain.maintenance import Window
from servicedesk.domain.matchers import parse_matchers
from servicedesk.store.db import Tx
from servicedesk.store.tables import alert, maintenance_window, service

_W = maintenance_window.c
_FIELDS = (
    _W.id,
    _W.kind,
    _W.title,
    service.c.name.label("service"),
    _W.matchers,
    _W.source,
    _W.starts_at,
    _W.minutes,
    _W.recurrence,
    _W.timezone,
    _W.over_at,
    _W.cancelled_at,
)
_ROWS = maintenance_window.outerjoin(service, service.c.id == _W.service_id)


def window_of(row: Any) -> Window:
    """A row with (at least) the columns of `_FIELDS` as the rules know it."""
    given = {name: getattr(row, name) for name in Window.__dataclass_fields__}
    given |= {"service": row.service or "", "matchers": tuple(parse_matchers(row.matchers)) if row.matchers else ()}
    return Window(**given)


def in_force(tx: Tx, since: datetime, until: datetime) -> list[Window]:
    """Windows that may hold what began in this span."""
    touches = (_W.starts_at <= until, or_(_W.over_at.is_(None), _W.over_at > since))
    alive = or_(_W.cancelled_at.is_(None), _W.cancelled_at > since)
    return [window_of(row) for row in tx.run(select(*_FIELDS).select_from(_ROWS).where(*touches, alive))]


def add(tx: Tx, values: Mapping[str, Any]) -> int:
    number: int = tx.run(insert(maintenance_window).values(**values).returning(_W.id)).scalar_one()
    return number


def lock(tx: Tx, window_id: int) -> Row[Any] | None:
    """The row as it is, locked."""
    query = select(maintenance_window).where(_W.id == window_id)
    found: Row[Any] | None = tx.run(query.with_for_update()).one_or_none()
    return found


def cancel(tx: Tx, window_id: int) -> None:
    """It holds nothing from now on; what it holds back is judged again at once."""
    tx.run(update(maintenance_window).where(_W.id == window_id).values(cancelled_at=tx.now, version=_W.version + 1))
    held = update(alert).where(alert.c.window_id == window_id, alert.c.waits == "window")
    tx.run(held.values(waits_until=tx.now))


def due(tx: Tx, now: datetime, limit: int) -> list[tuple[int, datetime]]:
    """(id, until when it was held back) of alerts whose window has ended, the longest first."""
    c = alert.c
    query = select(c.id, c.waits_until).where(c.waits_until <= now, c.waits == "window")
    return [(row.id, row.waits_until) for row in tx.run(query.order_by(c.waits_until, c.id).limit(limit))]


def service_id(tx: Tx, name: str) -> int | None:
    found: int | None = tx.run(select(service.c.id).where(service.c.name == name)).scalar()
    return found


def firing(tx: Tx, limit: int) -> list[Any]:
    """Firing alerts, the newest first: (id, source, name, labels, starts_at, incident_id)."""
    c = alert.c
    query = select(c.id, c.source, c.name, c.labels, c.starts_at, c.incident_id)
    return list(tx.run(query.where(c.status.in_(("firing", "suspect"))).order_by(c.id.desc()).limit(limit)))

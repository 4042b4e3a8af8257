"""Maintenance windows and suppressions as they are listed: when they hold next, and what they hold back now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from servicedesk.domain.maintenance import Window
from servicedesk.store.db import Tx
from servicedesk.store.maintenance import window_of
from servicedesk.store.tables import alert, maintenance_window, service, user

from .rows import shown_name

LOOKED_AHEAD = timedelta(days=400)
MOST = 1_000


@dataclass(frozen=True, slots=True)
class Listed:
    """One window. state: running, planned, over or cancelled; next_*: the time that runs, or the next one; held: how
    many alerts it holds back now."""

    id: int
    kind: str
    title: str
    reason: str
    service: str
    matchers: str
    source: str
    starts_at: datetime
    minutes: int
    recurrence: str
    timezone: str
    over_at: datetime | None
    cancelled_at: datetime | None
    made_by: str
    created_at: datetime
    state: str
    next_start: datetime | None
    next_end: datetime | None
    held: int


@dataclass(frozen=True, slots=True)
class Time:
    """One time of a window. `at` is its start."""

    at: datetime
    end: datetime
    id: int
    kind: str
    title: str


def windows(tx: Tx, *, kind: str = "", past: bool = True, only: int | None = None) -> tuple[Listed, ...]:
    """The newest first; without `past` those that are over are left out."""
    held = select(func.count()).where(alert.c.window_id == maintenance_window.c.id, alert.c.waits == "window")
    who = shown_name(user).label("maker")
    query = (
        select(maintenance_window, service.c.name.label("service"), who, held.scalar_subquery().label("held"))
        .outerjoin(service, service.c.id == maintenance_window.c.service_id)
        .outerjoin(user, user.c.id == maintenance_window.c.made_by)
        .order_by(maintenance_window.c.id.desc())
        .limit(MOST)
    )
    if kind:
        query = query.where(maintenance_window.c.kind == kind)
    if only is not None:
        query = query.where(maintenance_window.c.id == only)
    found = [_listed(row, tx.now) for row in tx.run(query)]
    return tuple(one for one in found if past or one.state in ("running", "planned"))


def calendar(tx: Tx, since: datetime, until: datetime) -> tuple[Time, ...]:
    """Every time of every window that touches this span, in order."""
    found = []
    query = select(maintenance_window, service.c.name.label("service")).outerjoin(
        service, service.c.id == maintenance_window.c.service_id
    )
    for row in tx.run(query.where(maintenance_window.c.starts_at < until).limit(MOST)):
        window = _window(row)
        found += [Time(start, end, window.id, window.kind, window.title) for start, end in window.times(since, until)]
    return tuple(sorted(found, key=lambda t: (t.at, t.id)))


def _window(row: Any) -> Window:
    return window_of(row)


def _listed(row: Any, now: datetime) -> Listed:
    window = _window(row)
    following = next(window.times(now, now + LOOKED_AHEAD), None)
    start, end = following or (None, None)
    if row.cancelled_at is not None:
        state = "cancelled"
    elif row.over_at is not None and row.over_at <= now:
        state = "over"
    else:
        state = "running" if following is not None and following[0] <= now else "planned"
    values = {name: getattr(row, name) for name in Listed.__dataclass_fields__ if hasattr(row, name)}
    values |= {"service": row.service or "", "made_by": row.maker or ""}
    return Listed(**values | {"state": state, "next_start": start, "next_end": end})

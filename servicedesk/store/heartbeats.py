"""Heartbeats: made, heard, silent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, or_, select, update

from servicedesk.domain.heartbeat import KIND_WATCHDOG, WATCHDOG
from servicedesk.store import bulk
from servicedesk.store.db import Tx
from servicedesk.store.tables import alert, heartbeat

_H = heartbeat.c


def add(tx: Tx, values: Mapping[str, Any]) -> int:
    number: int = tx.run(insert(heartbeat).values(**values).returning(_H.id)).scalar_one()
    return number


def listing(tx: Tx) -> list[Row[Any]]:
    return list(tx.run(select(heartbeat).order_by(_H.name, _H.id)))


def lock(tx: Tx, *, number: int | None = None, key: str = "") -> Row[Any] | None:
    """The row with this id or key, locked."""
    which = _H.key == key if number is None else _H.id == number
    found: Row[Any] | None = tx.run(select(heartbeat).where(which).with_for_update()).one_or_none()
    return found


def change(tx: Tx, number: int, values: Mapping[str, Any]) -> None:
    tx.run(update(heartbeat).where(_H.id == number).values(**values))


def remove(tx: Tx, number: int) -> None:
    tx.run(delete(heartbeat).where(_H.id == number))


def due(tx: Tx, now: datetime) -> list[int]:
    """Those that are silent and nobody has told yet."""
    silent = (_H.due_at <= now, _H.silent_since.is_(None), _H.paused.is_(False))
    return list(tx.run(select(_H.id).where(*silent).order_by(_H.id)).scalars())


def watchdogs(tx: Tx) -> list[Row[Any]]:
    """Watchdogs that were seen later than their heartbeat knows: (key, source, labels, last_seen)."""
    a = alert.c
    key = "watchdog:" + a.id.cast(_H.key.type)
    query = select(key.label("key"), a.source, a.labels, a.last_seen).outerjoin(heartbeat, _H.key == key)
    news = or_(_H.last_at.is_(None), a.last_seen > _H.last_at)
    return list(tx.run(query.where(a.name == WATCHDOG, a.status == "firing", news).order_by(a.id)))


def ensure_watchdog(tx: Tx, values: Mapping[str, Any]) -> None:
    """The heartbeat of a Watchdog, made when it is seen for the first time."""
    columns = ("key", "kind", "name", "source", "every", "grace", "severity", "created_at", "count")
    given = {"kind": KIND_WATCHDOG, "created_at": tx.now, "count": 0} | dict(values)
    bulk.insert_rows(tx, heartbeat, columns, [[given[name] for name in columns]], or_ignore=True)

"""How many raw deliveries are held, and which of them go: counted as they come, so that nobody reads all of them.

Only deliveries that are done, without a dead letter that is still open, are ever deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, select, update

from servicedesk.store import bulk
from servicedesk.store.db import Tx
from servicedesk.store.deliveries import DONE
from servicedesk.store.tables import dead_letter, delivery, delivery_stock

ALERTS, SYSLOG = "alerts", "syslog"
KINDS = (ALERTS, SYSLOG)
COUNTED = 5_000  # deliveries in one step of counting
SETTLED = timedelta(minutes=1)  # an id below a newer one may still be on its way into the database
ANEW = timedelta(days=1)  # what was passed over, such as dead letters, is looked at again after that


@dataclass(frozen=True, slots=True)
class Stock:
    """count, bytes: held (compressed); pruned, pruned_bytes: deleted ever."""

    kind: str
    counted_upto: int
    count: int
    bytes: int
    passed_upto: int
    passed_on: datetime
    pruned: int
    pruned_bytes: int


@dataclass(frozen=True, slots=True)
class Old:
    """A delivery as pruning sees it. size: of its compressed body; free: may it go at all?"""

    id: int
    received_at: datetime
    size: int
    free: bool


def _of(kind: str) -> ColumnElement[bool]:
    return delivery.c.receiver == SYSLOG if kind == SYSLOG else delivery.c.receiver != SYSLOG


def lock(tx: Tx, kind: str) -> Stock:
    """The kind's row, locked; made when it is not there."""
    query = select(delivery_stock).where(delivery_stock.c.kind == kind).with_for_update()
    row = tx.run(query).one_or_none()
    if row is None:
        columns = ("kind", "counted_upto", "count", "bytes", "passed_upto", "passed_on")
        bulk.insert_rows(tx, delivery_stock, columns, [(kind, 0, 0, 0, 0, tx.now)], or_ignore=True)
        row = tx.run(query).one()
    return Stock(*row)


def stocks(tx: Tx) -> list[Stock]:
    return [Stock(*row) for row in tx.run(select(delivery_stock).order_by(delivery_stock.c.kind))]


def count_on(tx: Tx, stock: Stock) -> bool:
    """Count the next deliveries; answers whether there may be more."""
    d = delivery.c
    query = select(d.id).where(d.id > stock.counted_upto, d.received_at <= tx.now - SETTLED).order_by(d.id)
    ids = list(tx.run(query.limit(COUNTED)).scalars())
    if not ids:
        return False
    last = ids[-1]
    there = (d.id > stock.counted_upto) & (d.id <= last) & _of(stock.kind)
    count, size = tx.run(select(func.count(), func.sum(func.length(d.body))).where(there)).one()
    _write(tx, stock.kind, counted_upto=last, count=stock.count + count, bytes=stock.bytes + int(size or 0))
    return len(ids) == COUNTED


def oldest(tx: Tx, stock: Stock, limit: int) -> list[Old]:
    """The oldest counted deliveries that were not passed yet."""
    d, letter = delivery.c, dead_letter.c
    dead = exists().where(letter.delivery_id == d.id, letter.cleared_at.is_(None))
    here = select(d.id, d.received_at, func.length(d.body), (d.state == DONE) & ~dead)
    query = here.where(d.id > stock.passed_upto, d.id <= stock.counted_upto, _of(stock.kind)).order_by(d.id)
    return [Old(row[0], row[1], row[2], bool(row[3])) for row in tx.run(query.limit(limit))]


def prune(tx: Tx, stock: Stock, passed: list[Old]) -> int:
    """Delete those of them that may go, and remember how far that was; answers how many went."""
    gone = [one for one in passed if one.free]
    ids, size = [one.id for one in gone], sum(one.size for one in gone)
    if ids:
        tx.run(delete(dead_letter).where(dead_letter.c.delivery_id.in_(ids)))
        tx.run(delete(delivery).where(delivery.c.id.in_(ids)))
    _write(
        tx,
        stock.kind,
        passed_upto=passed[-1].id,
        count=stock.count - len(ids),
        bytes=stock.bytes - size,
        pruned=stock.pruned + len(ids),
        pruned_bytes=stock.pruned_bytes + size,
    )
    return len(ids)


def begin_anew(tx: Tx, stock: Stock) -> None:
    """Look at everything from the oldest on again, once a day: dead letters may have been replayed."""
    if tx.now - stock.passed_on >= ANEW:
        _write(tx, stock.kind, passed_upto=0, passed_on=tx.now)


def _write(tx: Tx, kind: str, **values: Any) -> None:
    tx.run(update(delivery_stock).where(delivery_stock.c.kind == kind).values(**values))

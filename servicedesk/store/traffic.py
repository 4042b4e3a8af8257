"""Deliveries rolled up by steps of time and sender, in the order of their ids, each exactly once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from sqlalchemy import and_, delete, or_, select, tuple_, update

from servicedesk.store import bulk
from servicedesk.store.db import Tx
from servicedesk.store.deliveries import DEAD, STORED
from servicedesk.store.tables import delivery, sender, token, traffic, traffic_mark
from servicedesk.store.types import EPOCH

STEP = 2_000  # deliveries in one step
SETTLED = timedelta(seconds=15)  # an id below a newer one may still be on its way into the database
# Length of a step in seconds → how long its rows are kept.
KEPT = {60: timedelta(hours=2), 900: timedelta(days=2), 7200: timedelta(days=15)}
_MARK = "deliveries"
_KEY = ("seconds", "began_at", "source", "receiver")
_SUMS = ("deliveries", "bytes", "events", "dead", "lag_sum", "lag_max")
_SENDER = ("source", "receiver", "first_seen", "last_seen", "deliveries", "events", "truncated", "truncated_at")


@dataclass(slots=True)
class Sums:
    """lag_sum, lag_max: milliseconds from received to applied."""

    deliveries: int = 0
    bytes: int = 0
    events: int = 0
    dead: int = 0
    lag_sum: int = 0
    lag_max: int = 0

    def add(self, other: Any) -> None:
        for name in _SUMS[:-1]:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.lag_max = max(self.lag_max, other.lag_max)


@dataclass(slots=True)
class _Sent:
    """What one sender sent. truncated: alerts that it cut off."""

    first: datetime
    last: datetime
    deliveries: int = 0
    events: int = 0
    truncated: int = 0
    truncated_at: datetime | None = None


def roll_on(tx: Tx) -> int:
    """Take in the next deliveries that are applied or dead; answers how many. Stops at one that still waits."""
    upto = _lock(tx)
    d = delivery.c
    columns = (d.id, d.received_at, d.source, d.receiver, d.size, d.state, d.events, d.truncated, d.done_at)
    settled = or_(d.received_at <= tx.now - SETTLED, d.received_at > tx.now)  # the clock may have stepped back
    query = select(*columns).where(d.id > upto, settled).order_by(d.id).limit(STEP)
    rows = list(takewhile(lambda row: row.state != STORED, tx.run(query)))
    if not rows:
        return 0
    _add_steps(tx, rows)
    _add_senders(tx, rows)
    tx.run(update(traffic_mark).where(traffic_mark.c.name == _MARK).values(upto=rows[-1].id))
    return len(rows)


def _lock(tx: Tx) -> int:
    query = select(traffic_mark.c.upto).where(traffic_mark.c.name == _MARK).with_for_update()
    found = tx.run(query).scalar()
    if found is None:
        bulk.insert_rows(tx, traffic_mark, ("name", "upto"), [(_MARK, 0)], or_ignore=True)
        found = tx.run(query).scalar_one()
    return int(found)


def step_of(at: datetime, seconds: int) -> datetime:
    """When the step began that holds this instant."""
    return at - (at - EPOCH) % timedelta(seconds=seconds)


def _add_steps(tx: Tx, rows: Iterable[Any]) -> None:
    found: dict[tuple[int, datetime, str, str], Sums] = {}
    for r in rows:
        lag = max(int((r.done_at - r.received_at) / timedelta(milliseconds=1)), 0) if r.done_at else 0
        one = Sums(1, r.size, r.events or 0, int(r.state == DEAD), lag, lag)
        for seconds in KEPT:
            key = (seconds, step_of(r.received_at, seconds), r.source, r.receiver)
            found.setdefault(key, Sums()).add(one)
    c = traffic.c
    for row in tx.run(select(traffic).where(tuple_(c.seconds, c.began_at, c.source, c.receiver).in_(list(found)))):
        found[row.seconds, row.began_at, row.source, row.receiver].add(row)
    values = [(*key, *(getattr(sums, name) for name in _SUMS)) for key, sums in sorted(found.items())]
    bulk.upsert_rows(tx, traffic, (*_KEY, *_SUMS), values, _KEY)


def _add_senders(tx: Tx, rows: Iterable[Any]) -> None:
    found: dict[tuple[str, str], _Sent] = {}
    for r in rows:
        one = found.setdefault((r.source, r.receiver), _Sent(r.received_at, r.received_at))
        one.first, one.last = min(one.first, r.received_at), max(one.last, r.received_at)
        one.deliveries += 1
        one.events += r.events or 0
        if r.truncated:
            one.truncated, one.truncated_at = one.truncated + r.truncated, r.received_at
    c = sender.c
    for row in tx.run(select(sender).where(tuple_(c.source, c.receiver).in_(list(found)))):
        one = found[row.source, row.receiver]
        one.first, one.last = min(one.first, row.first_seen), max(one.last, row.last_seen)
        one.deliveries, one.events = one.deliveries + row.deliveries, one.events + row.events
        one.truncated, one.truncated_at = one.truncated + row.truncated, one.truncated_at or row.truncated_at
    values = [
        (*key, s.first, s.last, s.deliveries, s.events, s.truncated, s.truncated_at) for key, s in sorted(found.items())
    ]
    bulk.upsert_rows(tx, sender, _SENDER, values, _SENDER[:2])


def forget(tx: Tx) -> int:
    """Steps that are old go; answers how many rows."""
    return int(tx.run(delete(traffic).where(_old(tx))).rowcount)


def any_old(tx: Tx) -> bool:
    """Is there a step that goes?"""
    return tx.run(select(traffic.c.seconds).where(_old(tx)).limit(1)).first() is not None


def _old(tx: Tx) -> Any:
    c = traffic.c
    return or_(*[and_(c.seconds == seconds, c.began_at < tx.now - kept) for seconds, kept in KEPT.items()])


def any_new(tx: Tx) -> bool:
    """Is there a delivery that is not rolled up and may be?"""
    upto = tx.run(select(traffic_mark.c.upto).where(traffic_mark.c.name == _MARK)).scalar() or 0
    row = tx.run(
        select(delivery.c.state, delivery.c.received_at).where(delivery.c.id > upto).order_by(delivery.c.id).limit(1)
    )
    first = row.one_or_none()
    return first is not None and first.state != STORED and not tx.now - SETTLED < first.received_at <= tx.now


def known(tx: Tx, source: str) -> bool:
    """Did this source ever send anything, or may it?"""
    sent = select(sender.c.source).where(sender.c.source == source).limit(1)
    allowed = select(token.c.source).where(token.c.source == source).limit(1)
    return any(tx.run(query).first() is not None for query in (sent, allowed))

"""Who sends, how much, how fast it is applied, and what is wrong with it: for the page "Intake".

Nothing here grows with what is stored: steps of time are rolled up, and whatever is counted is a short end of an index.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select

from servicedesk.store.db import Tx
from servicedesk.store.tables import (
    alert,
    dead_letter,
    delivery,
    heartbeat,
    refusal,
    sender,
    token,
    traffic,
    traffic_mark,
)

CAP = 1_000  # rows that are counted at most; CAP means "CAP or more"
TAIL = 500  # newest deliveries that are looked at although they are not rolled up yet
# name → (how far back, how long a step of its plots is: one of store.traffic.KEPT)
SPANS: dict[str, tuple[timedelta, timedelta]] = {
    "1h": (timedelta(hours=1), timedelta(minutes=1)),
    "24h": (timedelta(days=1), timedelta(minutes=15)),
    "7d": (timedelta(days=7), timedelta(hours=2)),
}


@dataclass(frozen=True, slots=True)
class Refusals:
    """Requests that were refused for good, in one run without a long pause."""

    reason: str
    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Heartbeat:
    name: str
    last_at: datetime | None
    silent_since: datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plot. lag: mean seconds from received to applied, lag_max the longest; None: nothing came."""

    at: datetime
    deliveries: int
    events: int
    lag: float | None
    lag_max: float | None


@dataclass(frozen=True, slots=True)
class Sender:
    """A source with the receiver it uses ("": it never sent anything, or nothing is known but its refusals).

    deliveries, events, bytes, dead: within the span; waiting: stored and not applied yet, since `waiting_since`;
    letters: entries that could not be applied and wait; suppressed: alerts that a maintenance or suppression holds;
    truncated: alerts that it cut off itself, ever.
    """

    source: str
    receiver: str = ""
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    deliveries: int = 0
    events: int = 0
    bytes: int = 0
    dead: int = 0
    lag: float | None = None
    lag_max: float | None = None
    waiting: int = 0
    waiting_since: datetime | None = None
    letters: int = 0
    suppressed: int = 0
    truncated: int = 0
    truncated_at: datetime | None = None
    refused: tuple[Refusals, ...] = ()
    heartbeats: tuple[Heartbeat, ...] = ()
    token: bool = False  # may it still send?
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Intake:
    """senders: by source; steps: of all of them together; upto: what the figures of the span reach up to."""

    span: str
    step_seconds: int
    senders: tuple[Sender, ...]
    steps: tuple[Step, ...]


@dataclass(slots=True)
class _Sum:
    deliveries: int = 0
    events: int = 0
    bytes: int = 0
    dead: int = 0
    lag_sum: int = 0
    lag_max: int = 0

    def add(self, row: Any) -> None:
        self.deliveries += row.deliveries
        self.events += row.events
        self.bytes += row.bytes
        self.dead += row.dead
        self.lag_sum += row.lag_sum
        self.lag_max = max(self.lag_max, row.lag_max)

    @property
    def lags(self) -> tuple[float | None, float | None]:
        """Mean and longest, in seconds."""
        return (self.lag_sum / self.deliveries / 1000, self.lag_max / 1000) if self.deliveries else (None, None)


_Key = tuple[str, str]


@dataclass(slots=True)
class _Found:
    """By source and receiver; by source alone where the receiver does not matter."""

    senders: dict[_Key, Sender]
    sums: dict[_Key, _Sum] = field(default_factory=lambda: defaultdict(_Sum))
    slots: dict[_Key, dict[int, _Sum]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(_Sum)))


def intake(tx: Tx, span: str = "24h") -> Intake:
    """Everything about the senders. span: one of SPANS."""
    back, length = SPANS[span]
    found = _Found(_senders(tx))
    _sum_up(tx, found, tx.now - back, length)
    _waiting(tx, found.senders)
    _by_source(tx, found.senders)
    starts = _starts(tx.now, back, length)
    everything: dict[int, _Sum] = defaultdict(_Sum)
    senders = []
    for key, one in sorted(found.senders.items()):
        for at, sums in found.slots[key].items():
            everything[at].add(sums)
        senders.append(_whole(one, found.sums[key], _steps(starts, length, found.slots[key])))
    return Intake(span, int(length.total_seconds()), tuple(senders), _steps(starts, length, everything))


def _senders(tx: Tx) -> dict[_Key, Sender]:
    """Those that sent something, and those whose newest deliveries are not rolled up yet."""
    names = ("source", "receiver", "first_seen", "last_seen", "truncated", "truncated_at")
    found = {(r.source, r.receiver): Sender(**{n: getattr(r, n) for n in names}) for r in tx.run(select(sender))}
    upto = tx.run(select(traffic_mark.c.upto)).scalar() or 0
    d = delivery.c
    query = select(d.source, d.receiver, d.received_at).where(d.id > upto).order_by(d.id.desc()).limit(TAIL)
    for source, receiver, at in tx.run(query):
        one = found.setdefault((source, receiver), Sender(source, receiver, first_seen=at))
        if one.last_seen is None or one.last_seen < at:
            found[source, receiver] = replace(one, last_seen=at)
    return found


def _sum_up(tx: Tx, found: _Found, since: datetime, length: timedelta) -> None:
    c = traffic.c
    query = select(traffic).where(c.seconds == int(length.total_seconds()), c.began_at >= since - length)
    for row in tx.run(query):
        key = (row.source, row.receiver)
        found.senders.setdefault(key, Sender(*key))
        found.sums[key].add(row)
        found.slots[key][_slot(row.began_at, length)].add(row)


def _slot(at: datetime, length: timedelta) -> int:
    return int(at.timestamp() // length.total_seconds())


def _starts(now: datetime, back: timedelta, length: timedelta) -> range:
    """The steps that are over, by their numbers."""
    return range(_slot(now - back, length) + 1, _slot(now, length))


def _steps(starts: range, length: timedelta, slots: dict[int, _Sum]) -> tuple[Step, ...]:
    seconds = length.total_seconds()
    return tuple(_step(number * seconds, slots.get(number) or _Sum()) for number in starts)


def _step(at: float, sums: _Sum) -> Step:
    return Step(datetime.fromtimestamp(at, UTC), sums.deliveries, sums.events, *sums.lags)


def _whole(one: Sender, sums: _Sum, steps: tuple[Step, ...]) -> Sender:
    lag, lag_max = sums.lags
    return replace(
        one,
        deliveries=sums.deliveries,
        events=sums.events,
        bytes=sums.bytes,
        dead=sums.dead,
        lag=lag,
        lag_max=lag_max,
        steps=steps,
    )


def _waiting(tx: Tx, senders: dict[_Key, Sender]) -> None:
    """What is stored and not applied yet; the oldest CAP of it."""
    d = delivery.c
    oldest = select(d.source, d.receiver, d.received_at).where(d.state == "stored").order_by(d.id).limit(CAP)
    for source, receiver, at in tx.run(oldest):
        one = senders.setdefault((source, receiver), Sender(source, receiver, first_seen=at, last_seen=at))
        since = min(one.waiting_since, at) if one.waiting_since else at
        senders[source, receiver] = replace(one, waiting=one.waiting + 1, waiting_since=since)


def _by_source(tx: Tx, senders: dict[_Key, Sender]) -> None:
    """What belongs to a source, whatever receiver it uses: told at the one that was heard last."""
    letters, suppressed = _letters(tx), _suppressed(tx)
    refused, beats, allowed = _refusals(tx), _heartbeats(tx), _allowed(tx)
    for source in {*letters, *suppressed, *refused, *beats, *allowed}:
        key = _heard_last(senders, source)
        senders[key] = replace(
            senders.get(key) or Sender(*key),
            letters=letters.get(source, 0),
            suppressed=suppressed.get(source, 0),
            refused=tuple(refused.get(source, ())),
            heartbeats=tuple(beats.get(source, ())),
            token=source in allowed,
        )


def _heard_last(senders: dict[_Key, Sender], source: str) -> _Key:
    heard = [(one.last_seen, key) for key, one in senders.items() if key[0] == source and one.last_seen]
    return max(heard)[1] if heard else (source, "")


def _counted(tx: Tx, sources: Any) -> dict[str, int]:
    """How often each source stands in a query's only column; at most CAP rows are read."""
    rows = sources.limit(CAP).subquery()
    return {
        row.source: row.number
        for row in tx.run(select(rows.c.source, func.count().label("number")).group_by(rows.c.source))
    }


def _letters(tx: Tx) -> dict[str, int]:
    query = select(delivery.c.source).join(dead_letter, dead_letter.c.delivery_id == delivery.c.id)
    return _counted(tx, query.where(dead_letter.c.cleared_at.is_(None)))


def _suppressed(tx: Tx) -> dict[str, int]:
    c = alert.c
    return _counted(tx, select(c.source).where(c.waits_until.is_not(None), c.waits == "window"))


def _refusals(tx: Tx) -> dict[str, list[Refusals]]:
    """Of the last day."""
    c = refusal.c
    query = select(c.source, c.reason, c.count, c.last_at).where(c.last_at > tx.now - timedelta(days=1))
    found: dict[str, list[Refusals]] = {}
    for source, *rest in tx.run(query.order_by(c.source, c.last_at.desc()).limit(CAP)):
        found.setdefault(source, []).append(Refusals(*rest))
    return found


def _heartbeats(tx: Tx) -> dict[str, list[Heartbeat]]:
    c = heartbeat.c
    query = select(c.source, c.name, c.last_at, c.silent_since).where(c.source != "", c.paused.is_(False))
    found: dict[str, list[Heartbeat]] = {}
    for source, *rest in tx.run(query.order_by(c.source, c.name).limit(CAP)):
        found.setdefault(source, []).append(Heartbeat(*rest))
    return found


def _allowed(tx: Tx) -> set[str]:
    """Sources that a token names which may send now."""
    c = token.c
    usable = or_(c.expires_at.is_(None), c.expires_at > tx.now)
    rows = tx.run(select(c.source, c.scopes).where(c.source != "", c.revoked_at.is_(None), usable))
    return {row.source for row in rows if "ingest" in row.scopes}

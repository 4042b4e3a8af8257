"""Stored deliveries become observations, in slices: what a slice does and how far its deliveries are commit together.

A slice that fails is halved, each half a transaction of its own, down to the one bad event, which becomes a dead
letter. Entries of a body are counted from 0, events and faulty entries alike: `applied_upto` is the next one's index.
"""

from __future__ import annotations

import traceback
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from weakref import WeakKeyDictionary

import structlog

from alert_receivers.event import AlertEvent, MalformedPayload, Parsed, timed, visible
from servicedesk import metrics
from servicedesk.desk import Desk
from servicedesk.domain.syslog_events import LineEvent
from servicedesk.errors import Busy
from servicedesk.services.shared import attach, lines, observe, settle
from servicedesk.services.shared.observe import Seen
from servicedesk.store import deliveries
from servicedesk.store.db import Priority, Tx
from servicedesk.store.deliveries import Claimed, Kept, Progress

SLICE = 500  # events
AHEAD = 100  # deliveries that one slice may take from
AHEAD_BYTES = 1 << 20  # of bodies; one that is larger is taken alone
LINES = 2  # lines weigh so much less: most are no event, and those of one alert become one (see settle)
ERROR_LENGTH = 1_000

log = structlog.get_logger("servicedesk.intake")
_bodies: WeakKeyDictionary[Desk, dict[int, Body]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Body:
    """A delivery's body, parsed. error: why it cannot be read as a whole; entries by index."""

    error: str
    events: Mapping[int, AlertEvent]
    errors: Mapping[int, str]
    total: int
    truncated: int
    mismatched: int = 0


@dataclass(slots=True)
class _Attempt:
    """A slice that is tried. places: the (delivery, index) of its entries; exact: no more of them than the budget.

    Else several syslog events of one alert count once, and half.
    """

    budget: int
    exact: bool
    places: list[tuple[int, int]] = field(default_factory=list)
    keys: set[bytes] = field(default_factory=set)
    others: int = 0

    def begin(self) -> None:
        """A retried transaction begins anew."""
        self.places.clear()
        self.keys.clear()
        self.others = 0

    @property
    def full(self) -> bool:
        if self.exact:
            return len(self.places) >= self.budget
        return self.others + len(self.keys) // LINES >= self.budget

    def add(self, place: tuple[int, int], event: AlertEvent | None) -> None:
        self.places.append(place)
        if isinstance(event, LineEvent):
            self.keys.add(event.key)
        else:
            self.others += 1


@dataclass(slots=True)
class _Slice:
    seen: list[Seen] = field(default_factory=list)
    letters: list[tuple[int, int, str]] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    done: list[datetime] = field(default_factory=list)  # when the deliveries came that are done with this slice
    mismatched: list[tuple[str, int]] = field(default_factory=list)  # fingerprints, by source, of those


def parse(desk: Desk, receiver: str, body: bytes) -> Body:
    """Read a compressed body with its receiver; whatever happens there stays with this delivery."""
    if receiver not in desk.receivers and receiver != lines.RECEIVER:
        return Body(f"There is no receiver {receiver!r}.", {}, {}, 0, 0)
    try:
        parsed = _read(desk, receiver, zlib.decompress(body))
    except MalformedPayload as error:
        return Body(_text(error), {}, {}, 0, 0)
    except Exception as error:  # noqa: BLE001 - a fault of a receiver must not stop other senders
        text = f"The receiver failed: {type(error).__name__}: {_text(error)}"
        log.error("a receiver failed on a body", receiver=receiver, error=text, where=_where(error))
        return Body(text, {}, {}, 0, 0)
    return Body("", dict(parsed.events), dict(parsed.errors), parsed.total, parsed.truncated, parsed.mismatched)


def _read(desk: Desk, receiver: str, raw: bytes) -> Parsed:
    """Syslog lines mean what the desk's rules say; what others send speaks for itself."""
    return lines.parse(desk, raw) if receiver == lines.RECEIVER else desk.receivers[receiver].parse(raw)


def _text(error: Exception) -> str:
    return visible(" ".join(str(error).split()))[:ERROR_LENGTH]


def _where(error: Exception) -> str:
    """The innermost line of the failure: a whole traceback with values would put senders' secrets into the log."""
    frame = traceback.extract_tb(error.__traceback__)[-1:]
    return f"{frame[0].filename}:{frame[0].lineno}" if frame else ""


def step(desk: Desk, budget: int = SLICE, only: int | None = None, exact: bool = False) -> int:
    """Apply the next slice of what waits; answers how much that was, 0: nothing waits. exact: see `_Attempt`.

    Raises Busy when the database is away: nothing is lost, everything waits.
    """
    attempt = _Attempt(budget, exact)
    ready = {} if desk.db.postgresql else _read_ahead(desk, only)
    if not ready and not desk.db.postgresql:
        return 0  # nothing waits: the one writer is not asked for
    try:
        return desk.write(lambda tx: _apply(tx, desk, attempt, ready, only), Priority.SLICE)
    except Busy:
        raise
    except Exception as error:
        if not attempt.places:
            raise
        if len(attempt.places) == 1:
            return _dead(desk, attempt.places[0], error)
    half = len(attempt.places) // 2
    return step(desk, half, only, exact=True) + step(desk, len(attempt.places) - half, only, exact=True)


def _read_ahead(desk: Desk, only: int | None) -> dict[int, Body]:
    """SQLite has one writer: parse before taking it."""
    with desk.read() as tx:
        return _parsed(tx, desk, _near(deliveries.claim(tx, AHEAD, only)))


def _near(claimed: Sequence[Claimed]) -> list[Claimed]:
    size = 0
    near: list[Claimed] = []
    for one in claimed:
        size += one.size // LINES if one.receiver == lines.RECEIVER else one.size
        if near and size > AHEAD_BYTES:
            break
        near.append(one)
    return near


def _parsed(tx: Tx, desk: Desk, near: Sequence[Claimed]) -> dict[int, Body]:
    """Their bodies; a large one is kept while its slices are applied, and forgotten afterwards."""
    known = _bodies.get(desk, {})
    ready = {one.id: known[one.id] for one in near if one.id in known}
    absent = [one for one in near if one.id not in ready]
    if absent:
        bodies = deliveries.bodies(tx, [one.id for one in absent])
        ready |= {one.id: parse(desk, one.receiver, bodies[one.id]) for one in absent}
    _bodies[desk] = ready
    return ready


def _apply(tx: Tx, desk: Desk, attempt: _Attempt, ready: Mapping[int, Body], only: int | None) -> int:
    attempt.begin()
    near = _near(deliveries.claim(tx, AHEAD, only))
    if tx.postgresql:
        ready = _parsed(tx, desk, near)
    cut = _Slice()
    for one in near:
        if one.id not in ready or attempt.full:
            break
        _take(one, ready[one.id], attempt, cut)
    carry_out(tx, desk, cut.seen)
    for delivery_id, error in cut.unreadable:
        deliveries.bury(tx, delivery_id, error)
    deliveries.add_letters(tx, cut.letters)
    desk.fault("apply.before_done")
    deliveries.advance(tx, cut.progress)
    tx.after_commit.append(lambda: _count(cut, tx.now))
    return len(attempt.places) + len(cut.unreadable) + len(cut.done)


def _take(one: Claimed, body: Body, attempt: _Attempt, cut: _Slice) -> None:
    """The next entries of a delivery, as many as the slice has room for."""
    if body.error:
        cut.unreadable.append((one.id, body.error))
        return
    upto = one.applied_upto
    while upto < body.total and not attempt.full:
        event = body.events.get(upto)  # a syslog line may say nothing that is an event: it costs nothing then
        if event is not None:
            cut.seen.append(seen(one, event))
            attempt.add((one.id, upto), event)
        elif upto in body.errors:
            cut.letters.append((one.id, upto, body.errors[upto]))
            attempt.add((one.id, upto), None)
        upto += 1
    done = upto >= body.total
    cut.progress.append(Progress(one.id, upto, body.total, body.truncated, done))
    if done:
        cut.done.append(one.received_at)
        if body.mismatched:
            cut.mismatched.append((one.source, body.mismatched))


def seen(of: Claimed | Kept, event: AlertEvent) -> Seen:
    """An event of a delivery; a time that the sender did not tell is the delivery's own."""
    return Seen(of.id, of.received_at, of.source, timed(event, of.received_at))


def carry_out(tx: Tx, desk: Desk, seen: Sequence[Seen]) -> None:
    """Observations, then what they mean for incidents."""
    seen = settle.settle(tx, desk, seen)
    if not seen:
        return
    recorded = observe.record(tx, desk, seen)
    desk.fault("apply.mid_slice")
    attach.follow(tx, desk, recorded.judged)
    tx.after_commit.append(lambda: _count_events(recorded.outcomes))


def _dead(desk: Desk, place: tuple[int, int], error: Exception) -> int:
    text = f"{type(error).__name__}: {_text(error)}"
    log.warning("an event cannot be applied", delivery=place[0], index=place[1], error=text, where=_where(error))
    return desk.write(lambda tx: _bury(tx, place, text), Priority.SLICE)


def alone(desk: Desk, place: tuple[int, int], change: Callable[[Tx], bool]) -> bool:
    """Try one dead event again in a transaction of its own; what it fails with is told in its letter. Raises Busy."""
    try:
        return desk.write(change, Priority.SLICE)
    except Busy:
        raise
    except Exception as error:  # noqa: BLE001 - it costs no other event
        text = f"{type(error).__name__}: {_text(error)}"
        log.warning("an event still cannot be applied", delivery=place[0], index=place[1], error=text)
    desk.write(lambda tx: deliveries.add_letters(tx, [(*place, text)]), Priority.SLICE)
    return False


def _bury(tx: Tx, place: tuple[int, int], error: str) -> int:
    """One event that cannot be applied: kept as a dead letter, and the delivery goes on after it."""
    delivery_id, index = place
    kept = deliveries.lock(tx, delivery_id)
    if kept is None or kept.state != deliveries.STORED or kept.applied_upto > index:
        return 1  # another worker was faster
    deliveries.add_letters(tx, [(delivery_id, index, error)])
    deliveries.skip(tx, delivery_id, index + 1)
    source = kept.source
    tx.after_commit.append(lambda: metrics.event(source, "dead"))
    return 1


def _count(cut: _Slice, now: datetime) -> None:
    for received_at in cut.done:
        metrics.ingest_lag(max((now - received_at).total_seconds(), 0.0))
    for progress in cut.progress:
        if progress.done and progress.truncated:
            log.warning("the sender cut alerts off", delivery=progress.id, count=progress.truncated)
    for source, count in cut.mismatched:
        log.info("fingerprints are not those of their labels", source=source, count=count)
        metrics.mismatched(source, count)


def _count_events(outcomes: Mapping[tuple[str, str], int]) -> None:
    for (source, outcome), count in outcomes.items():
        metrics.event(source, outcome, count)

"""Stores raw deliveries, before anybody is told 200: requests that wait at the same moment share one commit.

One request leads: it takes the writer, stores everything that waits in one statement, and wakes the others. Whoever
comes meanwhile waits for the next round, which one of them leads. Nothing is parsed here.
"""

from __future__ import annotations

import threading
import time
import zlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from servicedesk import metrics
from servicedesk.desk import Desk
from servicedesk.errors import Busy
from servicedesk.services.shared import disk
from servicedesk.store import deliveries
from servicedesk.store.db import Priority, Tx

MAX_ROUND = 500  # deliveries in one commit
MAX_ROUND_BYTES = 16 << 20  # compressed, in one commit
PATIENCE = 4.5  # seconds until a sender is told to come again: Alertmanager gives up soon after
TOPIC = "deliveries"


@dataclass(slots=True, eq=False)
class _Waiting:
    row: dict[str, Any]
    woken: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    id: int | None = None
    error: Exception | None = None


@dataclass(slots=True)
class _Queue:
    mutex: threading.Lock = field(default_factory=threading.Lock)
    waiting: list[_Waiting] = field(default_factory=list)
    led: bool = False


_queues: WeakKeyDictionary[Desk, _Queue] = WeakKeyDictionary()
_queues_mutex = threading.Lock()


def store(desk: Desk, raw: bytes, receiver: str, source: str, content_type: str, received_at: datetime) -> int:
    """Store one raw body; it is durable when the delivery's id comes back.

    Raises Busy when the database is away or full, or too many wait: the sender must be told 503. In all cases nothing
    that was acknowledged is lost; what was not may be there nevertheless.
    """
    began = time.perf_counter()
    disk.require_room(desk)
    row = {
        "receiver": receiver,
        "source": source,
        "content_type": content_type[:200],
        "received_at": received_at,
        "body": zlib.compress(raw, 1),
        "size": len(raw),
    }
    one, queue = _Waiting(row), _queue(desk)
    if not _enter(queue, one, desk.config.http.max_waiting):
        _wait(queue, one)
    if one.leads:
        _lead(desk, queue)
    if one.error is not None:
        raise one.error
    assert one.id is not None  # noqa: S101 - every round answers all that it took
    metrics.stored(time.perf_counter() - began)
    return one.id


def _queue(desk: Desk) -> _Queue:
    with _queues_mutex:
        return _queues.setdefault(desk, _Queue())


def _enter(queue: _Queue, one: _Waiting, limit: int) -> bool:
    """Join the queue; True when this one leads. Raises Busy when it is full."""
    with queue.mutex:
        if len(queue.waiting) >= limit:
            raise Busy(f"{limit} deliveries wait already to be stored")
        queue.waiting.append(one)
        one.leads = not queue.led
        queue.led = True
        return one.leads


def _wait(queue: _Queue, one: _Waiting) -> None:
    if one.woken.wait(PATIENCE):
        return
    with queue.mutex:
        if one.leads or one.woken.is_set():
            return
        if one in queue.waiting:
            queue.waiting.remove(one)
        one.error = Busy("the database takes too long")


def _lead(desk: Desk, queue: _Queue) -> None:
    """Store a round and hand the lead on to one of those who came meanwhile."""
    taken: list[_Waiting] = []
    try:
        with _turn(desk):
            with queue.mutex:
                taken = _take(queue)
            ids = desk.db.write_locked(lambda tx: _insert(tx, desk, [one.row for one in taken]))
        for one, number in zip(taken, ids, strict=True):
            one.id = number
        desk.fault("intake.after_commit")
        desk.wake.notify(TOPIC)
    except Exception as error:
        for one in taken:
            one.error = error if isinstance(error, Busy) else Busy(f"it could not be stored: {type(error).__name__}")
        if not isinstance(error, Busy):
            raise
    finally:
        _hand_on(queue, taken)


def _turn(desk: Desk) -> AbstractContextManager[None]:
    """SQLite has one writer; on PostgreSQL the lead itself is the turn."""
    return nullcontext() if desk.db.postgresql else desk.db.writer.hold(Priority.DELIVERY)


def _take(queue: _Queue) -> list[_Waiting]:
    """The oldest, at least one, as many as one commit should hold."""
    size = count = 0
    for one in queue.waiting[:MAX_ROUND]:
        size += len(one.row["body"])
        if count and size > MAX_ROUND_BYTES:
            break
        count += 1
    taken, queue.waiting = queue.waiting[:count], queue.waiting[count:]
    return taken


def _insert(tx: Tx, desk: Desk, rows: list[dict[str, Any]]) -> list[int]:
    ids = deliveries.insert_many(tx, rows)
    desk.fault("intake.before_commit")
    return ids


def _hand_on(queue: _Queue, taken: list[_Waiting]) -> None:
    with queue.mutex:
        heir = queue.waiting[0] if queue.waiting else None
        if heir is None:
            queue.led = False
        else:
            heir.leads = True
            heir.woken.set()
        for one in taken:
            one.woken.set()

"""Raw deliveries that are done go after a while: oldest first, in small steps, counted.

Those that wait, those that are dead, alerts, events and timelines stay.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile

import structlog

from servicedesk import metrics
from servicedesk.desk import Desk
from servicedesk.store import retention as store
from servicedesk.store.db import Priority, Tx
from servicedesk.store.retention import Old, Stock

STEP = 200  # deliveries in one transaction
STEP_BYTES = 8 << 20  # of bodies in one transaction, but at least one
ROUNDS = 50  # steps in one run of the job

log = structlog.get_logger("servicedesk.retention")


def run_due(desk: Desk) -> int:
    """Count what came and prune what is due; answers how many deliveries were deleted, and is asked again if any."""
    total = 0
    for kind in store.KINDS:
        for _ in range(ROUNDS):
            counted, gone = desk.write(partial(_step, desk=desk, kind=kind), Priority.SLICE)
            total += gone
            if gone:
                metrics.pruned(kind, gone)
            if not (counted or gone):
                break
    if total:
        log.info("raw deliveries were pruned", count=total)
    return total


def _step(tx: Tx, desk: Desk, kind: str) -> tuple[bool, int]:
    """One transaction: (is there more to count, how many went)."""
    store.begin_anew(tx, store.lock(tx, kind))
    more = store.count_on(tx, store.lock(tx, kind))
    stock = store.lock(tx, kind)
    keep, limit = _limits(desk, kind)
    passed = _passed(store.oldest(tx, stock, STEP), stock, tx.now - keep, limit)
    return more, store.prune(tx, stock, passed) if passed else 0


def _limits(desk: Desk, kind: str) -> tuple[timedelta, int]:
    kept = desk.config.retention
    if kind == store.SYSLOG:
        return timedelta(hours=kept.syslog_hours), int(kept.syslog_gb * 1e9)
    return timedelta(days=kept.days), int(kept.gb * 1e9)


def _passed(found: list[Old], stock: Stock, before: datetime, limit: int) -> list[Old]:
    """From the oldest on, those that are too old or too much; those that must stay are passed over on the way."""
    left, taken = stock.bytes, 0

    def goes(one: Old) -> bool:
        nonlocal left, taken
        if taken >= STEP_BYTES or not (one.received_at < before or left > limit):
            return False
        if one.free:
            left, taken = left - one.size, taken + one.size
        return True

    return list(takewhile(goes, found))

"""Who sends how much, rolled up by minute: a job, so that no delivery and no page pays for it."""

from __future__ import annotations

from servicedesk.desk import Desk
from servicedesk.store import traffic
from servicedesk.store.db import Priority


def run_due(desk: Desk) -> int:
    """Roll on by a step; answers how many deliveries that were. Raises Busy."""
    with desk.read() as tx:
        new, old = traffic.any_new(tx), traffic.any_old(tx)
    if old:
        desk.write(traffic.forget, Priority.SLICE)
    return desk.write(traffic.roll_on, Priority.SLICE) if new else 0

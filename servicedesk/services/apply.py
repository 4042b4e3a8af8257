"""The worker that applies stored deliveries."""

from __future__ import annotations

from servicedesk.desk import Desk
from servicedesk.services.shared import gather, pressure, slices


def run_once(desk: Desk) -> int:
    """Apply one slice; answers how many entries it held, 0 when nothing waits. Raises Busy.

    What listens in this process goes first: a stored line can be applied later, one that is not taken is lost.
    """
    pressure.give_way(desk)
    return slices.step(desk)


def run_all(desk: Desk) -> int:
    """Apply until nothing waits, nor asks to be looked at again; answers how many entries that were. Raises Busy."""
    total = 0
    while True:
        while count := slices.step(desk):
            total += count
        if not gather.look(desk):
            return total

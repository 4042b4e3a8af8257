"""The worker that looks again at alerts which wait for others: thresholds, tickets to be attached to."""

from __future__ import annotations

from servicedesk.desk import Desk
from servicedesk.services.shared import gather


def run_once(desk: Desk) -> int:
    """Look at one group of alerts that wait; answers 1, or 0 when nothing has changed among them. Raises Busy."""
    return int(gather.look(desk))

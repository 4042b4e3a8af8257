"""Alerts change their ticket: members, episodes and the alert's own pointer, told on both timelines."""

from __future__ import annotations

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor, number
from servicedesk.services.shared import timeline
from servicedesk.services.shared.timeline import Line
from servicedesk.store import tickets
from servicedesk.store.db import Tx


def move_alerts(tx: Tx, desk: Desk, source: int, target: int, actor: Actor) -> int:
    """All members of `source` go to `target`; the caller holds both locks (lower id first). Answers how many moved."""
    moved = tickets.move_members(tx, source, target)
    if moved:
        told = {"alerts": moved, "from": number(source), "to": number(target)}
        lines = [Line(source, "alerts_moved", told, actor), Line(target, "alerts_moved", told, actor)]
        timeline.append_many(tx, desk, lines)
    return moved

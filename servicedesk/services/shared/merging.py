"""Alerts change their ticket: members, episodes and the alert's own pointer, told on both timelines."""

from __future__ import annotations

from servicedesk.desk import Desk
from servicedesk.domain.incident import RESOLVED, REVIEW, SYSTEM, Action, Actor, number
from servicedesk.services.shared import facts as loader
from servicedesk.services.shared import notify, timeline, transition
from servicedesk.services.shared.judge import judge
from servicedesk.services.shared.notify import Notice
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
        _taken_over(tx, desk, source, target)
    return moved


def _taken_over(tx: Tx, desk: Desk, source: int, target: int) -> None:
    """What a resolved ticket takes over counts as if it happened there: firing is M7, else quiet begins anew."""
    f = loader.load(tx, desk, target)
    if f.status not in (RESOLVED, REVIEW):
        return
    firing = sorted({a.name for a in f.alerts if a.clears and a.status == "firing"})
    if not firing:
        judge(tx, desk, target)
        return
    names = ", ".join(firing[:3])
    reason = f"{names} fires, taken over from {number(source)}."
    transition.perform(tx, desk, f, SYSTEM, Action("reopen", reason=reason, trigger="alert"), {}, {"trigger": "alert"})
    notice = Notice("refired", target, f"cycle {f.cycle + 1}", {"text": reason, "alert": names})
    notify.enqueue(tx, desk, [notice])

"""What alerts do to the incidents that exist, carried out: columns, timeline lines, moves, notices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from alert_receivers.event import visible
from servicedesk.desk import Desk
from servicedesk.domain import priority as priorities
from servicedesk.domain.alert_state import FIRING, RECOVERED, SUSPECT
from servicedesk.domain.incident import PENDING, RESOLVED, REVIEW, SYSTEM, WORKING, Action
from servicedesk.services.shared import facts as loader
from servicedesk.services.shared import notify, paging, timeline, transition
from servicedesk.services.shared.judge import judge
from servicedesk.services.shared.notify import Notice
from servicedesk.services.shared.observe import Judged
from servicedesk.services.shared.timeline import Line
from servicedesk.store import alerts, correlations
from servicedesk.store.correlations import Ticket
from servicedesk.store.db import Tx

SHOWN = 10  # alerts named in one timeline line


@dataclass(slots=True)
class Effect:
    """What this slice does to one incident that exists."""

    ticket: Ticket
    joined: list[Judged] = field(default_factory=list)
    again: list[Judged] = field(default_factory=list)  # members that fire again
    recovered: list[Judged] = field(default_factory=list)
    doubted: list[Judged] = field(default_factory=list)
    reason: str = ""
    reopens: bool = False

    @property
    def all(self) -> list[Judged]:
        return [*self.joined, *self.again, *self.recovered, *self.doubted]

    @property
    def firing(self) -> list[Judged]:
        return [one for one in (*self.joined, *self.again) if one.row.status == FIRING]

    @property
    def flaps(self) -> bool:
        """Do all that fire here flap? Then their episodes are no news: one notice has said so (`flaps.tell`)."""
        found = [*self.joined, *self.again]
        return bool(found) and all(one.row.flapping_since is not None for one in found)

    @property
    def over(self) -> list[Judged]:
        return [one for one in (*self.joined, *self.recovered) if one.row.status == RECOVERED]


def carry_out(tx: Tx, desk: Desk, effects: Iterable[Effect]) -> None:
    """Rows, timeline lines, moves and notices of the incidents that existed."""
    effects = list(effects)
    quiet = {e.ticket.id for e in effects if e.over and not e.firing}
    quiet -= alerts.unquiet(tx, quiet)
    lines: list[Line] = []
    before = {e.ticket.id: e.ticket.priority for e in effects}
    for effect in effects:
        lines += _escalate(desk, effect)
        _sum_up(tx, effect, effect.ticket.id in quiet)
        lines += _lines(effect)
    correlations.write_tickets(tx, [e.ticket for e in effects])
    timeline.append_many(tx, desk, lines)
    raised = [e.ticket.id for e in effects if e.ticket.priority != before[e.ticket.id]]
    paging.changed(tx, desk, raised, raised=True)
    paging.fires_again(tx, desk, [e.ticket.id for e in effects if e.again and not e.flaps])
    for effect in effects:
        _move(tx, desk, effect)


def _sum_up(tx: Tx, effect: Effect, quiet: bool) -> None:
    """The incident's own columns."""
    t, seen = effect.ticket, [one.seen_at for one in effect.all]
    if not seen:  # only its start or its count of episodes
        return
    t.first_seen = min([*seen, *([t.first_seen] if t.first_seen else [])])
    t.last_seen = max([*seen, *([t.last_seen] if t.last_seen else [])])
    doubts = [one.suspect_at for one in effect.all if one.suspect_at is not None]
    t.suspect_at = max([*doubts, *([t.suspect_at] if t.suspect_at else [])], default=None)
    t.updated_at = tx.now
    if effect.firing:
        t.recovered_at, t.auto_recovered = None, False
    elif doubts:
        t.auto_recovered = False
    elif quiet:
        last = max(one.seen_at for one in effect.over)
        t.recovered_at = max(last, t.recovered_at) if t.recovered_at else last
        t.auto_recovered = t.status == WORKING[0]


def _escalate(desk: Desk, effect: Effect) -> list[Line]:
    """A more severe sibling raises the priority while nobody has touched the ticket; afterwards it only proposes."""
    t, policy = effect.ticket, desk.policy.priority
    if not effect.joined or t.impact is None or t.urgency is None:
        return []
    urgency = min(priorities.severity_of(one.row.severity, policy).urgency for one in effect.joined)
    value = priorities.priority_of(t.impact, urgency, policy)
    if t.priority is None or value >= t.priority:
        return []
    reason = f"{effect.joined[0].row.name} is more severe than what it was opened for."
    said = {"priority": [t.priority, value], "urgency": [t.urgency, urgency]}
    if t.settled:
        return [Line(t.id, "priority_proposed", {"text": f"P{value}: {reason}", "changes": said})]
    t.priority, t.urgency, t.top_priority = value, urgency, min(value, t.top_priority or value)
    return [Line(t.id, "edit", {"changes": said, "reason": reason})]


def _lines(effect: Effect) -> list[Line]:
    doubted = [one for one in effect.doubted if one.before != SUSPECT]  # copies are no news
    parts = (("joined", effect.joined), ("firing", effect.again), ("recovered", effect.recovered), ("suspect", doubted))
    return [_line(effect, event, found) for event, found in parts if found]


def _line(effect: Effect, event: str, found: Sequence[Judged]) -> Line:
    names = sorted({one.row.name for one in found})
    times = [one.row.ends_at if event == "recovered" and one.row.ends_at else one.row.starts_at for one in found]
    said: dict[str, Any] = {
        "status": found[0].row.status,
        "event": event,
        "name": ", ".join(names[:3]),
        "at": min(times).isoformat(),
        "alerts": [_short(one) for one in found[:SHOWN]],
    }
    if len(found) > SHOWN:
        said["count"] = len(found)
    if event == "firing" and effect.reason:
        said["reason"] = effect.reason
    return Line(effect.ticket.id, "alert", said)


def _short(one: Judged) -> str:
    """Which of its like it is, in a few words."""
    labels = one.event.labels if one.event else {}
    told = [labels[name] for name in ("instance", "pod", "node", "host", "device", "mountpoint") if labels.get(name)]
    return visible(" ".join(told)[:120]) or f"alert {one.row.id}"


def _move(tx: Tx, desk: Desk, effect: Effect) -> None:
    """M7, or back from waiting for this very thing; the system's own moves are judged again."""
    t = effect.ticket
    if effect.reopens:
        action = Action("reopen", reason=effect.reason, trigger="alert")
        transition.perform(tx, desk, loader.load(tx, desk, t.id), SYSTEM, action, content={"trigger": "alert"})
        key = f"cycle {t.cycle + 1}"
        event = "flaps" if effect.flaps else "refired"  # who resolved it hears of it either way
        notify.enqueue(tx, desk, [Notice(event, t.id, key, {"text": effect.reason, "alert": _names(effect.again)})])
    elif t.status == PENDING and (effect.again or effect.joined):
        _wake_up(tx, desk, effect)
    elif t.status in (RESOLVED, REVIEW):
        judge(tx, desk, t.id)
    elif any(one.confirmed_now for one in effect.again) and not effect.flaps:
        key = f"confirmed {max(one.row.last_seq for one in effect.again)}"
        notify.enqueue(tx, desk, [Notice("refired", t.id, key, {"text": effect.reason, "alert": _names(effect.again)})])


def _wake_up(tx: Tx, desk: Desk, effect: Effect) -> None:
    """Under observation work goes on; whatever else it waits for, the owner is told."""
    t, found = effect.ticket, [*effect.again, *effect.joined]
    if t.hold_reason == "observation":
        action = Action("resume", reason="An alert fired while it was under observation.")
        transition.perform(tx, desk, loader.load(tx, desk, t.id), SYSTEM, action, {"waiting_on": "none"})
    if effect.flaps:
        return
    key = f"hold {min(one.row.starts_at for one in found).isoformat()} {found[0].row.id}"
    notify.enqueue(tx, desk, [Notice("refired", t.id, key, {"alert": _names(found)})])


def _names(found: Iterable[Judged]) -> str:
    return ", ".join(sorted({one.row.name for one in found})[:3])

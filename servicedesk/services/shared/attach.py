"""What alerts mean for incidents, carried out for a whole slice: open, attach, reopen, recover, doubt.

Locks: the alerts are locked by the caller; here correlation digests, then incidents by id, then rows are appended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from alert_receivers.event import visible
from servicedesk.desk import Desk
from servicedesk.domain import correlation as rules
from servicedesk.domain import priority as priorities
from servicedesk.domain.alert_state import FIRING, RECOVERED, SUSPECT
from servicedesk.domain.correlation import Candidate, Change, Decision, Own, Seating, Shift, Unit
from servicedesk.domain.incident import CANCELLED, CLOSED, PENDING, RESOLVED, REVIEW, SYSTEM, WORKING, Action
from servicedesk.domain.incident import number as incident_number
from servicedesk.services.shared import facts as loader
from servicedesk.services.shared import notify, observe, opening, regroup, timeline, transition
from servicedesk.services.shared.judge import judge
from servicedesk.services.shared.notify import Notice
from servicedesk.services.shared.observe import Judged, Planned
from servicedesk.services.shared.opening import Member, Opening
from servicedesk.services.shared.timeline import Line
from servicedesk.store import alerts, correlations
from servicedesk.store.correlations import Ticket
from servicedesk.store.db import Tx

SHOWN = 10  # alerts named in one timeline line
_Homeless = list[tuple[Judged, Decision]]  # what still needs an incident


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
    def over(self) -> list[Judged]:
        return [one for one in (*self.joined, *self.recovered) if one.row.status == RECOVERED]


def follow(tx: Tx, desk: Desk, judged: Sequence[Judged]) -> None:
    """Carry out what these alerts (locked, observations written) mean, and write their state."""
    if not judged:
        return
    tickets = _lock(tx, desk, judged)
    effects: dict[int, Effect] = {}
    homeless: _Homeless = []
    shifted: dict[bytes, Shift] = {}
    for one in judged:
        decision = rules.correlate(_change(one), _own(one, tickets), desk.policy.alerts)
        one.row.decision = decision.reason
        if decision.kind in ("open", "recur"):
            homeless.append((one, decision))
        else:
            _stay(one, decision, tickets, effects, shifted)
    groups = _seat(desk, homeless, tickets, effects, shifted)
    openings = [_opening(group) for group in groups]
    opened = list(zip(opening.open_all(tx, desk, openings), openings, strict=True))
    for (incident_id, _), group in zip(opened, groups, strict=True):
        _belong([one for one, _ in group], incident_id)
    joined = [(i, _member(one)) for i, effect in effects.items() for one in effect.joined]
    _write(tx, judged, [(i, m.row.id) for i, m in [*((i, m) for i, o in opened for m in o.members), *joined]])
    _carry_out(tx, desk, effects.values())
    opening.announce(tx, desk, opened, joined)
    regroup.regroup(tx, desk, shifted)
    tx.after_commit.append(lambda: desk.wake.notify("changes"))


def declared_over(tx: Tx, desk: Desk, alert_ids: Collection[int]) -> None:
    """People have declared these alerts over (written with their members): alerts that cannot say so themselves."""
    judged = observe.judge_anew(tx, desk, list(alerts.lock_by_id(tx, alert_ids).values()))
    _write(tx, judged, [])


def _lock(tx: Tx, desk: Desk, judged: Sequence[Judged]) -> dict[int, Ticket]:
    """The incidents of these alerts, and those that fresh episodes could join."""
    window = desk.policy.alerts.join_window
    fresh = [j for j in judged if j.fresh or j.confirmed_now]
    correlations.lock_digests(tx, {j.row.correlation for j in fresh})
    near = correlations.near(tx, [(j.row.correlation, _start(j) - window, _start(j) + window) for j in fresh])
    own = {j.row.incident_id for j in judged if j.row.incident_id is not None}
    return correlations.lock_tickets(tx, own.union(near))


def _start(one: Judged) -> datetime:
    """Where it stands among its siblings: the start of its first episode that needs an incident."""
    return min((e.starts_at for e in one.fresh), default=one.row.starts_at)


def _change(one: Judged) -> Change:
    fresh = one.fresh
    ends = [e.ends_at for e in fresh]
    over = None if not ends or None in ends else max(end for end in ends if end is not None)
    fired = one.row.incident_id is not None or any(e.fired for e in one.episodes)
    anew, wish = bool(fresh) or one.confirmed_now, one.event.unticketed if one.event else ""
    return Change(one.row.name, one.row.severity, one.row.status, fired, anew, over, wish)


def _own(one: Judged, tickets: Mapping[int, Ticket]) -> Own | None:
    if one.row.incident_id is None:
        return None
    ticket = tickets[one.row.incident_id]
    over = ticket.status in (CLOSED, CANCELLED)
    return Own(ticket.id, ticket.status, (ticket.closed_at or ticket.updated_at) if over else None)


def _stay(
    one: Judged,
    decision: Decision,
    tickets: Mapping[int, Ticket],
    effects: dict[int, Effect],
    shifted: dict[bytes, Shift],
) -> None:
    """An alert that stays with its own incident, or has none."""
    if one.row.incident_id is None:
        return
    ticket = tickets[one.row.incident_id]
    if decision.kind == "ignore":
        _belong([one], ticket.id)
        return
    effect = effects.setdefault(ticket.id, Effect(ticket))
    starts = [e.starts_at for e in one.episodes if e.fired and e.incident_id in (None, ticket.id)]
    if decision.kind == "recover":
        if one.before != RECOVERED or one.fresh:
            effect.recovered.append(one)
    elif decision.kind == "suspect":
        effect.doubted.append(one)
    elif one.fresh or one.confirmed_now or one.before != FIRING:
        effect.again.append(one)
        effect.reason = decision.reason
        effect.reopens = decision.kind == "reopen"
    _begin_earlier(ticket, starts, shifted)
    _belong([one], ticket.id)
    ticket.occurrences += sum(e.incident_id == ticket.id for e in one.episodes) - one.carried


def _begin_earlier(ticket: Ticket, starts: Iterable[datetime], shifted: dict[bytes, Shift]) -> None:
    """A start before the incident's own moves its window: untouched incidents are partitioned anew."""
    start = min(starts, default=ticket.started_at)
    if start is None or (ticket.started_at is not None and start >= ticket.started_at):
        return
    if not ticket.settled and ticket.correlation is not None and ticket.started_at is not None:
        shifted[ticket.correlation] = Shift(start, ticket.started_at) | shifted.get(ticket.correlation)
    ticket.started_at = start


def _belong(members: Iterable[Judged], incident_id: int) -> None:
    for one in members:
        for episode in _needing(one):
            episode.incident_id, episode.changed = incident_id, True
        one.row.incident_id, one.fresh = incident_id, []


def _needing(one: Judged) -> list[Planned]:
    """Episodes that the alert's incident now carries: fresh ones, and one that a confirmation opened again."""
    reopened = [e for e in one.episodes if e.ends_at is None] if one.confirmed_now else []
    return [*one.fresh, *reopened]


def _seat(
    desk: Desk,
    homeless: _Homeless,
    tickets: Mapping[int, Ticket],
    effects: dict[int, Effect],
    shifted: dict[bytes, Shift],
) -> list[_Homeless]:
    """Find the open sibling incident of each; what is left over is grouped into new ones."""
    by_digest: dict[bytes, _Homeless] = {}
    for one, decision in homeless:
        by_digest.setdefault(one.row.correlation, []).append((one, decision))
    candidates: dict[bytes | None, list[Candidate]] = {}
    for ticket in tickets.values():
        if ticket.status in WORKING and ticket.started_at is not None:
            one_more = Candidate(ticket.id, ticket.started_at, ticket.settled)
            candidates.setdefault(ticket.correlation, []).append(one_more)
    groups: list[_Homeless] = []
    for digest, found in by_digest.items():
        units = {Unit(_start(one), one.row.key): (one, decision) for one, decision in found}
        seating = rules.seat(units, candidates.get(digest, ()), desk.policy.alerts.join_window)
        groups += _take_seats(seating, units, tickets, effects, shifted)
    return groups


def _opening(group: _Homeless) -> Opening:
    before = next((decision.incident_id for _, decision in group if decision.incident_id), None)
    return Opening([_member(one) for one, _ in group], group[0][1], before)


def _member(one: Judged) -> Member:
    labels = one.event.labels if one.event else None
    return Member(one.row, _start(one), max(len(one.fresh), 1), one.seen_at, one.suspect_at, labels)


def _take_seats(
    seating: Seating,
    units: Mapping[Unit, tuple[Judged, Decision]],
    tickets: Mapping[int, Ticket],
    effects: dict[int, Effect],
    shifted: dict[bytes, Shift],
) -> list[_Homeless]:
    new: dict[int, _Homeless] = {}
    for unit, number in seating.seats.items():
        one, decision = units[unit]
        if number < 0:
            new.setdefault(number, []).append((one, decision))
        else:
            ticket = tickets[number]
            effects.setdefault(number, Effect(ticket)).joined.append(one)
            _begin_earlier(ticket, [unit.start], shifted)
            ticket.occurrences += max(len(one.fresh), 1)
            one.row.decision = f"Its siblings' incident {incident_number(number)} began within the joining window."
            _belong([one], number)
    return list(new.values())


def _write(tx: Tx, judged: Sequence[Judged], members: Sequence[tuple[int, int]]) -> None:
    """Episodes, the alerts' state, and the (incident, alert) that are new."""
    new: list[tuple[Any, ...]] = []
    changed: list[tuple[Any, ...]] = []
    for one in judged:
        for e in one.episodes:
            if e.changed:
                state = (e.starts_at, e.ends_at, e.fired, e.suspect, e.incident_id)
                (changed if e.id else new).append((e.id or one.row.id, *state))
    alerts.write_episodes(tx, new, changed, {number for one in judged for number in one.gone})
    alerts.write_state(tx, [one.row for one in judged])
    correlations.add_members(tx, members)


def _carry_out(tx: Tx, desk: Desk, effects: Iterable[Effect]) -> None:
    """Rows, timeline lines, moves and notices of the incidents that existed."""
    effects = list(effects)
    quiet = {e.ticket.id for e in effects if e.over and not e.firing}
    quiet -= alerts.unquiet(tx, quiet)
    lines: list[Line] = []
    for effect in effects:
        lines += _escalate(desk, effect)
        _sum_up(tx, effect, effect.ticket.id in quiet)
        lines += _lines(effect)
    correlations.write_tickets(tx, [e.ticket for e in effects])
    timeline.append_many(tx, desk, lines)
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
        notify.enqueue(tx, desk, [Notice("refired", t.id, key, {"text": effect.reason, "alert": _names(effect.again)})])
    elif t.status == PENDING and (effect.again or effect.joined):
        _wake_up(tx, desk, effect)
    elif t.status in (RESOLVED, REVIEW):
        judge(tx, desk, t.id)
    elif any(one.confirmed_now for one in effect.again):
        key = f"confirmed {max(one.row.last_seq for one in effect.again)}"
        notify.enqueue(tx, desk, [Notice("refired", t.id, key, {"text": effect.reason, "alert": _names(effect.again)})])


def _wake_up(tx: Tx, desk: Desk, effect: Effect) -> None:
    """Under observation work goes on; whatever else it waits for, the owner is told."""
    t, found = effect.ticket, [*effect.again, *effect.joined]
    if t.hold_reason == "observation":
        action = Action("resume", reason="An alert fired while it was under observation.")
        transition.perform(tx, desk, loader.load(tx, desk, t.id), SYSTEM, action, {"waiting_on": "none"})
    key = f"hold {min(one.row.starts_at for one in found).isoformat()} {found[0].row.id}"
    notify.enqueue(tx, desk, [Notice("refired", t.id, key, {"alert": _names(found)})])


def _names(found: Iterable[Judged]) -> str:
    return ", ".join(sorted({one.row.name for one in found})[:3])

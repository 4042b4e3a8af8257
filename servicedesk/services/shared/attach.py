"""What alerts mean for incidents, decided for a whole slice: open, attach, reopen, recover, doubt, wait, suppress.

Locks: the alerts are locked by the caller; here correlation digests, then incidents by id, then rows are appended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain import correlation as rules
from servicedesk.domain.alert_state import FIRING, RECOVERED
from servicedesk.domain.correlation import Candidate, Change, Decision, Own, Seating, Shift, Unit
from servicedesk.domain.correlation_rules import Ruleset
from servicedesk.domain.correlation_rules import digest as correlation_digest
from servicedesk.domain.incident import CANCELLED, CLOSED, WORKING
from servicedesk.domain.incident import number as incident_number
from servicedesk.services.shared import effects as acts
from servicedesk.services.shared import flaps, holding, observe, opening, regroup, storms
from servicedesk.services.shared.effects import Effect
from servicedesk.services.shared.observe import Judged
from servicedesk.services.shared.opening import Member, Opening
from servicedesk.services.shared.planned import Planned
from servicedesk.store import alerts, correlations, gathering, records
from servicedesk.store.alerts import AlertRow
from servicedesk.store.correlations import Ticket
from servicedesk.store.db import Tx

Homeless = list[tuple[Judged, Decision]]  # what still needs an incident


def follow(tx: Tx, desk: Desk, judged: Sequence[Judged]) -> None:
    """Carry out what these alerts (locked, observations written) mean, and write their state."""
    if not judged:
        return
    ruleset = desk.rules.current()
    _rule_anew(tx, ruleset, judged)
    holds = holding.hold_back(tx, judged)
    turns = flaps.judge(tx, desk, judged)
    tickets = _lock(tx, ruleset, judged)
    began = {t.id: t.started_at for t in tickets.values()} if ruleset.attaching else {}
    effects: dict[int, Effect] = {}
    homeless: Homeless = []
    shifted: dict[bytes, Shift] = {}
    for one in judged:
        held, before = holds.get(one.row.id), (one.row.waits, one.row.waits_until, one.row.window_id)
        suppressed = held.reason if held and not one.fresh else ""
        decision = rules.correlate(_change(one), _own(one, tickets), ruleset.named(one.row.rule), suppressed)
        one.row.decision = decision.reason
        one.row.waits = one.row.waits_until = one.row.window_id = None
        if decision.kind in ("open", "recur"):
            homeless.append((one, decision))
        elif not (suppressed and decision.kind == "suppress"):
            _stay(one, decision, tickets, effects, shifted)
        holding.wait(tx, desk, one, held, before)
    calmed = storms.calm(tx, desk, _seat(ruleset, homeless, tickets, effects, shifted), tickets)
    for ticket, one in calmed.joining:
        _join(one, ticket, effects)
    opened = finish(tx, desk, judged, effects, [*calmed.alone, *(group for _, group in calmed.stormy)])
    flaps.tell(tx, desk, turns, {i for i, effect in effects.items() if effect.reopens and effect.flaps})
    storms.opened(tx, calmed.stormy, opened[len(calmed.alone) :])
    _mark(tx, ruleset, judged)
    gathering.stir(tx, [i for i, at in began.items() if tickets[i].started_at != at])
    _look_again(tx, desk, ruleset, judged, tickets)
    regroup.regroup(tx, desk, shifted)
    tx.after_commit.append(lambda: desk.wake.notify("changes"))


def finish(
    tx: Tx, desk: Desk, judged: Sequence[Judged], effects: Mapping[int, Effect], groups: Sequence[Homeless]
) -> list[int]:
    """Open an incident for each group, write what these alerts are now, and what it means for those they joined."""
    openings = [_opening(group) for group in groups]
    opened = list(zip(opening.open_all(tx, desk, openings), openings, strict=True))
    for (incident_id, _), group in zip(opened, groups, strict=True):
        belong([one for one, _ in group], incident_id)
    joined = [(i, _member(one)) for i, effect in effects.items() for one in effect.joined]
    _write(tx, judged, [(i, m.row.id) for i, m in [*((i, m) for i, o in opened for m in o.members), *joined]])
    acts.carry_out(tx, desk, effects.values())
    opening.announce(tx, desk, opened, joined)
    return [incident_id for incident_id, _ in opened]


def _rule_anew(tx: Tx, ruleset: Ruleset, judged: Sequence[Judged]) -> None:
    """A known alert that fires anew is judged by the rules of now; a new one has just been."""
    again = [one for one in judged if one.before and (one.fresh or one.released)]
    unread = [one.row.id for one in again if one.event is None]
    texts = correlations.texts(tx, unread) if unread else {}
    for one in again:
        labels = texts[one.row.id].labels if one.event is None else one.event.labels
        rule = ruleset.judge(one.row.source, labels)
        one.row.rule, one.row.correlation = rule.id, correlation_digest(rule, one.row.source, one.row.key, labels)


def _mark(tx: Tx, ruleset: Ruleset, judged: Iterable[Judged]) -> None:
    """Records whose rule says what they are need nobody's look."""
    marked: dict[str, list[int]] = {}
    for one in judged:
        if one.row.incident_id is None and (word := ruleset.named(one.row.rule).mark):
            marked.setdefault(word, []).append(one.row.id)
    for kind, ids in sorted(marked.items()):
        records.mark_by_rule(tx, ids, kind)


def _look_again(tx: Tx, desk: Desk, ruleset: Ruleset, judged: Iterable[Judged], tickets: Mapping[int, Ticket]) -> None:
    """What waits for others is judged in a transaction of its own, which locks all of them."""
    attaching = {rule.id for rule in ruleset.attaching}
    found = [j for j in judged if j.row.waits == "group" or (j.row.rule in attaching and _is_moving_guest(j, tickets))]
    waiting = [(one.row.correlation, start_of(one), one.row.rule) for one in found]
    if waiting:
        gathering.add(tx, waiting)
        tx.after_commit.append(lambda: desk.wake.notify("gathering"))


def _is_moving_guest(one: Judged, tickets: Mapping[int, Ticket]) -> bool:
    """A guest whose times have changed may belong to another ticket."""
    own = tickets.get(one.row.incident_id or 0)
    guest = own is not None and own.correlation != one.row.correlation
    return guest and any(episode.changed for episode in one.episodes)


def declared_over(tx: Tx, desk: Desk, alert_ids: Collection[int]) -> None:
    """People have declared these alerts over (written with their members): alerts that cannot say so themselves."""
    judged = observe.judge_anew(tx, desk, list(alerts.lock_by_id(tx, alert_ids).values()))
    _write(tx, judged, [])


def _lock(tx: Tx, ruleset: Ruleset, judged: Sequence[Judged]) -> dict[int, Ticket]:
    """The incidents of these alerts, and those that fresh episodes could join."""
    fresh = [j for j in judged if j.fresh or j.confirmed_now]
    correlations.lock_digests(tx, {j.row.correlation for j in fresh})
    near = correlations.near(tx, [_near(j, ruleset.named(j.row.rule).join) for j in fresh])
    own = {j.row.incident_id for j in judged if j.row.incident_id is not None}
    return correlations.lock_tickets(tx, own.union(near, storms.taking(tx, fresh)))


def _near(one: Judged, join: timedelta) -> tuple[bytes, datetime, datetime]:
    return one.row.correlation, start_of(one) - join, start_of(one) + join


def start_of(one: Judged) -> datetime:
    """Where it stands among its siblings: the start of its first episode that needs an incident."""
    return min((e.starts_at for e in one.fresh), default=one.row.starts_at)


def _change(one: Judged) -> Change:
    fresh = one.fresh
    ends = [e.ends_at for e in fresh]
    over = None if not ends or None in ends else max(end for end in ends if end is not None)
    fired = one.row.incident_id is not None or any(e.fired for e in one.episodes)
    anew, wish = bool(fresh) or one.confirmed_now, one.event.unticketed if one.event else ""
    held, outlasted = any(e.fired and e.held_until for e in one.episodes), any(e.held_until for e in fresh)
    return Change(one.row.status, fired, anew, over, wish, one.seen_at - start_of(one), held, outlasted)


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
    """An alert that stays with its own incident, or without one."""
    own = None if one.row.incident_id is None else tickets[one.row.incident_id]
    if decision.kind == "wait":
        one.row.waits = "group"
        return
    if own is None or own.status in (CLOSED, CANCELLED):
        if own is not None and decision.rule == "over":
            belong([one], own.id)
        else:
            _pass_over(one)
        return
    _with_own(one, decision, own, effects, shifted)


def _pass_over(one: Judged) -> None:
    """It needs no ticket for what has ended; what still fires may need one when it is judged again."""
    for episode in one.fresh:
        if episode.ends_at is not None and not episode.passed:
            episode.passed = episode.changed = True


def _with_own(
    one: Judged, decision: Decision, ticket: Ticket, effects: dict[int, Effect], shifted: dict[bytes, Shift]
) -> None:
    """An alert whose incident is not over."""
    effect = effects.setdefault(ticket.id, Effect(ticket))
    theirs = [e for e in one.episodes if e.fired and e.incident_id in (None, ticket.id)]
    starts = [e.starts_at for e in theirs if e.incident_id is not None or e.held_until is None]
    if decision.kind == "recover":
        if one.before != RECOVERED or one.fresh:
            effect.recovered.append(one)
    elif decision.kind == "suspect":
        effect.doubted.append(one)
    elif one.fresh or one.confirmed_now or one.released or one.before != FIRING:
        effect.again.append(one)
        effect.reason = decision.reason
        effect.reopens = decision.kind == "reopen"
    _begin_earlier(ticket, one.row, starts, shifted)
    belong([one], ticket.id)
    ticket.occurrences += sum(e.incident_id == ticket.id for e in one.episodes) - one.carried


def _begin_earlier(ticket: Ticket, row: AlertRow, starts: Iterable[datetime], shifted: dict[bytes, Shift]) -> None:
    """A start before the incident's own moves its window: untouched incidents are partitioned anew.

    A guest, which is no sibling of those that it was opened for, moves nothing.
    """
    start = min(starts, default=ticket.started_at) if row.correlation == ticket.correlation else ticket.started_at
    if start is None or (ticket.started_at is not None and start >= ticket.started_at):
        return
    if not ticket.settled and ticket.correlation is not None and ticket.started_at is not None:
        shifted[ticket.correlation] = Shift(start, ticket.started_at, row.rule) | shifted.get(ticket.correlation)
    ticket.started_at = start


def belong(members: Iterable[Judged], incident_id: int) -> None:
    """The incident carries what of these alerts needs one."""
    for one in members:
        for episode in _needing(one):
            episode.incident_id, episode.changed = incident_id, True
        one.row.incident_id, one.fresh = incident_id, []


def _needing(one: Judged) -> list[Planned]:
    """Episodes that the alert's incident now carries: fresh ones, and one that a confirmation opened again."""
    reopened = [e for e in one.episodes if e.ends_at is None] if one.confirmed_now else []
    return [*one.fresh, *reopened]


def _seat(
    ruleset: Ruleset,
    homeless: Homeless,
    tickets: Mapping[int, Ticket],
    effects: dict[int, Effect],
    shifted: dict[bytes, Shift],
) -> list[Homeless]:
    """Find the open sibling incident of each; what is left over is grouped into new ones."""
    by_digest: dict[bytes, Homeless] = {}
    for one, decision in homeless:
        by_digest.setdefault(one.row.correlation, []).append((one, decision))
    candidates: dict[bytes | None, list[Candidate]] = {}
    for ticket in tickets.values():
        if ticket.status in WORKING and ticket.started_at is not None:
            one_more = Candidate(ticket.id, ticket.started_at, ticket.settled)
            candidates.setdefault(ticket.correlation, []).append(one_more)
    groups: list[Homeless] = []
    for digest, found in by_digest.items():
        units = {Unit(start_of(one), one.row.key): (one, decision) for one, decision in found}
        join = ruleset.named(found[0][0].row.rule).join
        seating = rules.seat(units, candidates.get(digest, ()), join)
        groups += _take_seats(seating, units, tickets, effects, shifted)
    return groups


def _opening(group: Homeless) -> Opening:
    before = next((decision.incident_id for _, decision in group if decision.incident_id), None)
    return Opening([_member(one) for one, _ in group], group[0][1], before)


def _member(one: Judged) -> Member:
    labels = one.event.labels if one.event else None
    return Member(one.row, start_of(one), max(len(one.fresh), 1), one.seen_at, one.suspect_at, labels)


def _take_seats(
    seating: Seating,
    units: Mapping[Unit, tuple[Judged, Decision]],
    tickets: Mapping[int, Ticket],
    effects: dict[int, Effect],
    shifted: dict[bytes, Shift],
) -> list[Homeless]:
    new: dict[int, Homeless] = {}
    for unit, number in seating.seats.items():
        one, decision = units[unit]
        if number < 0:
            new.setdefault(number, []).append((one, decision))
        else:
            _begin_earlier(tickets[number], one.row, [unit.start], shifted)
            one.row.decision = f"Its siblings' incident {incident_number(number)} began within the joining window."
            _join(one, tickets[number], effects)
    return list(new.values())


def _join(one: Judged, ticket: Ticket, effects: dict[int, Effect]) -> None:
    effects.setdefault(ticket.id, Effect(ticket)).joined.append(one)
    ticket.occurrences += max(len(one.fresh), 1)
    belong([one], ticket.id)


def _write(tx: Tx, judged: Sequence[Judged], members: Sequence[tuple[int, int]]) -> None:
    """Episodes, the alerts' state, and the (incident, alert) that are new."""
    new: list[tuple[Any, ...]] = []
    changed: list[tuple[Any, ...]] = []
    for one in judged:
        for e in one.episodes:
            if e.changed:
                state = (e.starts_at, e.ends_at, e.fired, e.suspect, e.incident_id, e.passed, e.held_until)
                (changed if e.id else new).append((e.id or one.row.id, *state))
    alerts.write_episodes(tx, new, changed, {number for one in judged for number in one.gone})
    alerts.write_state(tx, [one.row for one in judged])
    correlations.add_members(tx, members)

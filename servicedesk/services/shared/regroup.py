"""Untouched incidents follow the canonical partition of their alerts, when one turns out to have begun earlier."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from servicedesk.desk import Desk
from servicedesk.domain.correlation import Candidate, Decision, Shift, Unit, assign, chain, partition
from servicedesk.domain.incident import SYSTEM, Action, number
from servicedesk.services.shared import facts as loader
from servicedesk.services.shared import opening, timeline, transition
from servicedesk.services.shared.opening import Member, Opening
from servicedesk.services.shared.timeline import Line
from servicedesk.store import alerts, correlations, gathering
from servicedesk.store.db import Tx

SPLIT = Decision("open", "partition", "A sibling that began earlier has a window of its own; this began after it.")


def regroup(tx: Tx, desk: Desk, shifted: Mapping[bytes, Shift]) -> None:
    """For each correlation digest, from where it shifted on: move alerts to where they would be had they come in order.

    Members, episodes and alerts are written already. An incident that loses its last alert is cancelled as merged.
    """
    for digest in sorted(shifted):
        _regroup(tx, desk, digest, shifted[digest])


def _regroup(tx: Tx, desk: Desk, digest: bytes, shift: Shift) -> None:
    rule = desk.rules.current().named(shift.rule)
    if rule.waits:
        gathering.add(tx, [(digest, shift.start, rule.id)])
        return
    window = rule.join
    heads = [Candidate(i, began, settled=False) for i, began in correlations.heads(tx, digest, shift.start - window)]
    ids = [c.incident_id for c in chain(shift, heads, window)]
    if not ids:
        return
    correlations.lock_tickets(tx, ids)
    found = correlations.members(tx, ids, digest)
    keys = {key: alert_id for _, alert_id, key, _ in found}
    groups = partition([Unit(began, key, incident_id) for incident_id, _, key, began in found], window)
    keepers = assign(groups)
    moves: dict[tuple[int, int], list[int]] = {}  # (from, to) → alerts
    for group, keeper in zip(groups, keepers, strict=True):
        starts = {keys[u.key]: u.start for u in group}
        target = open_for(tx, desk, starts, SPLIT) if keeper is None else keeper
        for unit in group:
            if unit.incident_id is not None and unit.incident_id != target:
                moves.setdefault((unit.incident_id, target), []).append(keys[unit.key])
    settle(tx, desk, digest, moves, ids, keepers)


def settle(
    tx: Tx,
    desk: Desk,
    digest: bytes,
    moves: dict[tuple[int, int], list[int]],
    ids: Collection[int],
    keepers: Collection[int | None],
) -> None:
    """Carry moves out; of these incidents, those that keep nothing are merged into where most of theirs went."""
    emptied = [i for i in ids if i not in keepers]
    targets = dict(reversed(list(moves)))
    for incident_id, found in correlations.guests(tx, emptied, digest).items():
        if incident_id in targets:
            moves.setdefault((incident_id, targets[incident_id]), []).extend(found)
    _move(tx, desk, moves)
    _recount(tx, {i for pair in moves for i in pair} | set(ids))
    _cancel(tx, desk, emptied, targets)
    if desk.rules.current().attaching:
        gathering.guests_moved(tx, moves)
        gathering.stir(tx, {*ids, *targets.values()})


def open_for(tx: Tx, desk: Desk, starts: Mapping[int, datetime], decision: Decision) -> int:
    """An incident for alerts of others that no incident is left for. starts: alert → where it begins."""
    rows = alerts.lock_by_id(tx, list(starts))
    members = [Member(rows[alert_id], start, 1, rows[alert_id].last_seen) for alert_id, start in starts.items()]
    new = Opening(members, decision)
    (incident_id,) = opening.open_all(tx, desk, [new])
    opening.announce(tx, desk, [(incident_id, new)])
    return incident_id


def _move(tx: Tx, desk: Desk, moves: Mapping[tuple[int, int], Collection[int]]) -> None:
    lines = []
    for (source, target), alert_ids in moves.items():
        correlations.move(tx, source, target, alert_ids)
        told = {"alerts": len(alert_ids), "from": number(source), "to": number(target)}
        lines += [Line(source, "alerts_moved", told), Line(target, "alerts_moved", told)]
    timeline.append_many(tx, desk, lines)


def _recount(tx: Tx, incident_ids: Collection[int]) -> None:
    """What the members add up to, now that they have changed places."""
    tickets, sums = correlations.lock_tickets(tx, incident_ids), correlations.sums(tx, incident_ids)
    noisy = alerts.unquiet(tx, incident_ids)
    for incident_id, total in sums.items():
        t = tickets[incident_id]
        t.occurrences, t.started_at = total.occurrences, total.started_at
        t.first_seen, t.last_seen, t.updated_at = total.first_seen, total.last_seen, tx.now
        t.auto_recovered = incident_id not in noisy and total.ended_at is not None
        t.recovered_at = total.last_seen if t.auto_recovered else None
    correlations.write_tickets(tx, [tickets[i] for i in sums])


def _cancel(tx: Tx, desk: Desk, emptied: Collection[int], targets: Mapping[int, int]) -> None:
    for incident_id in emptied:
        if incident_id not in targets:
            continue
        target = targets[incident_id]
        reason = f"Its alerts began within the window of {number(target)}: they are carried there."
        action = Action("cancel", reason=reason, code="merged", target=target)
        values = {"cancel_reason": "merged", "merged_into": target, "unassigned_due_at": None}
        transition.perform(tx, desk, loader.load(tx, desk, incident_id), SYSTEM, action, values, {"target": target})

"""Alerts that wait for others, judged together: thresholds that are reached, tickets that they may be attached to.

One correlation digest at a time, in a transaction of its own. Locks: the row that asks for it, the alerts in their
order, the digest, the incidents by id. The outcome is a function of the episodes and of the tickets that people work
on: an untouched ticket begins, moves and loses members as if everything had come in order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from servicedesk.desk import Desk
from servicedesk.domain import correlation as rules
from servicedesk.domain.correlation import Candidate, Decision, Unit, assign
from servicedesk.domain.correlation_rules import Cell, Point, Rule, gather, home, host_of
from servicedesk.domain.incident import WORKING, number
from servicedesk.errors import Busy
from servicedesk.services.shared import attach, observe, regroup, timeline
from servicedesk.services.shared.effects import Effect
from servicedesk.services.shared.observe import Judged
from servicedesk.services.shared.timeline import Line
from servicedesk.store import alerts, correlations, gathering
from servicedesk.store.correlations import Ticket
from servicedesk.store.db import Priority, Tx
from servicedesk.store.gathering import Claimed, Firing


@dataclass(slots=True)
class _Scene:
    """What is looked at, locked. judged: the alerts that wait; tickets: open ones; untouched: those nobody works on."""

    claimed: Claimed
    rule: Rule
    judged: dict[int, Judged]
    tickets: dict[int, Ticket]
    untouched: set[int]
    siblings: dict[int, int] = field(default_factory=dict)  # alert → untouched ticket that carries it
    labels: Mapping[int, Mapping[str, str]] = field(default_factory=dict)


def look(desk: Desk) -> bool:
    """Look at the digest that waits longest; False when none does. Raises Busy, and what it fails with.

    A digest that fails goes behind the others, and is tried again.
    """
    with desk.read() as tx:
        if not gathering.any_due(tx):
            return False
    tried: list[Claimed] = []
    try:
        return desk.write(lambda tx: _step(tx, desk, tried), Priority.SLICE)
    except Busy:
        raise
    except Exception:
        if tried:  # it costs no other its turn
            desk.write(lambda tx: gathering.put_off(tx, tried[-1]), Priority.SLICE)
        raise


def _step(tx: Tx, desk: Desk, tried: list[Claimed]) -> bool:
    claimed = gathering.claim(tx)
    if claimed is None:
        return False
    tried.append(claimed)
    ids = gathering.waiting(tx, claimed.digest)
    rule = desk.rules.current().named(claimed.rule)
    if not rule.waits:
        _no_longer(tx, desk, ids)
    elif rule.answer == "attach":
        _attach(tx, desk, claimed, rule, ids)
    else:
        _threshold(tx, desk, claimed, rule, ids)
    gathering.done(tx, claimed)
    tx.after_commit.append(lambda: desk.wake.notify("changes"))
    return True


def _no_longer(tx: Tx, desk: Desk, ids: Sequence[int]) -> None:
    """The rules have changed: each is judged for itself."""
    rows = [row for row in alerts.lock_by_id(tx, ids).values() if row.waits == "group"]
    judged = observe.judge_anew(tx, desk, rows)
    for one in judged:
        one.released = True
    attach.follow(tx, desk, judged)


# --- thresholds ----------------------------------------------------------------------------------------------------


def _threshold(tx: Tx, desk: Desk, claimed: Claimed, rule: Rule, ids: Sequence[int]) -> None:
    assert rule.threshold is not None  # noqa: S101 - rules that wait attach, or have a threshold
    lower = claimed.since - max(rule.join, rule.threshold.within)
    scene = _look(tx, desk, claimed, rule, ids, lower)
    effects = _join_settled(scene, lower)
    known = set(scene.judged) | set(scene.siblings)
    firings = [f for f in gathering.firings(tx, known, lower) if f.incident_id in (None, *scene.untouched)]
    firings = [f for f in firings if f.alert_id in scene.siblings or scene.judged[f.alert_id].fresh]
    hosts = {alert_id: host_of(rule, labels) for alert_id, labels in scene.labels.items()}
    cells = gather((Point(f.starts_at, f.key, hosts[f.alert_id]) for f in firings), rule.threshold, rule.join)
    _realise(tx, desk, scene, cells, {f.key: f.alert_id for f in firings}, effects, firings)


def _look(tx: Tx, desk: Desk, claimed: Claimed, rule: Rule, ids: Sequence[int], lower: datetime) -> _Scene:
    digest = claimed.digest
    heads = [incident_id for incident_id, _ in correlations.heads(tx, digest, lower)]
    siblings = gathering.siblings(tx, heads, digest)
    rows = alerts.lock_by_id(tx, {*ids, *siblings})
    correlations.lock_digests(tx, [digest])
    near = gathering.open_since(tx, digest, lower)
    tickets = correlations.lock_tickets(tx, {*heads, *near})
    untouched = {incident_id for incident_id, _ in correlations.heads(tx, digest, lower)} & tickets.keys()
    carried = {a: i for a, i in gathering.siblings(tx, untouched, digest).items() if a in rows}
    waiting = [row for row in rows.values() if row.waits == "group" and row.id not in carried]
    judged = {one.row.id: one for one in observe.judge_anew(tx, desk, waiting)}
    texts = correlations.texts(tx, rows.keys())
    labels = {alert_id: text.labels for alert_id, text in texts.items()}
    return _Scene(claimed, rule, judged, tickets, untouched, carried, labels)


def _join_settled(scene: _Scene, lower: datetime) -> dict[int, Effect]:
    """Tickets that people work on keep what they have, and take what begins within their window."""
    settled = [
        Candidate(t.id, t.started_at, settled=True)
        for t in scene.tickets.values()
        if t.status in WORKING and t.id not in scene.untouched and t.started_at is not None
    ]
    effects: dict[int, Effect] = {}
    for one in scene.judged.values():
        starts = [e.starts_at for e in one.fresh if e.starts_at >= lower]
        found = rules.place(min(starts), settled, scene.rule.join).incident_id if starts else None
        if found is not None:
            _pass_over(one, min(starts))
            _enter(one, scene.tickets[found], min(starts), effects)
    return effects


def _enter(one: Judged, ticket: Ticket, start: datetime, effects: dict[int, Effect]) -> None:
    """An alert that waited joins a ticket with what it did from this start on."""
    one.fresh = [e for e in one.fresh if e.starts_at >= start]
    one.row.decision = f"{number(ticket.id)} took it: its like began within the window of the rule {one.row.rule}."
    one.row.waits = None
    ticket.occurrences += len(one.fresh)
    if ticket.started_at is None or (start < ticket.started_at and one.row.correlation == ticket.correlation):
        ticket.started_at = start
    effects.setdefault(ticket.id, Effect(ticket)).joined.append(one)
    attach.belong([one], ticket.id)


def _pass_over(one: Judged, start: datetime) -> None:
    """What it did before that needs no ticket for good."""
    for episode in one.fresh:
        if episode.starts_at < start and episode.ends_at is not None:
            episode.passed = episode.changed = True


def _realise(
    tx: Tx,
    desk: Desk,
    scene: _Scene,
    cells: Sequence[Cell],
    alert_of: Mapping[bytes, int],
    effects: dict[int, Effect],
    firings: Sequence[Firing],
) -> None:
    """Give every cell its ticket: an untouched one that carries some of it, or a new one."""
    units = [[Unit(c.start, key, scene.siblings.get(alert_of[key])) for key in sorted(c.keys)] for c in cells]
    keepers = assign(units)
    groups, new = _seat(scene, cells, keepers, alert_of, effects)
    opened = attach.finish(tx, desk, list(scene.judged.values()), effects, groups)
    targets = dict(enumerate(keepers)) | dict(zip(new, opened, strict=True))
    moves: dict[tuple[int, int], list[int]] = {}
    for i, cell in enumerate(cells):
        carried = {alert_of[key]: cell.start for key in cell.keys if alert_of[key] in scene.siblings}
        target = targets[i]
        if target is None:
            target = targets[i] = regroup.open_for(tx, desk, carried, Decision("open", scene.rule.id, cell.reason))
        for alert_id in carried:
            if scene.siblings[alert_id] != target:
                moves.setdefault((scene.siblings[alert_id], target), []).append(alert_id)
    kept = set(targets.values()) | _kept_alive(scene.untouched - set(targets.values()), moves)
    _let_go(tx, desk, scene, cells, alert_of, kept - set(targets.values()))
    _carry(tx, scene, cells, targets, alert_of, firings)
    regroup.settle(tx, desk, scene.claimed.digest, moves, scene.untouched, kept)


def _kept_alive(emptied: Collection[int], moves: Mapping[tuple[int, int], object]) -> set[int | None]:
    """Tickets that would not have been made, had all been known: they were announced, so they stay as they are."""
    merged = {source for source, _ in moves}
    return {incident_id for incident_id in emptied if incident_id not in merged}


def _seat(
    scene: _Scene,
    cells: Sequence[Cell],
    keepers: Sequence[int | None],
    alert_of: Mapping[bytes, int],
    effects: dict[int, Effect],
) -> tuple[list[attach.Homeless], list[int]]:
    """Those that waited join the keepers; (groups to open a ticket for, the cells that they are).

    What they did before that stays free: a late message may make enough of it.
    """
    groups: list[attach.Homeless] = []
    new: list[int] = []
    for i, (cell, keeper) in enumerate(zip(cells, keepers, strict=True)):
        waiting = [scene.judged[alert_of[key]] for key in sorted(cell.keys) if alert_of[key] in scene.judged]
        if keeper is not None:
            for one in waiting:
                _enter(one, scene.tickets[keeper], cell.start, effects)
        elif waiting:
            for one in waiting:
                one.fresh = [e for e in one.fresh if e.starts_at >= cell.start]
                one.row.waits = None
            decision = Decision("open", scene.rule.id, cell.reason)
            groups.append([(one, _recurring(one, decision)) for one in waiting])
            new.append(i)
    return groups, new


def _recurring(one: Judged, decision: Decision) -> Decision:
    """What was closed before is linked."""
    one.row.decision = decision.reason
    return (
        decision
        if one.row.incident_id is None
        else Decision("recur", decision.rule, decision.reason, one.row.incident_id)
    )


def _let_go(
    tx: Tx,
    desk: Desk,
    scene: _Scene,
    cells: Sequence[Cell],
    alert_of: Mapping[bytes, int],
    alive: Collection[int | None],
) -> None:
    """Members of untouched tickets that belong to none by now wait again."""
    kept = {alert_of[key] for cell in cells for key in cell.keys}
    gone: dict[int, list[int]] = {}
    for alert_id, incident_id in scene.siblings.items():
        if alert_id not in kept and incident_id not in alive:
            gone.setdefault(incident_id, []).append(alert_id)
    _release(tx, desk, scene.rule, gone, f"it waits for {scene.rule.threshold}")


def _carry(
    tx: Tx,
    scene: _Scene,
    cells: Sequence[Cell],
    targets: Mapping[int, int | None],
    alert_of: Mapping[bytes, int],
    firings: Sequence[Firing],
) -> None:
    """A ticket carries what its members did from its start on, nothing of before."""
    homes = {alert_of[key]: (cell.start, targets[i]) for i, cell in enumerate(cells) for key in cell.keys}
    theirs = [(f, *homes[f.alert_id]) for f in firings if f.alert_id in homes and f.alert_id in scene.siblings]
    taken: dict[int | None, list[int]] = {}
    for firing, start, target in theirs:
        if firing.starts_at < start and firing.incident_id is not None:
            taken.setdefault(None, []).append(firing.id)
        elif firing.starts_at >= start and firing.incident_id is None:
            taken.setdefault(target, []).append(firing.id)
    for incident_id, episode_ids in taken.items():
        gathering.carry(tx, incident_id, episode_ids)


def _release(tx: Tx, desk: Desk, rule: Rule, gone: Mapping[int, Sequence[int]], why: str) -> None:
    """These alerts leave their untouched tickets (ticket → alerts) and wait again."""
    for incident_id, alert_ids in gone.items():
        gathering.release(tx, incident_id, alert_ids, f"The rule {rule.id} decides: {why}.")
    told = [Line(i, "alerts_released", {"alerts": len(found), "rule": rule.id}) for i, found in gone.items()]
    timeline.append_many(tx, desk, told)


# --- attaching -----------------------------------------------------------------------------------------------------


def _attach(tx: Tx, desk: Desk, claimed: Claimed, rule: Rule, ids: Collection[int]) -> None:
    digest = claimed.digest
    guests = gathering.siblings(tx, gathering.with_guests(tx, digest), digest)
    if not ids and not guests:
        return
    rows = alerts.lock_by_id(tx, {*ids, *guests})
    correlations.lock_digests(tx, [digest])
    tickets = correlations.lock_tickets(tx, [h.incident_id for h in gathering.hosts(tx, digest)])
    hosts = [h for h in gathering.hosts(tx, digest) if h.incident_id in tickets]
    judged = observe.judge_anew(tx, desk, [row for row in rows.values() if row.waits == "group"])
    effects: dict[int, Effect] = {}
    for one in judged:
        newest = max(one.fresh, key=lambda e: e.starts_at, default=None)
        found = home(newest.starts_at, newest.ends_at, hosts, rule.join) if newest else None
        if found is not None:
            began = next(h.began_at for h in hosts if h.incident_id == found)
            first = min(e.starts_at for e in one.fresh if e.ends_at is None or e.ends_at >= began)
            _pass_over(one, first)
            _enter(one, tickets[found], first, effects)
    attach.finish(tx, desk, judged, effects, [])
    gathering.has_guests(tx, digest, effects.keys())
    _rehome(tx, desk, rule, {a for a in guests if a in rows}, tickets, digest)


def _rehome(
    tx: Tx, desk: Desk, rule: Rule, guests: Collection[int], tickets: Mapping[int, Ticket], digest: bytes
) -> None:
    """A guest of an untouched ticket goes where it would be, had the tickets been there when it came."""
    hosts = gathering.hosts(tx, digest)
    untouched = {h.incident_id for h in hosts if not tickets[h.incident_id].settled} if hosts else set()
    moves: dict[tuple[int, int], list[int]] = {}
    gone: dict[int, list[int]] = {}
    homes: dict[int, list[int]] = {}
    for alert_id, (incident_id, start, over) in gathering.guests(tx, guests, untouched).items():
        target = home(start, over, hosts, rule.join)
        if target is None:
            gone.setdefault(incident_id, []).append(alert_id)
            continue
        homes.setdefault(target, []).append(alert_id)
        if target != incident_id:
            moves.setdefault((incident_id, target), []).append(alert_id)
    _release(tx, desk, rule, gone, "no ticket was open that it could join")
    began = {h.incident_id: h.began_at for h in hosts}
    changed = [i for i, alert_ids in homes.items() if gathering.align(tx, i, began[i], alert_ids)]
    if moves or gone or changed:
        ids = {*gone, *changed}
        regroup.settle(tx, desk, digest, moves, ids, ids)

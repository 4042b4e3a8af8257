"""Events become observations, and what they say becomes episodes: for a whole slice in a constant number of statements.

Alerts are locked first and stay so. What follows for incidents is carried out by `attach`, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from alert_receivers.event import AlertEvent, alert_digest, event_digest, visible
from servicedesk.desk import Desk
from servicedesk.domain import alert_state
from servicedesk.domain.alert_state import (
    FIRING,
    RECOVERED,
    SUSPECT,
    AlertState,
    Episode,
    Known,
    News,
    Observed,
    Stored,
)
from servicedesk.domain.correlation_rules import Ruleset
from servicedesk.domain.correlation_rules import digest as correlation_digest
from servicedesk.services.shared.planned import Planned
from servicedesk.services.shared.texts import said, stored
from servicedesk.store import alerts
from servicedesk.store.alerts import AlertRow, EventRow
from servicedesk.store.db import Tx


@dataclass(frozen=True, slots=True)
class Seen:
    """An event at one place. seq: its delivery's id."""

    seq: int
    received_at: datetime
    source: str
    event: AlertEvent


@dataclass(slots=True)
class Judged:
    """An alert whose state may have changed. row: with the new state; before: its status until now ("": it is new).

    episodes: those that were looked at, at least the newest; carried: how many of them its incident carried until now;
    fresh: those that fired and that no incident carries yet. released: what it waited for is over.
    event: what the newest message said, if any.
    seen_at: when the newest of these messages came. suspect_at: the last observation that makes it suspect.
    """

    row: AlertRow
    before: str
    episodes: list[Planned]
    gone: tuple[int, ...]
    carried: int
    seen_at: datetime
    event: AlertEvent | None = None
    suspect_at: datetime | None = None
    confirmed_now: bool = False
    released: bool = False
    fresh: list[Planned] = field(init=False)

    def __post_init__(self) -> None:
        self.fresh = [e for e in self.episodes if e.wants]


@dataclass(slots=True)
class Recorded:
    """judged: the alerts to look at; outcomes: observations by (source, outcome), for the metrics."""

    judged: list[Judged]
    outcomes: dict[tuple[str, str], int] = field(default_factory=dict)


@dataclass(slots=True)
class _Fold:
    """Equal content, folded in memory before the database is asked."""

    event: AlertEvent
    source: str
    count: int
    first_seq: int
    last_seq: int
    first_at: datetime
    last_at: datetime
    known: bool = False


_Folds = dict[bytes, _Fold]  # by event digest


def record(tx: Tx, desk: Desk, seen: Iterable[Seen]) -> Recorded:
    """Write these observations; answers the alerts whose state must be looked at, with their new state.

    The rows of these are the caller's to write (`attach.follow`), observations and state together.
    """
    by_alert = _fold(seen)
    rows = _lock(tx, desk, by_alert)
    new = {digest for digest, row in rows.items() if row.count == 0}
    _write_events(tx, rows, by_alert)
    scopes = {d: "everything" if d in new else _scope(rows[d], folds.values()) for d, folds in by_alert.items()}
    _write_seen(tx, rows, by_alert, {d for d, s in scopes.items() if s == "nothing"})
    judged = _judge_newest(tx, desk, rows, by_alert, [d for d, s in scopes.items() if s == "newest"])
    judged += _judge_new(desk, [(rows[d], by_alert[d]) for d in new])
    known = [rows[d] for d, s in scopes.items() if s == "everything" and d not in new]
    judged += judge_anew(tx, desk, known, {rows[d].id: f for d, f in by_alert.items()})
    return Recorded(judged, _outcomes(by_alert, judged))


def _fold(seen: Iterable[Seen]) -> dict[bytes, _Folds]:
    by_alert: dict[bytes, _Folds] = {}
    for s in seen:
        folds = by_alert.setdefault(alert_digest(s.source, s.event.key), {})
        digest = event_digest(s.source, s.event)
        fold = folds.get(digest)
        if fold is None:
            folds[digest] = _Fold(s.event, s.source, s.event.count, s.seq, s.seq, s.received_at, s.received_at)
            continue
        fold.count += s.event.count
        fold.first_seq, fold.first_at = min((fold.first_seq, fold.first_at), (s.seq, s.received_at))
        if s.seq >= fold.last_seq:
            fold.event, fold.last_seq = s.event, s.seq
        fold.last_at = max(fold.last_at, s.received_at)
    return by_alert


def _newest(folds: Iterable[_Fold]) -> _Fold:
    return max(folds, key=lambda f: (f.last_seq, f.event.status != "firing"))


def _lock(tx: Tx, desk: Desk, by_alert: Mapping[bytes, _Folds]) -> dict[bytes, AlertRow]:
    """All alerts of the slice, locked; those that did not exist are made, with no observation yet."""
    rows = alerts.lock(tx, by_alert.keys())
    absent = sorted(by_alert.keys() - rows.keys())
    if not absent:
        return rows
    rules = desk.rules.current()
    new = {digest: _new_row(rules, digest, _newest(by_alert[digest].values())) for digest in absent}
    alerts.add(tx, [(row, _texts(by_alert[digest])) for digest, row in new.items()])
    taken = []
    for digest, (number, count) in alerts.added(tx, absent).items():
        new[digest].id = number
        if count:
            taken.append(digest)  # another worker made it meanwhile
    return rows | new | (alerts.lock(tx, taken) if taken else {})


def _new_row(rules: Ruleset, digest: bytes, fold: _Fold) -> AlertRow:
    e = fold.event
    rule = rules.judge(fold.source, e.labels)
    return AlertRow(
        id=0,
        digest=digest,
        source=fold.source,
        key=e.key,
        name=visible(e.name),
        severity=visible(e.severity),
        clears=e.clears,
        status=RECOVERED,
        starts_at=e.starts_at,
        ends_at=e.ends_at,
        last_seen=fold.last_at,
        last_seq=0,
        count=0,
        suspect_due_at=None,
        confirmed_seq=None,
        incident_id=None,
        correlation=correlation_digest(rule, fold.source, e.key, e.labels),
        decision="",
        rule=rule.id,
        waits=None,
        waits_until=None,
        window_id=None,
        flapping_since=None,
        flap_ends_at=None,
    )


def _texts(folds: _Folds) -> alerts.NewTexts:
    newest = _newest(folds.values())
    first_seen = min(f.first_at for f in folds.values())
    e = newest.event
    return alerts.NewTexts(first_seen, visible(e.fingerprint), stored(e.labels), *said(e))


def _write_events(tx: Tx, rows: Mapping[bytes, AlertRow], by_alert: Mapping[bytes, _Folds]) -> None:
    """New events, and the observations of known ones; marks the folds that were known."""
    known = alerts.events_by_digest(tx, [d for digest, f in by_alert.items() if rows[digest].count for d in f])
    merged: list[EventRow] = []
    for digest, folds in by_alert.items():
        for event_id, fold in folds.items():
            old = known.get(event_id)
            fold.known = old is not None
            merged.append(_new_event(event_id, rows[digest].id, fold) if old is None else _merged(old, fold))
    alerts.write_events(tx, merged)


def _new_event(digest: bytes, alert_id: int, f: _Fold) -> EventRow:
    e = f.event
    times = (e.starts_at, e.ends_at, f.first_at, f.last_at)
    return EventRow(0, digest, alert_id, e.status, *times, f.first_seq, f.last_seq, f.count)


def _merged(old: EventRow, f: _Fold) -> EventRow:
    first_at, last_at = min(old.first_at, f.first_at), max(old.last_at, f.last_at)
    first, last = min(old.first_seq, f.first_seq), max(old.last_seq, f.last_seq)
    told = (old.id, old.digest, old.alert_id, old.status, old.starts_at, old.ends_at)
    return EventRow(*told, first_at, last_at, first, last, old.count + f.count)


def _scope(row: AlertRow, folds: Iterable[_Fold]) -> str:
    known = Known(row.status, row.starts_at, row.ends_at, row.last_seq, row.confirmed_seq is not None, row.clears)
    found = alert_state.scope(known, [News(*_moment(f.event), f.last_seq, f.known) for f in folds])
    if found == "newest" and row.waits == "group":  # any of its episodes may be what waits
        return "everything"
    return found


def _moment(e: AlertEvent) -> tuple[bool, datetime]:
    return (True, e.starts_at) if e.ends_at is None else (False, e.ends_at)


def _write_seen(
    tx: Tx, rows: Mapping[bytes, AlertRow], by_alert: Mapping[bytes, _Folds], repeated: Collection[bytes]
) -> None:
    """What was seen and said. Alerts that change otherwise are written with their state, not here."""
    heard: list[tuple[object, ...]] = []
    late: list[AlertRow] = []
    for digest, folds in by_alert.items():
        row, newest = rows[digest], _newest(folds.values())
        news = newest.last_seq >= row.last_seq and row.count > 0
        row.count += sum(f.count for f in folds.values())
        row.last_seen = max(row.last_seen, newest.last_at)
        row.last_seq = max(row.last_seq, newest.last_seq)
        row.clears = row.clears or newest.event.clears
        if news:
            heard.append((row.id, row.last_seen, row.last_seq, row.count, *said(newest.event)))
        elif digest in repeated:
            late.append(row)
    alerts.write_heard(tx, heard)
    alerts.write_seen(tx, late)


def _observed(e: EventRow) -> Observed:
    return Observed(e.status, e.starts_at, e.ends_at, e.first_seq, e.last_seq, e.first_at)


def _folded(f: _Fold) -> Observed:
    return Observed(f.event.status, f.event.starts_at, f.event.ends_at, f.first_seq, f.last_seq, f.first_at)


def _judge_new(desk: Desk, found: Sequence[tuple[AlertRow, _Folds]]) -> list[Judged]:
    """Alerts that were just made: what the slice says is all that there is."""
    answer = []
    for row, folds in found:
        told = [_folded(f) for f in folds.values()]
        state = alert_state.derive(told) if row.clears else alert_state.derive_unclearing(told)
        seen = {f.last_seq: f.last_at for f in folds.values()}
        judged = _judged(desk, row, "", (), state.episodes, state, seen)
        answer.append(_with_event(judged, folds))
    return answer


def _judge_newest(
    tx: Tx, desk: Desk, rows: Mapping[bytes, AlertRow], by_alert: Mapping[bytes, _Folds], digests: Sequence[bytes]
) -> list[Judged]:
    """Alerts of which only the newest episode can have changed."""
    if not digests:
        return []
    stored = alerts.newest_episodes(tx, [rows[d].id for d in digests])
    still_open = [rows[d].id for d in digests if rows[d].ends_at is None]
    firings = alerts.firings_of_newest(tx, still_open) if still_open else {}
    answer = []
    for digest in digests:
        row, folds = rows[digest], by_alert[digest]
        (newest,) = stored[row.id]
        told = [
            _folded(f) for f in folds.values() if not (f.known or (row.ends_at is None and f.event.ends_at is None))
        ]
        told += [_observed(e) for e in firings.get(row.id, ())]
        kept, state = alert_state.advance(Episode(newest.starts_at, newest.ends_at, newest.fired), told)
        episodes = (*([kept] if kept else []), *state.episodes)
        seen = {f.last_seq: f.last_at for f in folds.values()}
        answer.append(_with_event(_judged(desk, row, row.status, (newest,), episodes, state, seen), folds))
    return answer


def judge_anew(
    tx: Tx, desk: Desk, rows: Sequence[AlertRow], told: Mapping[int, _Folds] | None = None, confirm: bool = False
) -> list[Judged]:
    """Derive the state of these alerts (locked) from all that was ever said about them. confirm: believe doubts."""
    if not rows:
        return []
    ids = [row.id for row in rows]
    events, stored = alerts.all_events(tx, ids), alerts.all_episodes(tx, ids)
    unclearing = [row.id for row in rows if not row.clears]
    declared = alerts.declared_ends(tx, unclearing) if unclearing else {}
    answer = []
    for row in rows:
        observed = [_observed(e) for e in events.get(row.id, ())]
        if row.clears:
            state = alert_state.derive(observed, row.confirmed_seq)
            if confirm and state.suspect_seq is not None:
                row.confirmed_seq = state.suspect_seq
                state = alert_state.derive(observed, row.confirmed_seq)
        else:
            state = alert_state.derive_unclearing(observed, declared.get(row.id, ()))
        seen = {e.last_seq: e.last_at for e in events.get(row.id, ())}
        judged = _judged(desk, row, row.status, stored.get(row.id, ()), state.episodes, state, seen)
        judged.confirmed_now = confirm and state.confirmed
        answer.append(_with_event(judged, (told or {}).get(row.id, {})))
    return answer


def _with_event(judged: Judged, folds: _Folds) -> Judged:
    if folds:
        newest = _newest(folds.values())
        judged.event, judged.seen_at = newest.event, newest.last_at
    return judged


def _judged(
    desk: Desk,
    row: AlertRow,
    before: str,
    stored: Collection[Stored],
    episodes: Sequence[Episode],
    state: AlertState,
    seen: Mapping[int, datetime],
) -> Judged:
    """Match episodes with their rows and bring the alert's own row up to date. seen: sequence → when received."""
    change = alert_state.rewrite(list(stored), episodes)
    gone = {s.id for s in change.deleted}
    updated = {s.id: e for s, e in change.updated}
    planned = [_planned(s, updated.get(s.id)) for s in stored if s.id not in gone]
    planned += [
        Planned(0, e.starts_at, e.ends_at, e.fired, e.suspect, incident, False, True) for e, incident in change.inserted
    ]
    newest = max(planned, key=lambda e: e.starts_at)
    row.starts_at, row.ends_at = newest.starts_at, newest.ends_at
    suspect_at = None if state.suspect_seq is None else seen.get(state.suspect_seq, row.last_seen)
    row.suspect_due_at = _due(desk, row, suspect_at)
    if not state.confirmed:
        row.confirmed_seq = None
    row.status = state.status
    carried = sum(s.incident_id is not None and s.incident_id == row.incident_id for s in stored)
    return Judged(row, before, planned, tuple(gone), carried, row.last_seen, suspect_at=suspect_at)


def _due(desk: Desk, row: AlertRow, suspect_at: datetime | None) -> datetime | None:
    """When the doubt is believed: counted from its first observation, copies do not put it off."""
    if suspect_at is None:
        return None
    due = suspect_at + desk.policy.alerts.suspect_confirm_for(row.source)
    return min(due, row.suspect_due_at) if row.suspect_due_at else due


def _planned(s: Stored, e: Episode | None) -> Planned:
    if e is None:
        return Planned(s.id, s.starts_at, s.ends_at, s.fired, s.suspect, s.incident_id, s.passed, False, s.held_until)
    incident_id = s.incident_id if e.fired else None
    held_until = s.held_until if e.starts_at == s.starts_at else None
    return Planned(s.id, e.starts_at, e.ends_at, e.fired, e.suspect, incident_id, s.passed, True, held_until)


def _outcomes(by_alert: Mapping[bytes, _Folds], judged: Sequence[Judged]) -> dict[tuple[str, str], int]:
    """Each observation counts once: a new content by what became of its alert, a known one as a repeat."""
    became = {j.row.digest: j.row.status for j in judged}
    words = {FIRING: "new", RECOVERED: "recovered", SUSPECT: "suspect"}
    found: dict[tuple[str, str], int] = {}
    for digest, folds in by_alert.items():
        for fold in folds.values():
            status = became.get(digest, FIRING)
            first = words.get(status, "new") if not fold.known or status == SUSPECT else "repeat"
            found[fold.source, first] = found.get((fold.source, first), 0) + 1
            if fold.count > 1:
                found[fold.source, "repeat"] = found.get((fold.source, "repeat"), 0) + fold.count - 1
    return found

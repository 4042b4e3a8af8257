"""Maintenance windows and suppressions, laid over what alerts did: which episodes they hold back, and until when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from servicedesk import metrics
from servicedesk.desk import Desk
from servicedesk.domain.maintenance import AHEAD, Hold, Window, hold
from servicedesk.services.shared.observe import Judged
from servicedesk.services.shared.planned import Planned
from servicedesk.store import correlations, maintenance
from servicedesk.store.db import Tx

WAITS = "window"
Waits = tuple[str | None, datetime | None, int | None]  # for what, until when, for which window


def hold_back(tx: Tx, judged: Sequence[Judged]) -> dict[int, Hold]:
    """Take what began under a window out of `fresh`; answers, by alert, until when it is to be held back.

    What ended before the window did needs no ticket. All else that began under it waits for the end, and for
    whoever judges it then (`services.maintenance`), even where that has passed: so nothing depends on the order in
    which messages are applied. Alerts are locked by the caller.
    """
    concerned = [(one, found) for one in judged if (found := _open_questions(one))]
    if not concerned:
        return {}
    starts = [e.starts_at for _, episodes in concerned for e in episodes]
    windows = maintenance.in_force(tx, min(starts), max([*starts, tx.now]))
    if not windows:
        return {}
    labels = _labels(tx, [one for one, _ in concerned])
    holds: dict[int, Hold] = {}
    for one, episodes in concerned:
        fitting = [w for w in windows if w.fits(one.row.source, labels[one.row.id])]
        marks = [(e, mark) for e in episodes if (mark := _mark(tx, e, fitting)) is not None]
        held = [(e, mark) for e, mark in marks if not one.released or mark.until > tx.now]
        if held:
            one.fresh = [e for e in one.fresh if e.wants and e.held_until is None]
            waiting = [mark for e, mark in held if e.wants]
            holds |= {one.row.id: max(waiting, key=lambda mark: mark.until)} if waiting else {}
    return holds


def wait(tx: Tx, desk: Desk, one: Judged, held: Hold | None, before: Waits) -> None:
    """Nobody is disturbed before the window ends. before: what the alert waited for until now."""
    if one.row.waits:
        return
    if held is None:
        if before[0] == WAITS and not one.released and all(e.held_until is None for e in one.episodes):
            one.row.waits, one.row.waits_until, one.row.window_id = before  # an episode that was not looked at waits
        return
    one.row.waits, one.row.waits_until, one.row.window_id = WAITS, held.until, held.window.id
    if before[0] != WAITS:
        source = one.row.source
        tx.after_commit.append(lambda: metrics.event(source, "suppressed"))
    if held.until <= tx.now:
        tx.after_commit.append(lambda: desk.wake.notify("maintenance"))


def _open_questions(one: Judged) -> list[Planned]:
    """Episodes that may need a ticket: fresh ones, those that a confirmation opened again, and those whose times have
    changed since they got theirs."""
    again = [e for e in one.episodes if e.ends_at is None] if one.confirmed_now else []
    moved = [e for e in one.episodes if e.changed and e.fired and e.incident_id is not None and e.held_until is None]
    return list({id(e): e for e in (*one.fresh, *again, *moved)}.values())


def _mark(tx: Tx, e: Planned, fitting: Sequence[Window]) -> Hold | None:
    """Until when it is held back, None: it did not begin under a window, or has its ticket already."""
    found = hold(fitting, e.starts_at) if fitting and e.starts_at <= tx.now + AHEAD else None
    until = found.until if found else None
    if e.incident_id is not None:
        ended = e.ends_at is not None and until is not None and e.ends_at <= until
        if until is None or not (ended or e.id == 0):
            return None
        e.incident_id = None  # what was cut off another one, or proves to have begun and ended under the window
    if until != e.held_until:
        e.held_until, e.changed = until, True
    return found


def _labels(tx: Tx, judged: Sequence[Judged]) -> Mapping[int, Mapping[str, str]]:
    unread = [one.row.id for one in judged if one.event is None]
    texts = correlations.texts(tx, unread) if unread else {}
    return {one.row.id: texts[one.row.id].labels if one.event is None else one.event.labels for one in judged}

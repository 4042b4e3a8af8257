"""Maintenance windows and suppressions, laid over what alerts did: which episodes they hold back, and until when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from servicedesk import metrics
from servicedesk.domain.maintenance import AHEAD, Hold, Window, hold
from servicedesk.services.shared.observe import Judged
from servicedesk.services.shared.planned import Planned
from servicedesk.store import correlations, maintenance
from servicedesk.store.db import Tx

WAITS = "window"


def hold_back(tx: Tx, judged: Sequence[Judged]) -> dict[int, Hold]:
    """Mark the episodes that began under a window; those that ended before it did need no ticket, and leave `fresh`.

    Answers, by alert, the windows that hold back all that is left of it. Alerts are locked by the caller.
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
        marks = [(e, _mark(tx, e, fitting)) for e in episodes]
        one.fresh = [e for e in one.fresh if e.wants]
        left = [mark for e, mark in marks if e.wants or e.ends_at is None]
        known = [mark for mark in left if mark is not None]
        if left and len(known) == len(left):
            holds[one.row.id] = max(known, key=lambda mark: mark.until)
    return holds


def wait(tx: Tx, one: Judged, held: Hold, waited: str | None) -> None:
    """Nobody is disturbed: the alert is judged again when the window ends. waited: what it waited for until now."""
    one.row.waits, one.row.waits_until, one.row.window_id = WAITS, held.until, held.window.id
    if waited != WAITS:
        source = one.row.source
        tx.after_commit.append(lambda: metrics.event(source, "suppressed"))


def _open_questions(one: Judged) -> list[Planned]:
    """Episodes that may need a ticket: fresh ones, and one that a confirmation opened again."""
    again = [e for e in one.episodes if e.ends_at is None and e not in one.fresh] if one.confirmed_now else []
    return [*one.fresh, *again]


def _mark(tx: Tx, e: Planned, fitting: Sequence[Window]) -> Hold | None:
    """How long it is held back, None: it is not, or no longer."""
    found = hold(fitting, e.starts_at) if fitting and e.starts_at <= tx.now + AHEAD else None
    until = found.until if found else None
    if until != e.held_until:
        e.held_until, e.changed = until, True
    return found if found is not None and e.ends_at is None and found.until > tx.now else None


def _labels(tx: Tx, judged: Sequence[Judged]) -> Mapping[int, Mapping[str, str]]:
    unread = [one.row.id for one in judged if one.event is None]
    texts = correlations.texts(tx, unread) if unread else {}
    return {one.row.id: texts[one.row.id].labels if one.event is None else one.event.labels for one in judged}

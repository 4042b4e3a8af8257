"""The desk watches itself: what is wrong with it becomes an alert of its own, by the way that all alerts take.

Nothing of this stands in the way of a delivery: a refusal is counted in memory, a job writes the counts down, and
another one looks at what the database tells. Its own alerts are never a reason for further ones.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from servicedesk.channels import registry
from servicedesk.desk import Desk
from servicedesk.domain import selfwatch as rules
from servicedesk.domain.notification import STAFF, Reach
from servicedesk.domain.selfwatch import DISK, SOURCE, Backup, Figures, Trouble, Untold
from servicedesk.services.shared import disk, own
from servicedesk.store import auditing, chores, troubles
from servicedesk.store.db import Priority, Tx
from servicedesk.store.troubles import Key, Standing

MOST = 200  # (sender, reason) that are told apart until the counts are written down
OTHERS = "others"
TOPIC = "selfwatch"
BACKUP = "backup"  # the chore
AUDITED = timedelta(hours=24)  # how far back is compared what was told
MOMENT = timedelta(microseconds=1)
SEEN_AGAIN = timedelta(minutes=10)  # how often it is written down that a trouble lasts

_Counts = dict[tuple[str, str], tuple[int, datetime]]  # (source, reason) → how many, when the last came
_mutex = threading.Lock()
_counts: WeakKeyDictionary[Desk, _Counts] = WeakKeyDictionary()


def note_refused(desk: Desk, source: str, reason: str) -> None:
    """A request of a sender was refused for good. source: "" when nobody knows whose it is. Never waits."""
    _add(desk, {(source, reason): (1, desk.now())})


def _add(desk: Desk, found: _Counts) -> None:
    with _mutex:
        counts = _counts.setdefault(desk, {})
        for (source, reason), (count, last_at) in found.items():
            key = (source, reason) if (source, reason) in counts or len(counts) < MOST else (OTHERS, reason)
            before = counts.get(key, (0, last_at))
            counts[key] = (before[0] + count, max(before[1], last_at))


def look_here(desk: Desk) -> int:
    """What only this process knows: its refusals are written down, its disks looked at. Answers how much was told.

    A job of every process. Raises Busy: what was counted waits for the next time.
    """
    told = _write_down(desk)
    node = socket.gethostname()
    with desk.read() as tx:
        standing = {s.subject: s for s in troubles.standing(tx) if s.name == DISK}
    free = {str(folder): share for folder, share in disk.shares(desk).items()}
    found = list(rules.judge_disks(node, free, desk.policy.watch, standing))
    mine = {f"{node}/{folder}" for folder in free}
    return told + _tell(desk, found, [s for s in standing.values() if s.subject in mine])


def _write_down(desk: Desk) -> int:
    with _mutex:
        found = _counts.pop(desk, {})
    if not found:
        return 0
    pause = desk.policy.watch.quiet
    try:
        desk.write(lambda tx: troubles.add_refusals(tx, found, pause), Priority.SLICE)
    except BaseException:
        _add(desk, found)
        raise
    desk.wake.notify(TOPIC)
    return len(found)


def run_due(desk: Desk) -> int:
    """Judge the desk as a whole; answers how many troubles began or ended. A job. Raises Busy."""
    with desk.read() as tx:
        found = rules.judge(_figures(tx, desk), desk.policy.watch, tx.now)
        standing = [s for s in troubles.standing(tx) if s.name != DISK or tx.now - s.seen_at >= rules.NODE_GONE]
    return _tell(desk, found, standing)


def _figures(tx: Tx, desk: Desk) -> Figures:
    policy = desk.policy.watch
    told = troubles.figures(tx, tx.now - policy.quiet, tx.now - policy.dead_letters, tx.now - policy.outbox)
    made = chores.find(tx, BACKUP) if disk.backup_folder(desk) is not None else None
    backup = Backup(made.ok, made.detail, made.next_at) if made else None
    untold = _untold(tx, desk)
    pages = auditing.pages_since(tx)
    return Figures(told.refused, told.letters, told.delivery_since, told.outbox_since, backup, untold, pages)


def _untold(tx: Tx, desk: Desk) -> tuple[Untold, ...]:
    """What should have been told and was not; tickets about ourselves are no reason for further ones.

    What still waits is another trouble. A desk without any channel tells nobody, and its pages say so.
    """
    if registry.reach(desk.config) == Reach():
        return ()
    policy, after = desk.policy, tx.now - AUDITED
    found = [Untold(s.incident_id, s.event, s.at, s.why) for s in auditing.silent(tx, STAFF, after) if not s.own]
    return (*found, *auditing.never(tx, policy.notifications.new_ticket, after, tx.now - policy.watch.outbox))


def _tell(desk: Desk, found: Collection[Trouble], standing: Collection[Standing]) -> int:
    """Tell what is new of `found`, and the end of what stands and is not among it."""
    keys, now = {(t.name, t.subject) for t in found}, desk.now()
    over = {s.key for s in standing} - keys
    fresh = {s.key for s in standing if now - s.seen_at < SEEN_AGAIN}
    if not over and keys <= fresh:
        return 0
    number, changed = desk.write(lambda tx: _change(tx, found, over), Priority.SLICE)
    if number is not None:
        own.apply(desk, number)
    return changed


def _change(tx: Tx, found: Collection[Trouble], over: Collection[Key]) -> tuple[int | None, int]:
    """The rows are locked, so that of several processes one tells it."""
    rows = troubles.lock(tx, found, over)
    began = [_begin(rows[t.name, t.subject], t, tx.now) for t in found if not rows[t.name, t.subject].lasts]
    ended = [_end(rows[key], tx.now) for key in sorted(over) if key in rows and rows[key].lasts]
    _seen(rows.values(), {(t.name, t.subject) for t in found}, tx.now)
    troubles.write(tx, list(rows.values()))
    entries = began + ended
    return (own.store(tx, SOURCE, entries, "self-watch") if entries else None), len(entries)


def _begin(row: Standing, t: Trouble, now: datetime) -> dict[str, object]:
    """It begins after its last end, even where the clock stepped back."""
    row.labels, row.summary, row.seen_at = t.labels, t.summary, now
    row.began_at, row.ended_at = max(now, (row.ended_at or now - MOMENT) + MOMENT), None
    return own.entry(t.labels, {"summary": t.summary, "description": t.description}, row.began_at)


def _end(row: Standing, now: datetime) -> dict[str, object]:
    assert row.began_at is not None  # noqa: S101 - it lasts
    row.ended_at = max(now, row.began_at + MOMENT)
    return own.entry(row.labels, {"summary": row.summary}, row.began_at, row.ended_at)


def _seen(rows: Iterable[Standing], keys: Collection[Key], now: datetime) -> None:
    for row in rows:
        if row.key in keys:
            row.seen_at = now

"""What is wrong with the desk itself: refused requests as counted, the figures to judge by, what is told already."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select, tuple_

from servicedesk.domain.selfwatch import SOURCE, Figures, Letters, Refused, Trouble
from servicedesk.store import bulk
from servicedesk.store.db import Tx
from servicedesk.store.tables import dead_letter, delivery, outbox, refusal, trouble

Key = tuple[str, str]  # (name, subject)
_REFUSAL = ("source", "reason", "count", "began_at", "last_at")
_TROUBLE = ("name", "subject", "labels", "summary", "began_at", "ended_at", "seen_at")


@dataclass(slots=True)
class Standing:
    """A trouble as it is told. began_at: None before it was told; ended_at: None while it lasts."""

    name: str
    subject: str
    labels: dict[str, str]
    summary: str
    began_at: datetime | None
    ended_at: datetime | None
    seen_at: datetime

    @property
    def lasts(self) -> bool:
        return self.began_at is not None and self.ended_at is None

    @property
    def key(self) -> Key:
        return self.name, self.subject


def add_refusals(tx: Tx, found: Mapping[tuple[str, str], tuple[int, datetime]], pause: timedelta) -> None:
    """Count refusals: (source, reason) → (how many, when the last came). After a pause a new run begins."""
    empty = [(*key, 0, last_at, last_at) for key, (_, last_at) in sorted(found.items())]
    bulk.insert_rows(tx, refusal, _REFUSAL, empty, or_ignore=True)
    c = refusal.c
    query = select(refusal).where(tuple_(c.source, c.reason).in_(list(found))).order_by(c.source, c.reason)
    rows = []
    for row in tx.run(query.with_for_update()):
        count, last_at = found[row.source, row.reason]
        goes_on = last_at - row.last_at < pause
        began_at, before = (row.began_at, row.count) if goes_on else (last_at, 0)
        rows.append((row.source, row.reason, before + count, began_at, max(last_at, row.last_at)))
    bulk.upsert_rows(tx, refusal, _REFUSAL, rows, ("source", "reason"))


def figures(tx: Tx, refused_after: datetime, letters_after: datetime, tried_before: datetime) -> Figures:
    """What the database tells; the backup is asked of `store.chores`."""
    rows = tx.run(select(refusal).where(refusal.c.last_at > refused_after).order_by(refusal.c.source, refusal.c.reason))
    refused = tuple(Refused(r.source, r.reason, r.count, r.began_at, r.last_at) for r in rows)
    return Figures(refused, _letters(tx, letters_after), _delivery_since(tx), _outbox_since(tx, tried_before))


def _letters(tx: Tx, after: datetime) -> tuple[Letters, ...]:
    d, c = delivery.c, dead_letter.c
    query = (
        select(d.source, func.count(), func.max(c.at, type_=c.at.type))
        .join(dead_letter, c.delivery_id == d.id)
        .where(c.cleared_at.is_(None), c.at > after, d.source != SOURCE)
        .group_by(d.source)
        .order_by(d.source)
    )
    return tuple(Letters(*row) for row in tx.run(query))


def _delivery_since(tx: Tx) -> datetime | None:
    c = delivery.c
    query = select(c.received_at).where(c.state == "stored", c.source != SOURCE).order_by(c.id).limit(1)
    found: datetime | None = tx.run(query).scalar()
    return found


def _outbox_since(tx: Tx, tried_before: datetime) -> datetime | None:
    """Messages that are put off on purpose do not count, those that were tried in vain do."""
    c = outbox.c
    stuck = or_(c.due_at < tried_before, and_(c.tries > 0, c.created_at < tried_before))
    query = select(func.min(c.created_at, type_=c.created_at.type)).where(c.state == "pending", stuck)
    found: datetime | None = tx.run(query).scalar()
    return found


def standing(tx: Tx) -> list[Standing]:
    """What lasts, as far as it was told."""
    query = select(trouble).where(trouble.c.began_at.is_not(None), trouble.c.ended_at.is_(None))
    return [_standing(row) for row in tx.run(query)]


def lock(tx: Tx, found: Collection[Trouble], others: Collection[Key]) -> dict[Key, Standing]:
    """The rows of these troubles, locked in one order; those that are new are made."""
    new = sorted((t.name, t.subject, t.labels, t.summary, None, None, tx.now) for t in found)
    bulk.insert_rows(tx, trouble, _TROUBLE, new, or_ignore=True)
    keys = {(t.name, t.subject) for t in found}.union(others)
    c = trouble.c
    query = select(trouble).where(tuple_(c.name, c.subject).in_(list(keys))).order_by(c.name, c.subject)
    rows = [_standing(row) for row in tx.run(query.with_for_update())] if keys else []
    return {row.key: row for row in rows}


def write(tx: Tx, rows: Sequence[Standing]) -> None:
    """Set these rows (locked)."""
    values = [tuple(getattr(row, name) for name in _TROUBLE) for row in rows]
    bulk.upsert_rows(tx, trouble, _TROUBLE, values, ("name", "subject"))


def _standing(row: Any) -> Standing:
    return Standing(**{name: getattr(row, name) for name in _TROUBLE})

"""Sources whose own programs are asked: when, since when the desk was down, what is gone there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, insert, or_, select, update

from servicedesk.store import bulk
from servicedesk.store.db import Tx
from servicedesk.store.deliveries import STORED
from servicedesk.store.tables import alert, delivery, missing_alert, reconciliation


@dataclass(frozen=True, slots=True)
class Turn:
    """A look that this worker takes. down_from: what happened since then is to be looked up, None: nothing."""

    down_from: datetime | None


def take_turn(tx: Tx, source: str, times: tuple[timedelta, timedelta, timedelta]) -> Turn | None:
    """Record that the desk is alive; the turn when it is time for a look, None when another has it or it is early.

    times: between two looks; without a worker until that counts as down; after a look while an alert is in doubt.
    """
    every, down_after, soon = times
    c = reconciliation.c
    row = tx.run(select(reconciliation).where(c.source == source).with_for_update()).one_or_none()
    if row is None:
        bulk.insert_rows(tx, reconciliation, ("source", "alive_at", "next_at"), [(source, tx.now, tx.now)], True)
        row = tx.run(select(reconciliation).where(c.source == source).with_for_update()).one()
    down_from = row.down_from
    if down_from is None and tx.now - row.alive_at > down_after:
        down_from = row.alive_at
    doubted = row.looked_at is not None and tx.now - row.looked_at >= soon and _doubted(tx, source)
    due = row.next_at <= tx.now or doubted or row.next_at > tx.now + every  # a clock that was set back
    next_at = tx.now + every if due else row.next_at
    mine = update(reconciliation).where(c.source == source)
    tx.run(mine.values(alive_at=tx.now, down_from=down_from, next_at=next_at))
    return Turn(down_from) if due else None


def _doubted(tx: Tx, source: str) -> bool:
    return bool(tx.run(select(exists().where(alert.c.source == source, alert.c.suspect_due_at.is_not(None)))).scalar())


def looked(tx: Tx, source: str, looked_at: datetime) -> None:
    """A whole answer was settled: nothing of the past is open any more."""
    mine = update(reconciliation).where(reconciliation.c.source == source)
    tx.run(mine.values(looked_at=looked_at, down_from=None, error=""))


def failed(tx: Tx, source: str, error: str) -> None:
    """There was no whole answer; what is to be looked up stays so."""
    tx.run(update(reconciliation).where(reconciliation.c.source == source).values(error=error))


def waiting(tx: Tx, source: str) -> bool:
    """Does a delivery of the source wait? Then it is not known yet what it has told."""
    return bool(tx.run(select(exists().where(delivery.c.state == STORED, delivery.c.source == source))).scalar())


def open_digests(tx: Tx, source: str) -> list[bytes]:
    """Alerts of a source that fire or are in doubt, and can say when they are over."""
    c = alert.c
    query = select(c.digest).where(c.source == source, c.clears, or_(c.status == "firing", c.status == "suspect"))
    return list(tx.run(query).scalars())


def gone_since(tx: Tx, alert_ids: Collection[int]) -> dict[int, datetime]:
    c = missing_alert.c
    return {row.alert_id: row.since for row in tx.run(select(missing_alert).where(c.alert_id.in_(sorted(alert_ids))))}


def mark_gone(tx: Tx, alert_ids: Collection[int]) -> None:
    """They are absent from now on."""
    mark_back(tx, alert_ids)
    if alert_ids:
        tx.run(insert(missing_alert), [{"alert_id": i, "since": tx.now} for i in sorted(alert_ids)])


def mark_back(tx: Tx, alert_ids: Collection[int]) -> None:
    """They are absent no longer, or that has been settled."""
    if alert_ids:
        tx.run(delete(missing_alert).where(missing_alert.c.alert_id.in_(sorted(alert_ids))))


def labels(tx: Tx, alert_ids: Collection[int]) -> dict[int, dict[str, str]]:
    c = alert.c
    return {row.id: row.labels for row in tx.run(select(c.id, c.labels).where(c.id.in_(sorted(alert_ids))))}

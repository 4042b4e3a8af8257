"""Reading whole chains and the gates beside them, for the verifier, the anchors and the export."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, func, select, text

from servicedesk.domain.audit import Entry

from .db import Tx
from .tables import confirmation, incident, review, review_approval, setting, timeline, timeline_content, verification
from .types import from_us, to_us

LATE_COMMIT = timedelta(minutes=10)  # PostgreSQL: how much later than its rows' time a transaction may commit


@dataclass(frozen=True, slots=True)
class Head:
    """How far a chain has come, as the ticket's own row says."""

    incident_id: int
    status: str
    seq: int
    mac: bytes | None


@dataclass(frozen=True, slots=True)
class Gate:
    """A record that guards read, with the part of it that its timeline line repeats."""

    incident_id: int
    kind: str  # verification | confirmation | approval | waiver
    at_us: int
    actor_id: int | None
    said: dict[str, Any]


def snapshot(tx: Tx) -> None:
    """First in a transaction: everything that follows reads one state of the database (SQLite does so by itself)."""
    if tx.postgresql:
        tx.run(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))


def ranges(tx: Tx, size: int) -> Iterator[tuple[int, int]]:
    """(first, last) ticket ids, `size` at a time, over every ticket and every chain; the administration log is 0."""
    highest = max(tx.run(select(func.max(incident.c.id))).scalar() or 0, _highest_chain(tx))
    for first in range(1, highest + 1, size):
        yield first, first + size - 1


def heads(tx: Tx, first: int, last: int) -> dict[int, Head]:
    query = select(incident.c.id, incident.c.status, incident.c.head_seq, incident.c.head_mac)
    rows = tx.run(query.where(incident.c.id.between(first, last)))
    return {row.id: Head(row.id, row.status, row.head_seq, row.head_mac) for row in rows}


def admin_head(tx: Tx) -> Head:
    value = tx.run(select(setting.c.value).where(setting.c.name == "admin_log_head")).scalar()
    return Head(0, "", value["seq"], bytes.fromhex(value["mac"])) if value else Head(0, "", 0, None)


def entries(tx: Tx, first: int, last: int) -> list[Entry]:
    """Every row of these chains with its content, by ticket and seq."""
    same = and_(timeline_content.c.incident_id == timeline.c.incident_id, timeline_content.c.seq == timeline.c.seq)
    query = select(timeline, timeline_content.c.salt, timeline_content.c.content).select_from(
        timeline.outerjoin(timeline_content, same)
    )
    query = query.where(timeline.c.incident_id.between(first, last))
    return [_entry(row) for row in tx.run(query.order_by(timeline.c.incident_id, timeline.c.seq))]


def gates(tx: Tx, first: int, last: int) -> list[Gate]:
    """Verifications, confirmations, approvals and waivers of these tickets."""
    return [*_verifications(tx, first, last), *_confirmations(tx, first, last), *_decisions(tx, first, last)]


def changed(tx: Tx, mark: int) -> tuple[dict[int, tuple[int, str]], int]:
    """The newest (seq, mac hex) of every chain that grew since `mark`, and the next mark.

    SQLite: a mark is a rowid (one writer: the order of rowids is the order of commits). PostgreSQL: µs, and rows of
    the minutes before it are looked at again, because they may have been committed late.
    """
    grew: Select[Any] = select(timeline.c.incident_id, func.max(timeline.c.seq).label("seq"))
    if tx.postgresql:
        next_mark = to_us(tx.now)
        grew = grew.where(timeline.c.at >= from_us(max(0, mark - LATE_COMMIT // timedelta(microseconds=1))))
    else:
        next_mark = tx.run(text("SELECT coalesce(max(rowid), 0) FROM timeline")).scalar_one()
        grew = grew.where(text("timeline.rowid > :mark").bindparams(mark=mark if next_mark >= mark else 0))
    newest = grew.group_by(timeline.c.incident_id).subquery()
    both = and_(timeline.c.incident_id == newest.c.incident_id, timeline.c.seq == newest.c.seq)
    rows = tx.run(select(timeline.c.incident_id, timeline.c.seq, timeline.c.mac).join(newest, both))
    return {row.incident_id: (row.seq, row.mac.hex()) for row in rows}, next_mark


def count_incidents(tx: Tx) -> int:
    return int(tx.run(select(func.count()).select_from(incident)).scalar_one())


def _highest_chain(tx: Tx) -> int:
    return int(tx.run(select(func.max(timeline.c.incident_id))).scalar() or 0)


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        row.incident_id,
        row.seq,
        to_us(row.at),
        row.kind,
        row.actor_id,
        row.actor_role,
        row.rule,
        row.content_digest,
        row.prev,
        row.mac,
        row.salt,
        row.content,
    )


def _verifications(tx: Tx, first: int, last: int) -> Iterator[Gate]:
    fields = ("cycle", "kind", "verdict", "tested", "evidence", "no_new_problem")
    for row in tx.run(select(verification).where(verification.c.incident_id.between(first, last))):
        said = {name: getattr(row, name) for name in fields}
        yield Gate(row.incident_id, "verification", to_us(row.at), row.actor_id, said)


def _confirmations(tx: Tx, first: int, last: int) -> Iterator[Gate]:
    for row in tx.run(select(confirmation).where(confirmation.c.incident_id.between(first, last))):
        said = {name: getattr(row, name) for name in ("cycle", "kind", "accepted", "comment")}
        yield Gate(row.incident_id, "confirmation", to_us(row.at), row.actor_id, said)


def _decisions(tx: Tx, first: int, last: int) -> Iterator[Gate]:
    of_these = review.c.incident_id.between(first, last)
    query = select(review.c.incident_id, review.c.version, review_approval.c.at, review_approval.c.actor_id)
    for row in tx.run(query.join(review, review.c.id == review_approval.c.review_id).where(of_these)):
        yield Gate(row.incident_id, "approval", to_us(row.at), row.actor_id, {"version": row.version})
    for row in tx.run(select(review).where(of_these, review.c.status == "waived")):
        at_us = to_us(row.decided_at) if row.decided_at else 0
        yield Gate(row.incident_id, "waiver", at_us, row.waived_by, {"version": row.version, "status": "waived"})

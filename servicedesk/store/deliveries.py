"""Raw deliveries: stored before anything else, claimed by state, kept with what could not be applied of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, exists, insert, select, update

from servicedesk.store.db import Tx
from servicedesk.store.tables import dead_letter, delivery

STORED, DONE, DEAD = "stored", "done", "dead"
WHOLE = -1  # index of a dead letter that stands for the whole delivery


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that waits to be applied, locked by this transaction. size: bytes before compression."""

    id: int
    receiver: str
    source: str
    received_at: datetime
    applied_upto: int
    size: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a delivery is applied. events: how many entries it holds; done: all of them are applied or dead."""

    id: int
    applied_upto: int
    events: int
    truncated: int
    done: bool


def insert_many(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Store deliveries in one statement; answers their ids in the same order."""
    statement = insert(delivery).returning(delivery.c.id, sort_by_parameter_order=True)
    return list(tx.run(statement, [dict(row) for row in rows]).scalars())


def claim(tx: Tx, limit: int, only: int | None = None) -> list[Claimed]:
    """The oldest deliveries that wait, locked; those that another worker holds are passed over."""
    c = delivery.c
    query = select(c.id, c.receiver, c.source, c.received_at, c.applied_upto, c.size).where(c.state == STORED)
    if only is not None:
        query = query.where(c.id == only)
    rows = tx.run(query.order_by(c.id).limit(limit).with_for_update(skip_locked=True))
    return [Claimed(*row) for row in rows]


def bodies(tx: Tx, ids: Iterable[int]) -> dict[int, bytes]:
    """The compressed bodies."""
    rows = tx.run(select(delivery.c.id, delivery.c.body).where(delivery.c.id.in_(list(ids))))
    return {row.id: bytes(row.body) for row in rows}


def recorded(tx: Tx, ids: Iterable[int], last: int) -> list[Any]:
    """These deliveries, or the newest so many when none is named, the oldest first; body compressed."""
    c, wanted = delivery.c, sorted(set(ids))
    query = select(c.id, c.receiver, c.source, c.content_type, c.received_at, c.body)
    query = query.where(c.id.in_(wanted)) if wanted else query.order_by(c.id.desc()).limit(last)
    return sorted(tx.run(query), key=lambda row: row.id)


def advance(tx: Tx, progress: Iterable[Progress]) -> None:
    """Record how far these deliveries are applied."""
    rows = [
        {
            "of": p.id,
            "upto": p.applied_upto,
            "total": p.events,
            "cut": p.truncated,
            "now": tx.now if p.done else None,
            "to": DONE if p.done else STORED,
        }
        for p in progress
    ]
    if rows:
        tx.run(
            update(delivery)
            .where(delivery.c.id == bindparam("of"))
            .values(
                applied_upto=bindparam("upto"),
                events=bindparam("total"),
                truncated=bindparam("cut"),
                done_at=bindparam("now"),
                state=bindparam("to"),
            ),
            rows,
        )


def skip(tx: Tx, delivery_id: int, upto: int) -> None:
    """Go on after an entry that cannot be applied; the next slice finds out whether that was the last."""
    tx.run(update(delivery).where(delivery.c.id == delivery_id).values(applied_upto=upto))


def bury(tx: Tx, delivery_id: int, error: str) -> None:
    """The whole delivery cannot be read: state dead, with its letter."""
    tx.run(update(delivery).where(delivery.c.id == delivery_id).values(state=DEAD, error=error, done_at=tx.now))
    add_letters(tx, [(delivery_id, WHOLE, error)])


def add_letters(tx: Tx, letters: Sequence[tuple[int, int, str]]) -> None:
    """(delivery, index, error) of events that cannot be applied; one that was there before is told anew."""
    if not letters:
        return
    c = dead_letter.c
    query = select(c.delivery_id, c.idx, c.id).where(c.delivery_id.in_({of for of, _, _ in letters}))
    known = {(row.delivery_id, row.idx): row.id for row in tx.run(query)}
    new = [
        {"delivery_id": of, "idx": index, "error": error, "at": tx.now}
        for of, index, error in letters
        if (of, index) not in known
    ]
    if new:
        tx.run(insert(dead_letter), new)
    for of, index, error in letters:
        if (of, index) in known:
            again = update(dead_letter).where(c.id == known[of, index])
            tx.run(again.values(error=error, at=tx.now, cleared_at=None))


def open_letters(tx: Tx, delivery_id: int) -> dict[int, str]:
    """Index and error of what is still not applied of a delivery; WHOLE: it could not be read at all."""
    c = dead_letter.c
    query = select(c.idx, c.error).where(c.delivery_id == delivery_id, c.cleared_at.is_(None)).order_by(c.idx)
    return {row.idx: row.error for row in tx.run(query)}


def with_letters(tx: Tx) -> list[int]:
    """The deliveries that have an open letter, the oldest first."""
    c = dead_letter.c
    query = select(c.delivery_id).distinct().where(c.cleared_at.is_(None)).order_by(c.delivery_id)
    return list(tx.run(query).scalars())


def clear_letters(tx: Tx, delivery_id: int, indexes: Iterable[int]) -> None:
    """These events are applied now."""
    d = dead_letter.c
    which = update(dead_letter).where(d.delivery_id == delivery_id, d.idx.in_(list(indexes)), d.cleared_at.is_(None))
    tx.run(which.values(cleared_at=tx.now))


@dataclass(frozen=True, slots=True)
class Kept:
    """A delivery as replay needs it, locked."""

    id: int
    receiver: str
    source: str
    received_at: datetime
    state: str
    applied_upto: int


def lock(tx: Tx, delivery_id: int) -> Kept | None:
    """The delivery's row, locked until the transaction ends."""
    c = delivery.c
    query = select(c.id, c.receiver, c.source, c.received_at, c.state, c.applied_upto).where(c.id == delivery_id)
    row = tx.run(query.with_for_update()).one_or_none()
    return None if row is None else Kept(*row)


def revive(tx: Tx, delivery_id: int) -> None:
    """A delivery that could not be read waits again."""
    which = update(delivery).where(delivery.c.id == delivery_id, delivery.c.state == DEAD)
    tx.run(which.values(state=STORED, error=None, done_at=None))
    clear_letters(tx, delivery_id, [WHOLE])


def waiting_since(tx: Tx, until: datetime) -> bool:
    """Does any delivery wait that was received by then?"""
    c = delivery.c
    return bool(tx.run(select(exists().where(c.state == STORED, c.received_at <= until))).scalar())


def waits(tx: Tx, delivery_id: int) -> bool:
    """Does this delivery still wait to be applied?"""
    c = delivery.c
    return tx.run(select(c.id).where(c.id == delivery_id, c.state == STORED)).first() is not None

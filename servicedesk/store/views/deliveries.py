"""Raw deliveries and what could not be applied of them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CompoundSelect, Select, select

from servicedesk.store.db import Tx
from servicedesk.store.tables import dead_letter, delivery

from .paging import Page, check_limit, page_of, read_cursor
from .rows import fill

BODY_SHOWN = 200_000  # characters


@dataclass(frozen=True, slots=True)
class Letter:
    """One event of a delivery that could not be applied. idx -1: the whole delivery."""

    id: int
    delivery_id: int
    idx: int
    error: str
    at: datetime
    cleared_at: datetime | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A stored message. state: stored | done | dead. size: bytes as sent."""

    id: int
    receiver: str
    source: str
    content_type: str
    received_at: datetime
    size: int
    state: str
    applied_upto: int
    events: int | None
    truncated: int
    error: str
    done_at: datetime | None
    letters: tuple[Letter, ...] = ()


_COLUMNS = tuple(delivery.c[name] for name in Delivery.__slots__ if name != "letters")


def deliveries(tx: Tx, *, state: str = "", dead: bool = False, cursor: str = "", limit: int = 50) -> Page[Delivery]:
    """A page of deliveries, the newest first. dead: those with anything that could not be applied."""
    check_limit(limit)
    after = read_cursor(cursor, int)
    query: Select[Any] = select(*_COLUMNS)
    if state:
        query = query.where(delivery.c.state == state)
    if dead:
        query = query.where(delivery.c.id.in_(_dead()))
    if after is not None:
        query = query.where(delivery.c.id < after[0])
    found = list(tx.run(query.order_by(delivery.c.id.desc()).limit(limit + 1)).mappings())
    letters = _letters(tx, [r["id"] for r in found])
    return page_of([_delivery(r, letters.get(r["id"], ())) for r in found], limit, lambda d: (d.id,))


def _dead() -> CompoundSelect[Any]:
    """Two short ends of indexes: asked of each delivery instead, all of them would be walked through."""
    whole = select(delivery.c.id).where(delivery.c.state == "dead")
    return whole.union(select(dead_letter.c.delivery_id).where(dead_letter.c.cleared_at.is_(None)))


def _delivery(r: Any, letters: tuple[Letter, ...]) -> Delivery:
    return fill(Delivery, r, error=r["error"] or "", letters=letters)


def _letters(tx: Tx, ids: list[int]) -> dict[int, tuple[Letter, ...]]:
    if not ids:
        return {}
    query = select(dead_letter).where(dead_letter.c.delivery_id.in_(ids)).order_by(dead_letter.c.idx).limit(2000)
    found: dict[int, list[Letter]] = {}
    for r in tx.run(query).mappings():
        found.setdefault(r["delivery_id"], []).append(fill(Letter, r))
    return {i: tuple(letters) for i, letters in found.items()}


def find(tx: Tx, delivery_id: int) -> Delivery | None:
    r = tx.run(select(*_COLUMNS).where(delivery.c.id == delivery_id)).mappings().one_or_none()
    return None if r is None else _delivery(r, _letters(tx, [delivery_id]).get(delivery_id, ()))


def body(tx: Tx, delivery_id: int) -> str:
    """The message as sent, as text; bytes that are no UTF-8 are shown escaped, and a long one is cut."""
    raw = tx.run(select(delivery.c.body).where(delivery.c.id == delivery_id)).scalar_one()
    inflate = zlib.decompressobj()
    text = inflate.decompress(bytes(raw), BODY_SHOWN * 4).decode("utf-8", "backslashreplace")
    return text[:BODY_SHOWN]

"""Storms: how many tickets one alert name of a source has opened lately, and which ticket takes the rest.

Locks: after the incidents; one storm row settles who is the last to open a ticket of his own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from servicedesk.store import bulk
from servicedesk.store.db import Tx
from servicedesk.store.tables import storm
from servicedesk.store.types import from_us, to_us

_COLUMNS = ("digest", "source", "name", "opened", "incident_id", "until", "taken")


@dataclass(slots=True)
class Storm:
    """opened: when tickets of this name were opened; incident_id: takes what comes until `until`; taken: how much."""

    digest: bytes
    source: str
    name: str
    opened: tuple[datetime, ...] = ()
    incident_id: int | None = None
    until: datetime | None = None
    taken: int = 0


def taking(tx: Tx, digests: Collection[bytes]) -> list[int]:
    """The tickets that take what these names bring now; not locked."""
    s = storm.c
    query = select(s.incident_id).where(s.digest.in_(sorted(digests)), s.until > tx.now)
    return [number for number in tx.run(query).scalars() if number is not None] if digests else []


def lock(tx: Tx, names: Mapping[bytes, tuple[str, str]]) -> dict[bytes, Storm]:
    """These names (digest → source, name), locked in the order of digests."""
    ordered = sorted(names)
    if tx.postgresql:  # SQLite's one writer is this lock already
        rows: list[Sequence[Any]] = [(digest, *names[digest], []) for digest in ordered]
        bulk.insert_rows(tx, storm, ("digest", "source", "name", "opened"), rows, or_ignore=True)
    query = select(*[storm.c[name] for name in _COLUMNS]).where(storm.c.digest.in_(ordered))
    found = {digest: Storm(digest, *names[digest]) for digest in ordered}
    for row in tx.run(query.order_by(storm.c.digest).with_for_update()):
        opened = tuple(from_us(at) for at in row.opened)
        found[bytes(row.digest)] = Storm(bytes(row.digest), row.source, row.name, opened, *row[4:])
    return found


def write(tx: Tx, storms: Collection[Storm]) -> None:
    rows = [
        (s.digest, s.source, s.name, [to_us(at) for at in s.opened], s.incident_id, s.until, s.taken) for s in storms
    ]
    bulk.upsert_rows(tx, storm, _COLUMNS, rows, ("digest",))

"""Chores that one node does for all of them: whose turn it is, and how the last run ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from servicedesk.store import bulk
from servicedesk.store.db import Tx
from servicedesk.store.tables import chore


@dataclass(frozen=True, slots=True)
class Chore:
    """ok: how the last run ended, None: it runs, or never did. failures: in a row."""

    name: str
    next_at: datetime
    ran_at: datetime | None
    ok: bool | None
    detail: str
    failures: int


def take(tx: Tx, name: str, first: datetime, following: datetime) -> bool:
    """Is it this caller's turn? The next one is at `following`; a chore that is new begins at `first`."""
    bulk.insert_rows(tx, chore, ("name", "next_at", "detail", "failures"), [(name, first, "", 0)], or_ignore=True)
    row = tx.run(select(chore.c.next_at).where(chore.c.name == name).with_for_update()).one()
    if row.next_at > tx.now:
        return False
    tx.run(update(chore).where(chore.c.name == name).values(next_at=following, ran_at=tx.now, ok=None))
    return True


def ended(tx: Tx, name: str, ok: bool, detail: str) -> None:
    """Record how a run ended."""
    failures = 0 if ok else chore.c.failures + 1
    tx.run(update(chore).where(chore.c.name == name).values(ok=ok, detail=detail[:2000], failures=failures))


def find(tx: Tx, name: str) -> Chore | None:
    row = tx.run(select(chore).where(chore.c.name == name)).one_or_none()
    return None if row is None else Chore(*row)

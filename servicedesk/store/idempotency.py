"""Idempotency keys: one row a key of an actor, reserved before the act and filled with its answer after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from servicedesk.store.db import Tx
from servicedesk.store.tables import idempotency_key

RUNNING = 0  # status of a request that has not ended


@dataclass(frozen=True, slots=True)
class Kept:
    """What stands under a key."""

    request_digest: bytes
    status: int
    body: str


def reserve(tx: Tx, mark: bytes, request: bytes) -> bool:
    """True: the key is ours now; False: somebody used it before."""
    insert = postgresql.insert if tx.postgresql else sqlite.insert
    row = {"digest": mark, "request_digest": request, "status": RUNNING, "body": "", "created_at": tx.now}
    new = insert(idempotency_key).values(row).on_conflict_do_nothing().returning(idempotency_key.c.status)
    return tx.run(new).first() is not None


def find(tx: Tx, mark: bytes) -> Kept:
    """What was kept under a key that is there."""
    r = tx.run(select(idempotency_key).where(idempotency_key.c.digest == mark)).one()
    return Kept(r.request_digest, r.status, r.body)


def fill(tx: Tx, mark: bytes, status: int, body: str) -> None:
    tx.run(update(idempotency_key).where(idempotency_key.c.digest == mark).values(status=status, body=body))


def release(tx: Tx, mark: bytes) -> None:
    """Remove a key whose request has not ended."""
    running = (idempotency_key.c.digest == mark) & (idempotency_key.c.status == RUNNING)
    tx.run(delete(idempotency_key).where(running))


def forget(tx: Tx, before: datetime) -> int:
    """Remove keys older than this; answers how many."""
    return int(tx.run(delete(idempotency_key).where(idempotency_key.c.created_at < before)).rowcount)

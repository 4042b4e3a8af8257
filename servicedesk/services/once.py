"""Idempotency keys: the first request with a key acts, the others get its answer; forgotten after a day."""

from __future__ import annotations

from datetime import timedelta

from servicedesk.desk import Desk
from servicedesk.errors import Conflict
from servicedesk.store import idempotency
from servicedesk.store.db import Tx
from servicedesk.store.idempotency import Kept

KEPT = timedelta(hours=24)


def begin(desk: Desk, mark: bytes, request: bytes) -> Kept | None:
    """Reserve a key, or answer what it was used for. mark: digest of (actor, key); request: digest of the request.

    Raises Conflict when it was used for another request, or when the first one has not ended (its process may have
    died: nobody knows whether it took effect, so it is never run again under this key).
    """

    def change(tx: Tx) -> Kept | None:
        if idempotency.reserve(tx, mark, request):
            return None
        kept = idempotency.find(tx, mark)
        if kept.request_digest != request:
            raise Conflict("This Idempotency-Key was used for another request: take a new one.")
        if kept.status == idempotency.RUNNING:
            raise Conflict("The first request with this Idempotency-Key has not ended: look whether it took effect.")
        return kept

    return desk.write(change)


def finish(desk: Desk, mark: bytes, status: int, body: str) -> None:
    """Keep the answer under the reserved key."""
    desk.write(lambda tx: idempotency.fill(tx, mark, status, body))


def release(desk: Desk, mark: bytes) -> None:
    """The act changed nothing: its key is free again."""
    desk.write(lambda tx: idempotency.release(tx, mark))


def forget_old(desk: Desk) -> int:
    """A job: drop keys older than a day; answers how many."""
    return desk.write(lambda tx: idempotency.forget(tx, desk.now() - KEPT))

"""The records that guards read, as they are written: verification, confirmation, second person, follow-ups."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Table, insert, select, update

from servicedesk.store.db import Tx
from servicedesk.store.tables import action_item, confirmation, second_person_request, task, verification

ACTIONS, TASKS = action_item, task
_REQUEST = second_person_request.c


def add_verification(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.run(insert(verification).values(dict(values)))


def add_confirmation(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.run(insert(confirmation).values(dict(values)))


def add_request(tx: Tx, values: Mapping[str, Any]) -> int:
    """A second-person request; answers its id."""
    new_id: int = tx.run(insert(second_person_request).values(dict(values)).returning(_REQUEST.id)).scalar_one()
    return new_id


def request(tx: Tx, request_id: int) -> Row[Any] | None:
    found: Row[Any] | None = tx.run(select(second_person_request).where(_REQUEST.id == request_id)).first()
    return found


def decide_request(tx: Tx, request_id: int, values: Mapping[str, Any]) -> bool:
    """Settle a request that is still asked; False when it was settled meanwhile."""
    settled = update(second_person_request).where(_REQUEST.id == request_id, _REQUEST.status == "asked")
    return bool(tx.run(settled.values(dict(values) | {"decided_at": tx.now})).rowcount)


def expired_requests(tx: Tx, now: datetime, limit: int) -> list[tuple[int, int]]:
    """(request, incident) of those that nobody decided in time."""
    query = select(_REQUEST.id, _REQUEST.incident_id).where(_REQUEST.status == "asked", _REQUEST.expires_at <= now)
    return [(row.id, row.incident_id) for row in tx.run(query.limit(limit))]


def add_followup(tx: Tx, table: Table, values: Mapping[str, Any]) -> int:
    """A row of ACTIONS or TASKS; answers its id."""
    stamps = {"created_at": tx.now, "updated_at": tx.now}
    new_id: int = tx.run(insert(table).values(dict(values) | stamps).returning(table.c.id)).scalar_one()
    return new_id


def followup(tx: Tx, table: Table, row_id: int, incident_id: int) -> Row[Any] | None:
    query = select(table).where(table.c.id == row_id, table.c.incident_id == incident_id)
    found: Row[Any] | None = tx.run(query).first()
    return found


def change_followup(tx: Tx, table: Table, row_id: int, values: Mapping[str, Any]) -> None:
    tx.run(update(table).where(table.c.id == row_id).values(dict(values) | {"updated_at": tx.now}))


def action_types(tx: Tx, incident_id: int) -> list[str]:
    """Types of the ticket's action items, without those that will not be done."""
    a = action_item.c
    return list(tx.run(select(a.type).where(a.incident_id == incident_id, a.status != "wont_do")).scalars())

"""SQL of silences that were set from tickets."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, insert, or_, select, update

from servicedesk.domain.incident import CANCELLED, CLOSED

from .db import Tx
from .tables import alert, incident, member, silence

_S = silence.c


def members(tx: Tx, incident_id: int) -> dict[int, dict[str, str]]:
    """alert id → labels of the ticket's alerts."""
    query = select(alert.c.id, alert.c.labels).join(member, member.c.alert_id == alert.c.id)
    return {row.id: row.labels for row in tx.run(query.where(member.c.incident_id == incident_id).order_by(alert.c.id))}


def add(tx: Tx, values: Mapping[str, Any]) -> int:
    new_id: int = tx.run(insert(silence).values(dict(values)).returning(_S.id)).scalar_one()
    return new_id


def one(tx: Tx, incident_id: int, row_id: int) -> Row[Any] | None:
    found: Row[Any] | None = tx.run(select(silence).where(_S.id == row_id, _S.incident_id == incident_id)).first()
    return found


def change(tx: Tx, row_id: int, values: Mapping[str, Any], states: Collection[str] = ()) -> bool:
    """states: only while it is in one of these; False when it is not."""
    mine = update(silence).where(_S.id == row_id)
    mine = mine.where(_S.state.in_(states)) if states else mine
    return bool(tx.run(mine.values(dict(values))).rowcount)


def due(tx: Tx, lost_before: datetime) -> Sequence[Row[Any]]:
    """Silences whose end has come, whose ticket is over, or whose setting was never answered."""
    over = or_(_S.ends_at <= tx.now, incident.c.status.in_((CLOSED, CANCELLED)))
    lost = and_(_S.state == "asked", _S.created_at < lost_before)
    query = select(silence).join(incident, incident.c.id == _S.incident_id)
    rows = tx.run(query.where(or_(and_(_S.state == "active", over), lost)).order_by(_S.id).limit(50))
    return rows.all()  # type: ignore[no-any-return]


def lock(tx: Tx, incident_id: int) -> None:
    """Before anything is appended to its timeline."""
    tx.run(select(incident.c.id).where(incident.c.id == incident_id).with_for_update())

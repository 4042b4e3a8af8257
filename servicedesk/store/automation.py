"""SQL of reports about automatic handling: which open ticket an alert belongs to."""

from __future__ import annotations

from sqlalchemy import select

from servicedesk.domain.incident import UNCLOSED

from .db import Tx
from .tables import alert, incident, member


def of_source(tx: Tx, incident_id: int, source: str) -> bool:
    """Does the ticket carry an alert of this source?"""
    query = select(alert.c.id).join(member, member.c.alert_id == alert.c.id)
    found = query.where(member.c.incident_id == incident_id, alert.c.source == source).limit(1)
    return tx.run(found).first() is not None


def open_ticket_of(tx: Tx, source: str, key: bytes | None, fingerprint: str) -> int | None:
    """The newest open ticket of an alert, by the key of its labels or its fingerprint. source: "" means any."""
    query = select(incident.c.id).join(member, member.c.incident_id == incident.c.id)
    query = query.join(alert, alert.c.id == member.c.alert_id).where(incident.c.status.in_(UNCLOSED))
    query = query.where(alert.c.key == key) if key is not None else query.where(alert.c.fingerprint == fingerprint)
    if source:
        query = query.where(alert.c.source == source)
    found: int | None = tx.run(query.order_by(incident.c.id.desc()).limit(1)).scalar()
    return found

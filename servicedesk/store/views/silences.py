"""Silences that were set from a ticket, as its page and the API show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from servicedesk.store.db import Tx
from servicedesk.store.tables import silence, user

from .rows import fill, shown_name


@dataclass(frozen=True, slots=True)
class Silence:
    """state: asked (the Alertmanager has not answered yet), active, expired or failed; silence_id: as it names it.

    labels: every alert with all of these is silenced.
    """

    id: int
    silence_id: str | None
    labels: dict[str, str]
    reason: str
    actor: str
    state: str
    created_at: datetime
    ends_at: datetime
    ended_at: datetime | None
    error: str | None


def of_ticket(tx: Tx, incident_id: int) -> tuple[Silence, ...]:
    """The silences of a ticket, those that are set first, then the newest."""
    query = (
        select(silence, shown_name(user).label("actor"))
        .outerjoin(user, user.c.id == silence.c.actor_id)
        .where(silence.c.incident_id == incident_id)
        .order_by(silence.c.state.not_in(("active", "asked")), silence.c.id.desc())
        .limit(50)
    )
    return tuple(fill(Silence, row) for row in tx.run(query).mappings())

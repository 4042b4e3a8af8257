"""Fixes under observation, as pages and the API show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, select

from servicedesk.domain.incident import number
from servicedesk.store.db import Tx
from servicedesk.store.tables import incident, observation, playbook_run, playbook_version

_O = observation.c


@dataclass(frozen=True, slots=True)
class Watched:
    """A fix under observation by the verify section of one playbook.

    ends_at: when its soak window is over at the earliest: the quiet window may begin later than the observation;
    due_at: of the next look; look: looks begun; failing: looks that failed in a row; reason: the newest in a sentence.
    """

    id: int
    incident_id: int
    number: str
    ticket: str
    priority: int | None
    status: str
    run_id: int
    playbook: str
    title: str
    cycle: int
    state: str
    begun_at: datetime
    ends_at: datetime
    soak: int
    due_at: datetime
    look: int
    looking: bool
    failing: int
    reason: str
    looked_at: datetime | None
    ended_at: datetime | None


def _query() -> Select[Any]:
    return (
        select(observation, playbook_version.c.title, playbook_run.c.playbook)
        .add_columns(incident.c.title.label("ticket"), incident.c.priority, incident.c.status, incident.c.quiet_from)
        .join(playbook_run, playbook_run.c.id == _O.run_id)
        .join(playbook_version, playbook_version.c.hash == playbook_run.c.hash)
        .join(incident, incident.c.id == _O.incident_id)
    )


def _watched(r: Any) -> Watched:
    begun = max(t for t in (r["begun_at"], r["quiet_from"]) if t is not None)
    made = {"number": number(r["incident_id"]), "ends_at": begun + timedelta(seconds=r["soak"])}
    return Watched(**{name: r[name] for name in Watched.__slots__ if name not in made}, **made)


def watched(tx: Tx, limit: int = 200) -> tuple[Watched, ...]:
    """Everything that is under observation now, the next look first."""
    query = _query().where(_O.state == "watching").order_by(_O.due_at, _O.id).limit(limit)
    return tuple(_watched(row) for row in tx.run(query).mappings())


def lately(tx: Tx, limit: int = 30) -> tuple[Watched, ...]:
    """Observations that have ended, the newest first; those that became void aside."""
    query = _query().where(_O.state.in_(("passed", "failed", "inconclusive"))).order_by(_O.ended_at.desc(), _O.id)
    return tuple(_watched(row) for row in tx.run(query.limit(limit)).mappings())


def of_ticket(tx: Tx, incident_id: int) -> tuple[Watched, ...]:
    """Every observation of a ticket, of earlier cycles too, oldest first."""
    query = _query().where(_O.incident_id == incident_id).order_by(_O.id)
    return tuple(_watched(row) for row in tx.run(query).mappings())


@dataclass(frozen=True, slots=True)
class Quiet:
    """A resolved ticket whose alerts must stay quiet until `due_at`."""

    incident_id: int
    number: str
    title: str
    priority: int | None
    quiet_from: datetime | None
    due_at: datetime


def quiet(tx: Tx, limit: int = 200) -> tuple[Quiet, ...]:
    """Resolved tickets that wait for the end of their quiet window, the next end first."""
    c = incident.c
    query = select(c.id, c.title, c.priority, c.quiet_from, c.due_at).where(c.status == "resolved")
    rows = tx.run(query.where(c.due_at.is_not(None), c.quiet_from.is_not(None)).order_by(c.due_at).limit(limit))
    return tuple(Quiet(r.id, number(r.id), r.title, r.priority, r.quiet_from, r.due_at) for r in rows)

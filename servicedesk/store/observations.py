"""SQL of fixes under observation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, and_, insert, select, update

from servicedesk.domain.incident import RESOLVED, REVIEW

from .db import Tx
from .tables import alert, incident, member, observation, playbook_run, playbook_version

_O = observation.c


def runs(tx: Tx, incident_id: int) -> Sequence[Row[Any]]:
    """The playbooks of a ticket with their sources: id, playbook, source, labels."""
    columns = (playbook_run.c.id, playbook_run.c.playbook, playbook_run.c.labels, playbook_run.c.hash)
    query = (
        select(*columns, playbook_version.c.source)
        .join(playbook_version, playbook_version.c.hash == playbook_run.c.hash)
        .where(playbook_run.c.incident_id == incident_id)
        .order_by(playbook_run.c.id)
    )
    return tx.run(query).all()  # type: ignore[no-any-return]


def begin(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    tx.run(insert(observation), [dict(row) for row in rows])


def due(tx: Tx, limit: int) -> list[tuple[int, int]]:
    """(observation, incident) whose next look has come, or whose ticket has moved on."""
    moved = incident.c.status.not_in((RESOLVED, REVIEW)) | (incident.c.cycle != _O.cycle)
    ready = and_(_O.due_at <= tx.now, _O.looking.is_(False))
    query = select(_O.id, _O.incident_id).join(incident, incident.c.id == _O.incident_id)
    rows = tx.run(query.where(_O.state == "watching", ready | moved).order_by(_O.due_at).limit(limit))
    return [(row.id, row.incident_id) for row in rows]


def one(tx: Tx, observation_id: int) -> Row[Any]:
    """The observation with its playbook's source and labels; the caller holds its incident's lock."""
    query = (
        select(observation, playbook_run.c.playbook, playbook_run.c.labels, playbook_run.c.hash)
        .add_columns(playbook_version.c.source)
        .join(playbook_run, playbook_run.c.id == _O.run_id)
        .join(playbook_version, playbook_version.c.hash == playbook_run.c.hash)
        .where(_O.id == observation_id)
    )
    return tx.run(query).one()  # type: ignore[no-any-return]


def change(tx: Tx, observation_id: int, values: Mapping[str, Any]) -> None:
    tx.run(update(observation).where(_O.id == observation_id).values(dict(values)))


def of_cycle(tx: Tx, incident_id: int, cycle: int) -> Sequence[Row[Any]]:
    """The observations of a ticket's cycle with their playbooks' titles."""
    query = (
        select(observation, playbook_version.c.title)
        .join(playbook_run, playbook_run.c.id == _O.run_id)
        .join(playbook_version, playbook_version.c.hash == playbook_run.c.hash)
        .where(_O.incident_id == incident_id, _O.cycle == cycle)
        .order_by(_O.id)
    )
    return tx.run(query).all()  # type: ignore[no-any-return]


def member_labels(tx: Tx, incident_id: int, limit: int) -> list[dict[str, str]]:
    """Labels of the ticket's alerts that can say that they are over."""
    query = (
        select(alert.c.labels)
        .join(member, member.c.alert_id == alert.c.id)
        .where(member.c.incident_id == incident_id, alert.c.clears.is_(True))
        .order_by(alert.c.id)
        .limit(limit)
    )
    return list(tx.run(query).scalars())

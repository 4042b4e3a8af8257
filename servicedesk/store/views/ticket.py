"""One ticket and everything that stands on its page: a fixed number of queries, whatever it carries."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select

from servicedesk.domain.incident import number
from servicedesk.store.db import Tx
from servicedesk.store.tables import (
    alert,
    incident,
    member,
    playbook_run,
    playbook_step,
    playbook_version,
    service,
    team,
    user,
)

from .queue import Row, rows
from .rows import fill, shown_name

MEMBERS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody as shown: id and the name to show."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """The ticket's own row, with names instead of ids where a person reads it."""

    id: int
    number: str
    type: str
    status: str
    cycle: int
    version: int
    title: str
    description: str
    category: str
    tags: tuple[str, ...]
    impact: int | None
    urgency: int | None
    priority: int | None
    top_priority: int | None
    major: bool
    data_loss: bool
    test: bool
    service_id: int | None
    service: str
    team_id: int | None
    team: str
    owner: Person | None
    requester: Person | None
    resolver: Person | None
    channel: str
    source: str
    labels: dict[str, str]
    creation: dict[str, Any]
    waiting_on: str
    occurrences: int
    first_seen: datetime | None
    last_seen: datetime | None
    started_at: datetime | None
    created_at: datetime
    updated_at: datetime
    acknowledged_at: datetime | None
    hold_reason: str
    hold_until: datetime | None
    next_look_at: datetime | None
    resolved_at: datetime | None
    resolution_code: str
    cause_class: str
    resolution_notes: str
    explanation: str
    cancel_reason: str
    closed_at: datetime | None
    auto_recovered: bool
    recovered_at: datetime | None
    suspect_at: datetime | None
    quiet_from: datetime | None
    due_at: datetime | None
    unassigned_due_at: datetime | None
    ladder_step: int
    ladder_due_at: datetime | None
    recurrence_of: int | None
    merged_into: int | None
    parent_id: int | None
    self_reviewed: bool


@dataclass(frozen=True, slots=True)
class MemberAlert:
    """An alert that the ticket carries."""

    id: int
    name: str
    source: str
    status: str
    clears: bool
    severity: str
    summary: str
    labels: dict[str, str]
    annotations: dict[str, str]
    generator_url: str
    fingerprint: str
    starts_at: datetime
    ends_at: datetime | None
    first_seen: datetime
    last_seen: datetime
    count: int
    flapping_since: datetime | None
    declared_ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    """The recorded part of a playbook step; its text is in the run's source."""

    step: str
    position: int
    mandatory: bool
    outcome: str
    note: str
    actor: str
    at: datetime | None
    branch: str = ""
    left_out: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """A playbook's use on the ticket, with the full source text that was attached.

    helped: what a person said on resolving, and which step most; None: nobody said.
    """

    id: int
    playbook: str
    title: str
    hash: str
    source: str
    attached_at: datetime
    steps: tuple[Step, ...]
    labels: dict[str, str] = field(default_factory=dict)
    helped: bool | None = None
    helped_step: str = ""


def find(tx: Tx, incident_id: int) -> Ticket | None:
    """The ticket, or None."""
    people = {name: user.alias(name) for name in ("owner", "requester", "resolver")}
    joined = incident.outerjoin(service, service.c.id == incident.c.service_id)
    joined = joined.outerjoin(team, team.c.id == incident.c.team_id)
    for name, alias in people.items():
        joined = joined.outerjoin(alias, alias.c.id == incident.c[f"{name}_id"])
    columns = [shown_name(alias).label(name) for name, alias in people.items()]
    service_name = func.coalesce(service.c.name, incident.c.service_label).label("service")
    query = select(incident, service_name, func.coalesce(team.c.name, "").label("team"), *columns)
    r = tx.run(query.select_from(joined).where(incident.c.id == incident_id)).mappings().one_or_none()
    return None if r is None else _ticket(r)


_TEXTS = ("hold_reason", "resolution_code", "cause_class", "resolution_notes", "explanation", "cancel_reason")


def _ticket(r: Any) -> Ticket:
    people = {
        name: Person(r[f"{name}_id"], r[name]) if r[f"{name}_id"] is not None else None
        for name in ("owner", "requester", "resolver")
    }
    texts = {name: r[name] or "" for name in _TEXTS}
    made = {"tags": tuple(r["tags"] or ()), "labels": r["labels"] or {}, "creation": r["creation"] or {}}
    return fill(Ticket, r, number=number(r["id"]), **people, **texts, **made)


def members(tx: Tx, incident_id: int, limit: int = MEMBERS_SHOWN) -> tuple[MemberAlert, ...]:
    """Its alerts: firing first, then suspect, unconfirmed, recovered; in each the newest first; at most `limit`."""
    rank = case({"firing": 0, "suspect": 1, "unconfirmed": 2}, value=alert.c.status, else_=3)
    query = (
        select(alert, member.c.declared_ended_at)
        .join(member, member.c.alert_id == alert.c.id)
        .where(member.c.incident_id == incident_id)
        .order_by(rank, alert.c.id.desc())
        .limit(limit)
    )
    return tuple(fill(MemberAlert, r) for r in tx.run(query).mappings())


def member_counts(tx: Tx, incident_id: int) -> dict[str, int]:
    """How many of its alerts are in which status."""
    query = (
        select(alert.c.status, func.count())
        .join(member, member.c.alert_id == alert.c.id)
        .where(member.c.incident_id == incident_id)
        .group_by(alert.c.status)
    )
    return {r[0]: r[1] for r in tx.run(query)}


def flapping_since(tx: Tx, incident_id: int) -> datetime | None:
    """Since when one of its alerts flaps; None when all are calm."""
    query = select(func.min(alert.c.flapping_since)).where(alert.c.incident_id == incident_id)
    found: datetime | None = tx.run(query).scalar_one_or_none()
    return found


def runs(tx: Tx, incident_id: int) -> tuple[Run, ...]:
    """Its playbooks with what was recorded of their steps."""
    query = (
        select(playbook_run, playbook_version.c.title, playbook_version.c.source)
        .join(playbook_version, playbook_version.c.hash == playbook_run.c.hash)
        .where(playbook_run.c.incident_id == incident_id)
        .order_by(playbook_run.c.id)
    )
    found = tx.run(query).mappings().all()
    steps = _steps(tx, [r["id"] for r in found])
    return tuple(
        Run(
            r["id"],
            r["playbook"],
            r["title"],
            r["hash"],
            r["source"],
            r["attached_at"],
            tuple(steps.get(r["id"], ())),
            r["labels"] or {},
            r["helped"],
            r["helped_step"] or "",
        )
        for r in found
    )


def _steps(tx: Tx, run_ids: list[int]) -> dict[int, list[Step]]:
    if not run_ids:
        return {}
    query = (
        select(playbook_step, shown_name(user).label("actor"))
        .outerjoin(user, user.c.id == playbook_step.c.actor_id)
        .where(playbook_step.c.run_id.in_(run_ids))
        .order_by(playbook_step.c.run_id, playbook_step.c.position)
    )
    found: dict[int, list[Step]] = {}
    for r in tx.run(query).mappings():
        step = fill(Step, r, outcome=r["outcome"] or "", branch=r["branch"] or "")
        found.setdefault(r["run_id"], []).append(step)
    return found


def related(tx: Tx, ticket: Ticket) -> dict[str, tuple[Row, ...]]:
    """Tickets tied to this one, by how: recurrence_of, merged_into, parent, children, recurrences."""
    ties = {"recurrence_of": ticket.recurrence_of, "merged_into": ticket.merged_into, "parent": ticket.parent_id}
    query = select(incident.c.id, incident.c.parent_id).where(
        (incident.c.parent_id == ticket.id) | (incident.c.recurrence_of == ticket.id)
    )
    below = tx.run(query.order_by(incident.c.id).limit(50)).all()
    ids = {name: [i] for name, i in ties.items() if i is not None}
    ids["children"] = [r.id for r in below if r.parent_id == ticket.id]
    ids["recurrences"] = [r.id for r in below if r.parent_id != ticket.id]
    shown = {r.id: r for r in rows(tx, sorted({i for group in ids.values() for i in group}))}
    return {name: tuple(shown[i] for i in group if i in shown) for name, group in ids.items() if group}

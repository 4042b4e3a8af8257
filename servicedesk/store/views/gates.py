"""What the guards of a ticket rest on: verifications, confirmations, follow-ups, sub-tasks, and what was told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from servicedesk.store.db import Tx
from servicedesk.store.tables import action_item, confirmation, outbox, task, user, verification

from .rows import fill, shown_name


@dataclass(frozen=True, slots=True)
class Verification:
    id: int
    cycle: int
    verdict: str
    kind: str
    tested: str
    evidence: str
    no_new_problem: bool
    actor: str
    at: datetime


def verifications(tx: Tx, incident_id: int) -> tuple[Verification, ...]:
    """Every verification of every cycle, oldest first."""
    query = (
        select(verification, shown_name(user).label("actor"))
        .outerjoin(user, user.c.id == verification.c.actor_id)
        .where(verification.c.incident_id == incident_id)
        .order_by(verification.c.id)
    )
    return tuple(fill(Verification, r) for r in tx.run(query).mappings())


@dataclass(frozen=True, slots=True)
class Confirmation:
    id: int
    cycle: int
    accepted: bool
    kind: str
    comment: str
    actor: str
    at: datetime


def confirmations(tx: Tx, incident_id: int) -> tuple[Confirmation, ...]:
    """Every confirmation and rejection of every cycle, oldest first."""
    query = (
        select(confirmation, shown_name(user).label("actor"))
        .outerjoin(user, user.c.id == confirmation.c.actor_id)
        .where(confirmation.c.incident_id == incident_id)
        .order_by(confirmation.c.id)
    )
    return tuple(fill(Confirmation, r) for r in tx.run(query).mappings())


@dataclass(frozen=True, slots=True)
class ActionItem:
    id: int
    title: str
    type: str
    owner_id: int | None
    owner: str
    due_at: datetime | None
    blocking: bool
    tracking: str
    status: str
    reason: str
    proof: str


def action_items(tx: Tx, incident_id: int) -> tuple[ActionItem, ...]:
    query = (
        select(action_item, shown_name(user).label("owner"))
        .outerjoin(user, user.c.id == action_item.c.owner_id)
        .where(action_item.c.incident_id == incident_id)
        .order_by(action_item.c.id)
    )
    return tuple(fill(ActionItem, r) for r in tx.run(query).mappings())


@dataclass(frozen=True, slots=True)
class Task:
    id: int
    title: str
    assignee_id: int | None
    assignee: str
    due_at: datetime | None
    mandatory: bool
    status: str
    reason: str


def tasks(tx: Tx, incident_id: int) -> tuple[Task, ...]:
    query = (
        select(task, shown_name(user).label("assignee"))
        .outerjoin(user, user.c.id == task.c.assignee_id)
        .where(task.c.incident_id == incident_id)
        .order_by(task.c.id)
    )
    return tuple(fill(Task, r) for r in tx.run(query).mappings())


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification about the ticket and what became of it."""

    id: int
    event: str
    channel: str
    target: str
    state: str
    created_at: datetime
    sent_at: datetime | None
    tries: int
    error: str | None


def notices(tx: Tx, incident_id: int, limit: int = 20) -> tuple[Notice, ...]:
    """The newest notifications first."""
    query = select(outbox).where(outbox.c.incident_id == incident_id).order_by(outbox.c.id.desc()).limit(limit)
    return tuple(fill(Notice, r) for r in tx.run(query).mappings())

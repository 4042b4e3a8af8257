"""What guards judge, read for one ticket. Statements are built once: building one costs more than running it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BindParameter, Row, bindparam, exists, select

from servicedesk.domain import incident as words
from servicedesk.domain.incident import ActionFact, AlertFact, ConfirmationFact, ReviewFact, VerificationFact
from servicedesk.store.db import Tx
from servicedesk.store.tables import (
    action_item,
    alert,
    confirmation,
    incident,
    member,
    observation,
    playbook_run,
    playbook_step,
    playbook_version,
    review,
    review_approval,
    second_person_request,
    task,
    team_member,
    user,
    verification,
)

_THIS: BindParameter[int] = bindparam("incident")
_CYCLE: BindParameter[int] = bindparam("cycle")
_ROW = select(incident).where(incident.c.id == _THIS)
_LOCKED_ROW = _ROW.with_for_update()
_ACTIVE = select(user.c.active).where(user.c.id == bindparam("owner"))
_BELONGS = select(team_member.c.user_id).where(
    team_member.c.user_id == bindparam("owner"), team_member.c.team_id == bindparam("team")
)
_ALERTS = (
    select(alert.c.id, alert.c.name, alert.c.status, alert.c.clears, member.c.declared_ended_at)
    .join(member, member.c.alert_id == alert.c.id)
    .where(member.c.incident_id == _THIS)
    .order_by(alert.c.id)
)
_OPEN_STEPS = (
    select(playbook_step.c.step)
    .join(playbook_run, playbook_run.c.id == playbook_step.c.run_id)
    .where(
        playbook_run.c.incident_id == _THIS,
        playbook_step.c.mandatory.is_(True),
        playbook_step.c.outcome.is_(None) | (playbook_step.c.outcome == "failed"),
    )
    .order_by(playbook_run.c.id, playbook_step.c.position)
)
_OPEN_TASKS = (
    select(task.c.title)
    .where(task.c.incident_id == _THIS, task.c.mandatory.is_(True), task.c.status == "open")
    .order_by(task.c.id)
)
_OPEN_CHILDREN = (
    select(incident.c.id)
    .where(incident.c.parent_id == _THIS, incident.c.status.in_(words.WORKING))
    .order_by(incident.c.id)
)
_DECIDED = (
    select(second_person_request.c.kind, second_person_request.c.payload)
    .where(
        second_person_request.c.incident_id == _THIS,
        second_person_request.c.cycle == _CYCLE,
        second_person_request.c.status == "approved",
    )
    .order_by(second_person_request.c.id)
)
_VERIFICATIONS = (
    select(verification)
    .where(verification.c.incident_id == _THIS, verification.c.cycle == _CYCLE)
    .order_by(verification.c.id)
)
_UNPROVEN = (
    select(playbook_version.c.title, observation.c.reason)
    .join(playbook_run, playbook_run.c.id == observation.c.run_id)
    .join(playbook_version, playbook_version.c.hash == playbook_run.c.hash)
    .where(
        observation.c.incident_id == _THIS,
        observation.c.cycle == _CYCLE,
        observation.c.state.not_in(("passed", "void")),
    )
    .order_by(observation.c.id)
)
_CONFIRMATIONS = (
    select(confirmation)
    .where(confirmation.c.incident_id == _THIS, confirmation.c.cycle == _CYCLE)
    .order_by(confirmation.c.id)
)
_REVIEW = select(review).where(review.c.incident_id == _THIS).order_by(review.c.version.desc()).limit(1)
_APPROVALS = select(review_approval.c.actor_id).where(review_approval.c.review_id == bindparam("review"))
_ACTIONS = select(action_item).where(action_item.c.incident_id == _THIS).order_by(action_item.c.id)
_MONITORED = select(
    exists().where(incident.c.service_id == bindparam("service"), incident.c.source != "").correlate(None)
)


def ticket(tx: Tx, incident_id: int, lock: bool) -> Row[Any] | None:
    """The incident's row; locked until the transaction ends when asked."""
    found: Row[Any] | None = tx.run(_LOCKED_ROW if lock else _ROW, {"incident": incident_id}).one_or_none()
    return found


def owner(tx: Tx, owner_id: int | None, team_id: int | None) -> tuple[bool, bool]:
    """(is the owner's account active, is the owner a member of the team)"""
    if owner_id is None:
        return False, False
    active = bool(tx.run(_ACTIVE, {"owner": owner_id}).scalar())
    if team_id is None:
        return active, False
    return active, tx.run(_BELONGS, {"owner": owner_id, "team": team_id}).first() is not None


def alerts(tx: Tx, incident_id: int) -> tuple[AlertFact, ...]:
    rows = tx.run(_ALERTS, {"incident": incident_id})
    return tuple(AlertFact(r.id, r.name, r.status, r.clears, r.declared_ended_at is not None) for r in rows)


def open_steps(tx: Tx, incident_id: int) -> tuple[str, ...]:
    """Mandatory playbook steps without a good outcome."""
    return tuple(tx.run(_OPEN_STEPS, {"incident": incident_id}).scalars())


def open_tasks(tx: Tx, incident_id: int) -> tuple[str, ...]:
    """Titles of mandatory sub-tasks that are open."""
    return tuple(tx.run(_OPEN_TASKS, {"incident": incident_id}).scalars())


def open_children(tx: Tx, incident_id: int) -> tuple[int, ...]:
    return tuple(tx.run(_OPEN_CHILDREN, {"incident": incident_id}).scalars())


def approved_by_two(tx: Tx, incident_id: int, cycle: int) -> list[Row[Any]]:
    """(kind, payload) of the second-person requests that were approved in this cycle, the oldest first."""
    return list(tx.run(_DECIDED, {"incident": incident_id, "cycle": cycle}))


def verifications(tx: Tx, incident_id: int, cycle: int) -> tuple[VerificationFact, ...]:
    rows = tx.run(_VERIFICATIONS, {"incident": incident_id, "cycle": cycle})
    return tuple(VerificationFact(r.verdict, r.kind, r.actor_id, r.at, r.no_new_problem) for r in rows)


def verify_open(tx: Tx, incident_id: int, cycle: int) -> tuple[str, ...]:
    """Playbooks whose verify section has not passed: title and what was found last."""
    rows = tx.run(_UNPROVEN, {"incident": incident_id, "cycle": cycle})
    return tuple(f"“{r.title}”: {r.reason or 'watched, nothing found out yet.'}" for r in rows)


def confirmations(tx: Tx, incident_id: int, cycle: int) -> tuple[ConfirmationFact, ...]:
    rows = tx.run(_CONFIRMATIONS, {"incident": incident_id, "cycle": cycle})
    return tuple(ConfirmationFact(r.accepted, r.kind, r.actor_id, r.at) for r in rows)


def newest_review(tx: Tx, incident_id: int) -> ReviewFact | None:
    newest = tx.run(_REVIEW, {"incident": incident_id}).first()
    if newest is None:
        return None
    approvals = tuple(tx.run(_APPROVALS, {"review": newest.id}).scalars())
    return ReviewFact(newest.version, newest.cycle, newest.status, newest.depth, tuple(newest.authors), approvals)


def actions(tx: Tx, incident_id: int) -> tuple[ActionFact, ...]:
    rows = tx.run(_ACTIONS, {"incident": incident_id})
    return tuple(
        ActionFact(r.id, r.title, bool(r.owner_id and r.type and r.due_at), r.blocking, r.status) for r in rows
    )


def monitored(tx: Tx, service_id: int | None) -> bool:
    """Has this service ever had an alert-born ticket?"""
    return service_id is not None and bool(tx.run(_MONITORED, {"service": service_id}).scalar())

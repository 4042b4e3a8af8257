"""Loads what guards judge: the incident's row locked first, then its records (a write skew is thus impossible)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Row, bindparam, exists, select

from servicedesk.desk import Desk
from servicedesk.domain import incident as words
from servicedesk.domain import review as review_rules
from servicedesk.domain.incident import (
    ActionFact,
    AlertFact,
    ConfirmationFact,
    Facts,
    ReviewFact,
    VerificationFact,
)
from servicedesk.errors import NotFound
from servicedesk.services.shared.settings import solo_mode
from servicedesk.store.db import Tx
from servicedesk.store.tables import (
    action_item,
    alert,
    confirmation,
    incident,
    member,
    playbook_run,
    playbook_step,
    review,
    review_approval,
    second_person_request,
    task,
    team_member,
    user,
    verification,
)

TEMPLATE_NOTES = frozenset({"What was done, and why it helped."})  # placeholders that count as empty


def lock(tx: Tx, incident_id: int) -> Row[Any]:
    """The incident's row, locked until the transaction ends. Raises NotFound."""
    row = tx.run(_LOCKED_ROW, {"incident": incident_id}).one_or_none()
    if row is None:
        raise NotFound(f"There is no ticket {words.number(incident_id)}.")
    return row  # type: ignore[no-any-return]


def load(tx: Tx, desk: Desk, incident_id: int) -> Facts:
    """All facts of one incident at `tx.now`; locks its row. Raises NotFound."""
    return of_row(tx, desk, lock(tx, incident_id))


def peek(tx: Tx, desk: Desk, incident_id: int) -> Facts:
    """The same without a lock, for pages: what they show is judged again when somebody acts."""
    row = tx.run(_ROW, {"incident": incident_id}).one_or_none()
    if row is None:
        raise NotFound(f"There is no ticket {words.number(incident_id)}.")
    return of_row(tx, desk, row)


def of_row(tx: Tx, desk: Desk, row: Row[Any]) -> Facts:
    """Facts for a row that is loaded (and locked by the caller, when something is to be decided)."""
    policy = desk.policy
    active, in_team = _owner(tx, row)
    this = {"incident": row.id}
    cycle = this | {"cycle": row.cycle}
    decided = set(tx.run(_DECIDED, cycle).scalars())
    facts = Facts(
        id=row.id,
        now=tx.now,
        type=row.type,
        status=row.status,
        cycle=row.cycle,
        version=row.version,
        category=row.category,
        impact=row.impact,
        urgency=row.urgency,
        priority=row.priority,
        top_priority=row.top_priority,
        service=row.service_label,
        team_id=row.team_id,
        owner_id=row.owner_id,
        owner_active=active,
        owner_in_team=in_team,
        requester_id=row.requester_id,
        resolver_id=row.resolver_id,
        resolved_at=row.resolved_at,
        resolution_code=row.resolution_code or "",
        cause_class=row.cause_class or "",
        resolution_notes=row.resolution_notes or "",
        explanation=row.explanation or "",
        closed_at=row.closed_at,
        major=row.major,
        alerts=_alerts(tx, this),
        open_steps=tuple(tx.run(_OPEN_STEPS, this).scalars()),
        open_tasks=tuple(tx.run(_OPEN_TASKS, this).scalars()),
        open_children=tuple(tx.run(_OPEN_CHILDREN, this).scalars()),
        override_unconfirmed="override_unconfirmed" in decided,
        cancellation_approved="cancellation" in decided,
        quiet_from=quiet_from(row.resolved_at, row.recovered_at, row.suspect_at),
        quiet_window=policy.alerts.quiet_window[row.priority or 3],
        verifications=_verifications(tx, cycle),
        confirmations=_confirmations(tx, cycle),
        review=_review(tx, this),
        actions=_actions(tx, this),
        solo_mode=solo_mode(tx, desk),
        reopen_window=policy.closing.requester_reopens_within,
        auto_resolve=policy.alerts.auto_resolve.enabled,
        template_notes=TEMPLATE_NOTES,
    )
    return replace(facts, review_depth=_depth(tx, desk, row, facts))


def quiet_from(
    resolved_at: datetime | None, recovered_at: datetime | None, suspect_at: datetime | None
) -> datetime | None:
    """The quiet window starts at the latest of resolve, last recovery, last suspect observation; None: unresolved."""
    if resolved_at is None:
        return None
    return max(t for t in (resolved_at, recovered_at, suspect_at) if t is not None)


def due_at(facts: Facts) -> datetime | None:
    """When the quiet window ends, while that is still to be recorded."""
    if facts.status not in (words.RESOLVED, words.REVIEW) or not facts.alert_born or facts.quiet_from is None:
        return None
    if any(v.kind == "quiet_window" and v.at >= facts.quiet_from for v in facts.verifications):
        return None
    return facts.quiet_from + timedelta(seconds=facts.quiet_window.total_seconds())


# Statements are built once: building one costs more than running it.
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
_DECIDED = select(second_person_request.c.kind).where(
    second_person_request.c.incident_id == _THIS,
    second_person_request.c.cycle == _CYCLE,
    second_person_request.c.status == "approved",
)
_VERIFICATIONS = (
    select(verification)
    .where(verification.c.incident_id == _THIS, verification.c.cycle == _CYCLE)
    .order_by(verification.c.id)
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


def _owner(tx: Tx, row: Row[Any]) -> tuple[bool, bool]:
    if row.owner_id is None:
        return False, False
    active = bool(tx.run(_ACTIVE, {"owner": row.owner_id}).scalar())
    if row.team_id is None:
        return active, False
    return active, tx.run(_BELONGS, {"owner": row.owner_id, "team": row.team_id}).first() is not None


def _alerts(tx: Tx, this: dict[str, int]) -> tuple[AlertFact, ...]:
    rows = tx.run(_ALERTS, this)
    return tuple(AlertFact(r.id, r.name, r.status, r.clears, r.declared_ended_at is not None) for r in rows)


def _verifications(tx: Tx, this: dict[str, int]) -> tuple[VerificationFact, ...]:
    rows = tx.run(_VERIFICATIONS, this)
    return tuple(VerificationFact(r.verdict, r.kind, r.actor_id, r.at, r.no_new_problem) for r in rows)


def _confirmations(tx: Tx, this: dict[str, int]) -> tuple[ConfirmationFact, ...]:
    rows = tx.run(_CONFIRMATIONS, this)
    return tuple(ConfirmationFact(r.accepted, r.kind, r.actor_id, r.at) for r in rows)


def _review(tx: Tx, this: dict[str, int]) -> ReviewFact | None:
    newest = tx.run(_REVIEW, this).first()
    if newest is None:
        return None
    approvals = tuple(tx.run(_APPROVALS, {"review": newest.id}).scalars())
    return ReviewFact(newest.version, newest.cycle, newest.status, newest.depth, tuple(newest.authors), approvals)


def _actions(tx: Tx, this: dict[str, int]) -> tuple[ActionFact, ...]:
    rows = tx.run(_ACTIONS, this)
    return tuple(
        ActionFact(r.id, r.title, bool(r.owner_id and r.type and r.due_at), r.blocking, r.status) for r in rows
    )


def _depth(tx: Tx, desk: Desk, row: Row[Any], facts: Facts) -> str:
    return review_rules.depth_due(
        desk.policy,
        ticket_type=row.type,
        priority=row.top_priority,
        self_recovered=facts.resolution_code == "self_recovered",
        false_positive=row.cancel_reason in ("false_positive", "not_an_incident"),
        major=row.major,
        data_loss=row.data_loss,
        found_by_person=not facts.alert_born and _monitored(tx, row.service_id),
    )


def _monitored(tx: Tx, service_id: int | None) -> bool:
    """Has this service ever had an alert-born ticket?"""
    return service_id is not None and bool(tx.run(_MONITORED, {"service": service_id}).scalar())

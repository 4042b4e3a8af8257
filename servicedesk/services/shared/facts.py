"""Loads what guards judge: the incident's row locked first, then its records (a write skew is thus impossible)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, exists, select

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
    service,
    task,
    team_member,
    user,
    verification,
)

TEMPLATE_NOTES = frozenset({"What was done, and why it helped."})  # placeholders that count as empty


def lock(tx: Tx, incident_id: int) -> Row[Any]:
    """The incident's row, locked until the transaction ends. Raises NotFound."""
    row = tx.run(select(incident).where(incident.c.id == incident_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"There is no ticket {words.number(incident_id)}.")
    return row  # type: ignore[no-any-return]


def load(tx: Tx, desk: Desk, incident_id: int) -> Facts:
    """All facts of one incident at `tx.now`; locks its row. Raises NotFound."""
    return of_row(tx, desk, lock(tx, incident_id))


def peek(tx: Tx, desk: Desk, incident_id: int) -> Facts:
    """The same without a lock, for pages: what they show is judged again when somebody acts."""
    row = tx.run(select(incident).where(incident.c.id == incident_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no ticket {words.number(incident_id)}.")
    return of_row(tx, desk, row)


def of_row(tx: Tx, desk: Desk, row: Row[Any]) -> Facts:
    """Facts for a row that is loaded (and locked by the caller, when something is to be decided)."""
    policy = desk.policy
    active, in_team = _owner(tx, row)
    alerts = _alerts(tx, row.id)
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
        alerts=alerts,
        open_steps=_open_steps(tx, row.id),
        open_tasks=_open_tasks(tx, row.id),
        open_children=_open_children(tx, row.id),
        override_unconfirmed=_second_person(tx, row, "override_unconfirmed"),
        cancellation_approved=_second_person(tx, row, "cancellation"),
        quiet_from=quiet_from(row.resolved_at, row.recovered_at, row.suspect_at),
        quiet_window=policy.alerts.quiet_window[row.priority or 3],
        verifications=_verifications(tx, row),
        confirmations=_confirmations(tx, row),
        review=_review(tx, row.id),
        actions=_actions(tx, row.id),
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


def _owner(tx: Tx, row: Row[Any]) -> tuple[bool, bool]:
    if row.owner_id is None:
        return False, False
    active = bool(tx.run(select(user.c.active).where(user.c.id == row.owner_id)).scalar())
    if row.team_id is None:
        return active, False
    belongs = select(team_member.c.user_id).where(
        team_member.c.user_id == row.owner_id, team_member.c.team_id == row.team_id
    )
    return active, tx.run(belongs).first() is not None


def _alerts(tx: Tx, incident_id: int) -> tuple[AlertFact, ...]:
    rows = tx.run(
        select(alert.c.id, alert.c.name, alert.c.status, alert.c.clears, member.c.declared_ended_at)
        .join(member, member.c.alert_id == alert.c.id)
        .where(member.c.incident_id == incident_id)
        .order_by(alert.c.id)
    )
    return tuple(AlertFact(r.id, r.name, r.status, r.clears, r.declared_ended_at is not None) for r in rows)


def _open_steps(tx: Tx, incident_id: int) -> tuple[str, ...]:
    rows = tx.run(
        select(playbook_step.c.step)
        .join(playbook_run, playbook_run.c.id == playbook_step.c.run_id)
        .where(
            playbook_run.c.incident_id == incident_id,
            playbook_step.c.mandatory.is_(True),
            playbook_step.c.outcome.is_(None) | (playbook_step.c.outcome == "failed"),
        )
        .order_by(playbook_run.c.id, playbook_step.c.position)
    )
    return tuple(r.step for r in rows)


def _open_tasks(tx: Tx, incident_id: int) -> tuple[str, ...]:
    rows = tx.run(
        select(task.c.title)
        .where(task.c.incident_id == incident_id, task.c.mandatory.is_(True), task.c.status == "open")
        .order_by(task.c.id)
    )
    return tuple(r.title for r in rows)


def _open_children(tx: Tx, incident_id: int) -> tuple[int, ...]:
    rows = tx.run(
        select(incident.c.id)
        .where(incident.c.parent_id == incident_id, incident.c.status.in_(words.WORKING))
        .order_by(incident.c.id)
    )
    return tuple(r.id for r in rows)


def _second_person(tx: Tx, row: Row[Any], kind: str) -> bool:
    r = second_person_request.c
    query = select(r.id).where(r.incident_id == row.id, r.cycle == row.cycle, r.kind == kind, r.status == "approved")
    return tx.run(query.limit(1)).first() is not None


def _verifications(tx: Tx, row: Row[Any]) -> tuple[VerificationFact, ...]:
    v = verification.c
    rows = tx.run(select(verification).where(v.incident_id == row.id, v.cycle == row.cycle).order_by(v.id))
    return tuple(VerificationFact(r.verdict, r.kind, r.actor_id, r.at, r.no_new_problem) for r in rows)


def _confirmations(tx: Tx, row: Row[Any]) -> tuple[ConfirmationFact, ...]:
    c = confirmation.c
    rows = tx.run(select(confirmation).where(c.incident_id == row.id, c.cycle == row.cycle).order_by(c.id))
    return tuple(ConfirmationFact(r.accepted, r.kind, r.actor_id, r.at) for r in rows)


def _review(tx: Tx, incident_id: int) -> ReviewFact | None:
    r = review.c
    newest = tx.run(select(review).where(r.incident_id == incident_id).order_by(r.version.desc()).limit(1)).first()
    if newest is None:
        return None
    approvals = tx.run(select(review_approval.c.actor_id).where(review_approval.c.review_id == newest.id))
    ids = tuple(a.actor_id for a in approvals)
    return ReviewFact(newest.version, newest.cycle, newest.status, newest.depth, tuple(newest.authors), ids)


def _actions(tx: Tx, incident_id: int) -> tuple[ActionFact, ...]:
    a = action_item.c
    rows = tx.run(select(action_item).where(a.incident_id == incident_id).order_by(a.id))
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
    if service_id is None:
        return False
    born = and_(incident.c.service_id == service.c.id, incident.c.source != "")
    return bool(tx.run(select(exists().where(service.c.id == service_id, born))).scalar())

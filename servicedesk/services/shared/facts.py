"""Loads what guards judge: the incident's row locked first, then its records (a write skew is thus impossible)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain import incident as words
from servicedesk.domain import review as review_rules
from servicedesk.domain.incident import Facts
from servicedesk.errors import NotFound
from servicedesk.services.shared.settings import solo_mode
from servicedesk.store import facts as store
from servicedesk.store.db import Tx

TEMPLATE_NOTES = frozenset({"What was done, and why it helped."})  # placeholders that count as empty


def lock(tx: Tx, incident_id: int) -> Any:
    """The incident's row, locked until the transaction ends. Raises NotFound."""
    row = store.ticket(tx, incident_id, lock=True)
    if row is None:
        raise NotFound(f"There is no ticket {words.number(incident_id)}.")
    return row


def load(tx: Tx, desk: Desk, incident_id: int) -> Facts:
    """All facts of one incident at `tx.now`; locks its row. Raises NotFound."""
    return of_row(tx, desk, lock(tx, incident_id))


def peek(tx: Tx, desk: Desk, incident_id: int) -> Facts:
    """The same without a lock, for pages: what they show is judged again when somebody acts."""
    row = store.ticket(tx, incident_id, lock=False)
    if row is None:
        raise NotFound(f"There is no ticket {words.number(incident_id)}.")
    return of_row(tx, desk, row)


def of_row(tx: Tx, desk: Desk, row: Any) -> Facts:
    """Facts for a row that is loaded (and locked by the caller, when something is to be decided)."""
    policy = desk.policy
    active, in_team = store.owner(tx, row.owner_id, row.team_id)
    decided = store.approved_by_two(tx, row.id, row.cycle)
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
        alerts=store.alerts(tx, row.id),
        open_steps=store.open_steps(tx, row.id),
        open_tasks=store.open_tasks(tx, row.id),
        open_children=store.open_children(tx, row.id),
        override_unconfirmed=any(r.kind == "override_unconfirmed" for r in decided),
        cancellations_approved=tuple(_cancellation(r.payload) for r in decided if r.kind == "cancellation"),
        cancelled_by_two=policy.cancellation.second_person,
        waivable=policy.review.waivable,
        quiet_from=quiet_from(row.resolved_at, row.recovered_at, row.suspect_at),
        quiet_window=policy.alerts.quiet_window[row.priority or 3],
        verifications=store.verifications(tx, row.id, row.cycle),
        verify_open=store.verify_open(tx, row.id, row.cycle),
        confirmations=store.confirmations(tx, row.id, row.cycle),
        review=store.newest_review(tx, row.id),
        actions=store.actions(tx, row.id),
        solo_mode=solo_mode(tx, desk),
        reopen_window=policy.closing.requester_reopens_within,
        auto_resolve=policy.alerts.auto_resolve.enabled,
        template_notes=TEMPLATE_NOTES,
    )
    return replace(facts, review_depth=_depth(tx, desk, row, facts))


def _cancellation(payload: dict[str, Any] | None) -> tuple[str, int | None]:
    agreed = payload or {}
    return agreed.get("code", ""), agreed.get("target")


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


def _depth(tx: Tx, desk: Desk, row: Any, facts: Facts) -> str:
    return review_rules.depth_due(
        desk.policy,
        ticket_type=row.type,
        priority=row.top_priority,
        self_recovered=facts.resolution_code == "self_recovered",
        false_positive=row.cancel_reason in ("false_positive", "not_an_incident"),
        major=row.major,
        data_loss=row.data_loss,
        found_by_person=not facts.alert_born and store.monitored(tx, row.service_id),
    )

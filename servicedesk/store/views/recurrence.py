"""What was learned the last time, for the ticket of an alert that came again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from servicedesk.domain.policy import AlertPolicy
from servicedesk.store.db import Tx
from servicedesk.store.tables import incident, member

from . import gates, reviews
from .gates import ActionItem
from .reviews import Review


@dataclass(frozen=True, slots=True)
class Before:
    """The ticket that this one is a recurrence of. review: its newest version; actions: those nobody has done yet."""

    incident_id: int
    review: Review | None
    actions: tuple[ActionItem, ...]


def before(tx: Tx, recurrence_of: int | None) -> Before | None:
    """None for a ticket that is no recurrence."""
    if recurrence_of is None:
        return None
    versions = reviews.versions(tx, recurrence_of)
    actions = gates.action_items(tx, recurrence_of)
    undone = tuple(a for a in actions if a.status not in ("done", "wont_do"))
    return Before(recurrence_of, versions[0] if versions else None, undone)


@dataclass(frozen=True, slots=True)
class Often:
    """How many tickets of one alert, and of the service, there were lately; false alarms of one alert.

    0: fewer than the policy thinks worth a word.
    """

    of_alert: int = 0
    of_service: int = 0
    false_positives: int = 0


LOOKED_AT = 100  # members of a ticket that are asked about
NO_TICKETS = ("merged", "duplicate")  # the ticket that took its alerts counts


def often(tx: Tx, incident_id: int, service_id: int | None, policy: AlertPolicy) -> Often:
    """Whether this ticket's alerts or service come so often that something is to be done about it (domain.md)."""
    again, false = policy.recurrence, policy.false_positives
    i = incident.c
    no_ticket = i.cancel_reason.in_(NO_TICKETS)
    of_alert = _most(tx, incident_id, i.created_at >= tx.now - again.window, i.cancel_reason.is_(None) | ~no_ticket)
    alarms = _most(tx, incident_id, i.created_at >= tx.now - false.window, i.cancel_reason == "false_positive")
    newest = select(i.created_at).where(i.service_id == service_id).order_by(i.id.desc()).limit(again.count)
    times = list(tx.run(newest).scalars()) if service_id is not None else []
    of_service = sum(at >= tx.now - again.window for at in times)
    return Often(
        of_alert if of_alert >= again.count else 0,
        of_service if of_service >= again.count else 0,
        alarms if alarms >= false.count else 0,
    )


def _most(tx: Tx, incident_id: int, *wanted: Any) -> int:
    """The tickets of the alert among this ticket's that has most of them."""
    own = select(member.c.alert_id).where(member.c.incident_id == incident_id).order_by(member.c.alert_id)
    some = own.limit(LOOKED_AT).subquery()
    count = func.count()
    query = select(count).select_from(member).join(some, some.c.alert_id == member.c.alert_id)
    query = query.join(incident, incident.c.id == member.c.incident_id).where(*wanted)
    return int(tx.run(query.group_by(member.c.alert_id).order_by(count.desc()).limit(1)).scalar() or 0)

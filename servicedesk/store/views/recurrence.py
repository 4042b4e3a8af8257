"""What was learned the last time, for the ticket of an alert that came again."""

from __future__ import annotations

from dataclasses import dataclass

from servicedesk.store.db import Tx

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

"""The page budget: a team is paged so many times in a while, and what exceeds that comes as one digest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from servicedesk.desk import Desk
from servicedesk.domain import storm
from servicedesk.store import budgets
from servicedesk.store.budgets import Budget
from servicedesk.store.db import Tx


def spend(tx: Tx, desk: Desk, teams: Sequence[int | None]) -> list[datetime | None]:
    """One page for each of these, in their order: None, page now; else when the digest goes out that names it.

    teams: of the tickets, None for one without. Call it last: it locks the teams' budgets until the commit.
    """
    if not teams:
        return []
    found = budgets.lock(tx, {team or 0 for team in teams})
    answer = [_one(tx, desk, found[team or 0]) for team in teams]
    budgets.write(tx, found.values())
    return answer


def _one(tx: Tx, desk: Desk, budget: Budget) -> datetime | None:
    limit = desk.policy.alerts.storm
    room = storm.room(budget.paged, tx.now, 1, limit.pages, limit.pages_window)
    budget.paged = room.times
    if room.free:
        return None
    budget.digest_at = storm.digest_time(tx.now, budget.digest_at, limit.digest_after, limit.pages_window)
    return budget.digest_at

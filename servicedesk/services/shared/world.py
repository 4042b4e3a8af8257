"""Everything that decides whom a page reaches, loaded at once: a constant number of statements."""

from __future__ import annotations

from datetime import datetime

from servicedesk.channels import registry
from servicedesk.desk import Desk
from servicedesk.domain.people_rules import PersonRules
from servicedesk.domain.reaching import Contact, Group, World
from servicedesk.store import escalations, oncall
from servicedesk.store.db import Tx
from servicedesk.store.views import people


def load(tx: Tx, desk: Desk, since: datetime | None = None) -> World:
    """Without the leads, who differ from team to team. Pages are counted over the window of the policy's budget.

    since: overrides and absences that end after it are known (default: the transaction's instant).
    """
    rows, since = oncall.schedules(tx), since or tx.now
    schedules, reach, budget = (
        oncall.load(tx, rows, since),
        registry.reach(desk.config),
        desk.policy.notifications.page_budget,
    )
    users = people.users(tx)
    rules = oncall.rules_of(tx, (u.id for u in users))
    contacts = {u.id: _contact(u, rules.get(u.id)) for u in users}
    teams = people.teams(tx)
    return World(
        schedules={row.id: (row.name, schedules[row.id]) for row in rows},
        people=contacts,
        teams={t.id: Group(t.name, t.email, tuple(m.user_id for m in t.members if m.active)) for t in teams},
        absences=oncall.absences(tx, since),
        personal=reach.personal,
        broadcast=reach.broadcast,
        pages=escalations.spent(tx, tx.now - budget.window),
        budget=budget.pages,
        budget_window=budget.window,
        timezone=desk.policy.calendar.timezone,
    )


def _contact(user: people.User, rules: PersonRules | None) -> Contact:
    return Contact(user.id, user.shown, user.email, user.active, user.language, rules or PersonRules())

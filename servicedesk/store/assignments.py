"""Automatic assignment: which teams want it, what waits, who has how much."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, func, insert, select, update

from servicedesk.domain.assignment import TeamRules
from servicedesk.domain.incident import IN_PROGRESS, NEW

from .db import Tx
from .tables import auto_assignment, incident, team_member, team_rule, user

LIMIT = 50  # tickets a transaction


def rules(tx: Tx) -> dict[int, tuple[TeamRules, int | None]]:
    """By team: the rules, and who got the ticket before."""
    return {r.team_id: (msgspec.convert(r.body, TeamRules), r.last_user_id) for r in tx.run(select(team_rule))}


def put_rules(tx: Tx, team_id: int, body: TeamRules) -> None:
    values = {"body": msgspec.to_builtins(body)}
    if tx.run(update(team_rule).where(team_rule.c.team_id == team_id).values(**values)).rowcount == 0:
        tx.run(insert(team_rule).values(team_id=team_id, **values))


def _waiting(team_ids: Iterable[int]) -> Any:
    i = incident.c
    return select(i.id, i.team_id).where(i.status == NEW, i.owner_id.is_(None), i.team_id.in_(list(team_ids)))


def any_waiting(tx: Tx, team_ids: Iterable[int]) -> bool:
    return tx.run(_waiting(team_ids).limit(1)).first() is not None


def waiting(tx: Tx, team_ids: Iterable[int], after: int) -> list[Row[Any]]:
    """New tickets without owner with an id above `after`, locked in the order of ids."""
    i = incident.c
    columns = (i.priority, i.category, i.tags, i.service_label, i.requester_id)
    query = _waiting(team_ids).add_columns(*columns).where(i.id > after).order_by(i.id).limit(LIMIT)
    return list(tx.run(query.with_for_update(skip_locked=True)))


def members(tx: Tx, team_id: int) -> list[int]:
    """Active members who are no mere requesters, in the order of turns."""
    query = select(user.c.id).join(team_member, team_member.c.user_id == user.c.id)
    return list(
        tx.run(query.where(team_member.c.team_id == team_id, user.c.active.is_(True)).order_by(user.c.id)).scalars()
    )


def given(tx: Tx, since: datetime) -> dict[int, int]:
    """Automatic assignments by person since then."""
    a = auto_assignment.c
    return {r[0]: r[1] for r in tx.run(select(a.user_id, func.count()).where(a.at >= since).group_by(a.user_id))}


def in_work(tx: Tx, ids: Iterable[int]) -> dict[int, int]:
    """Tickets in work by owner."""
    i = incident.c
    query = select(i.owner_id, func.count()).where(i.owner_id.in_(list(ids)), i.status == IN_PROGRESS)
    return {r[0]: r[1] for r in tx.run(query.group_by(i.owner_id))}


def gave(tx: Tx, incident_id: int, user_id: int, team_id: int) -> None:
    tx.run(insert(auto_assignment).values(incident_id=incident_id, user_id=user_id, at=tx.now))
    tx.run(update(team_rule).where(team_rule.c.team_id == team_id).values(last_user_id=user_id))

"""Escalation policies, the runs of tickets, and the proof of every page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from servicedesk.domain.escalation import PAGING, RECOVERED
from servicedesk.domain.reaching import FAILED, QUEUED, SENT, SKIPPED, Reached

from .db import Tx
from .tables import (
    alert,
    escalation,
    escalation_policy,
    escalation_use,
    incident,
    outbox,
    page_step,
    service,
    team,
    timeline,
    user,
)

ACKNOWLEDGED = "acknowledged"  # the kind of the timeline's line
LIMIT = 100  # runs, or rows, a transaction


# --- policies ---


def policies(tx: Tx) -> list[Row[Any]]:
    return list(tx.run(select(escalation_policy).order_by(escalation_policy.c.name)))


def policy_named(tx: Tx, name: str, *, lock: bool = False) -> Row[Any] | None:
    if not name.isprintable():
        return None
    query = select(escalation_policy).where(escalation_policy.c.name == name)
    found: Row[Any] | None = tx.run(query.with_for_update() if lock else query).first()
    return found


def policy_by_id(tx: Tx, policy_id: int) -> Row[Any] | None:
    found: Row[Any] | None = tx.run(select(escalation_policy).where(escalation_policy.c.id == policy_id)).first()
    return found


def add_policy(tx: Tx, values: Mapping[str, Any]) -> int:
    query = insert(escalation_policy).values(created_at=tx.now, **values).returning(escalation_policy.c.id)
    return int(tx.run(query).scalar_one())


def change_policy(tx: Tx, policy_id: int, values: Mapping[str, Any]) -> None:
    tx.run(update(escalation_policy).where(escalation_policy.c.id == policy_id).values(**values))


def uses(tx: Tx) -> list[Row[Any]]:
    """Whose tickets each policy is for: policy_id, team, service (names, one of them NULL)."""
    query = (
        select(escalation_use.c.policy_id, team.c.name.label("team"), service.c.name.label("service"))
        .outerjoin(team, team.c.id == escalation_use.c.team_id)
        .outerjoin(service, service.c.id == escalation_use.c.service_id)
    )
    return list(tx.run(query.order_by(team.c.name, service.c.name)))


def put_uses(tx: Tx, policy_id: int, team_ids: Iterable[int], service_ids: Iterable[int]) -> None:
    """These teams and services, and no others; whatever policy they had before is theirs no more."""
    u, teams, services = escalation_use.c, sorted(set(team_ids)), sorted(set(service_ids))
    mine = or_(u.policy_id == policy_id, u.team_id.in_(teams), u.service_id.in_(services))
    tx.run(delete(escalation_use).where(mine))
    rows = [{"policy_id": policy_id, "team_id": i, "service_id": None} for i in teams]
    rows += [{"policy_id": policy_id, "team_id": None, "service_id": i} for i in services]
    if rows:
        tx.run(insert(escalation_use), rows)


def any_use(tx: Tx) -> bool:
    return tx.run(select(escalation_use.c.id).limit(1)).first() is not None


def applicable(tx: Tx, team_id: int | None, service_id: int | None) -> Row[Any] | None:
    """The policy of this service, else of this team."""
    u = escalation_use.c
    query = select(escalation_policy).join(escalation_use, u.policy_id == escalation_policy.c.id)
    found: Row[Any] | None = tx.run(
        query.where(or_(u.service_id == service_id, u.team_id == team_id)).order_by(u.service_id.is_(None)).limit(1)
    ).first()
    return found


# --- runs ---


def subjects(tx: Tx, ids: Iterable[int]) -> list[Row[Any]]:
    """Those of these tickets that a policy is for, with the run that they have: the columns that `begin` needs."""
    return list(tx.run(_subjects(ids, outer=False)))


def _subjects(ids: Iterable[int], *, outer: bool) -> Any:
    """outer: those that no policy is for, too."""
    i, mine, teams = incident.c, escalation_use.alias("of_service"), escalation_use.alias("of_team")
    p, e = escalation_policy.c, escalation.c
    return (
        select(i.id, i.cycle, i.head_seq, p.id.label("policy_id"), p.version, p.body)
        .add_columns(e.run, e.state, e.cycle.label("of_cycle"))
        .outerjoin(mine, mine.c.service_id == i.service_id)
        .outerjoin(teams, teams.c.team_id == i.team_id)
        .join(escalation_policy, p.id == func.coalesce(mine.c.policy_id, teams.c.policy_id), isouter=outer)
        .outerjoin(escalation, e.incident_id == i.id)
        .where(i.id.in_(set(ids)))
        .order_by(i.id)
    )


def standings(tx: Tx, ids: Iterable[int]) -> list[Row[Any]]:
    """Of these tickets: the columns of `subjects`, with the run's own policy (ran, ran_name) and what waits of it."""
    i, e, ran, s = incident.c, escalation.c, escalation_policy.alias("ran_policy"), page_step.c
    waits = select(s.id).where(s.incident_id == i.id, s.state == QUEUED, s.outbox_id.is_(None)).exists()
    query = (
        _subjects(ids, outer=True)
        .add_columns(i.status, i.priority, escalation_policy.c.name, e.began_seq, e.takes_over, waits.label("waits"))
        .add_columns(e.policy_id.label("ran"), ran.c.name.label("ran_name"))
        .outerjoin(ran, ran.c.id == e.policy_id)
    )
    return list(tx.run(query))


def leave_waiting(tx: Tx, incident_id: int, reason: str) -> None:
    """Rows of a run that is over and that have not gone out yet are left out."""
    s = page_step.c
    left = and_(s.incident_id == incident_id, s.state == QUEUED, s.outbox_id.is_(None))
    tx.run(update(page_step).where(left).values(state=SKIPPED, reason=reason, settled_at=tx.now))


def told(tx: Tx, incident_id: int, first: int, before: int, step: int) -> frozenset[Reached]:
    """Whom this step reached in the runs from `first` to the one before `before`: (user id, channel, address)."""
    s = page_step.c
    query = select(s.user_id, s.channel, s.address).where(
        s.incident_id == incident_id, s.run >= first, s.run < before, s.step == step, s.state.in_((QUEUED, SENT))
    )
    return frozenset((row.user_id, row.channel, row.address) for row in tx.run(query))


def begin(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Runs as they begin; a ticket's older one is replaced (its rows of the proof stay)."""
    if not rows:
        return
    dialect = postgresql.insert if tx.postgresql else sqlite.insert
    query = dialect(escalation)
    columns = {c.name: query.excluded[c.name] for c in escalation.columns if c.name != "incident_id"}
    tx.run(query.on_conflict_do_update(index_elements=[escalation.c.incident_id], set_=columns), list(rows))


def any_due(tx: Tx) -> bool:
    """Is a run, a row or a digest due? Asked without the write lock."""
    queries = (select(escalation.c.incident_id).where(escalation.c.due_at <= tx.now), _rows_due(tx, page_step.c.id))
    return any(tx.run(query.limit(1)).first() is not None for query in queries)


def due(tx: Tx) -> list[Row[Any]]:
    """Runs to look at, locked with their tickets in the order of ids: all columns of the run and of the facts."""
    i = incident.c
    query = (
        select(
            escalation,
            i.status,
            i.priority,
            i.owner_id,
            i.requester_id,
            i.recovered_at,
            _flaps(),
            i.team_id,
            i.service_id,
        )
        .join(incident, i.id == escalation.c.incident_id)
        .where(escalation.c.due_at <= tx.now)
        .order_by(i.id)
        .limit(LIMIT)
    )
    return list(tx.run(query.with_for_update(skip_locked=True)))


def _flaps() -> Any:
    """Does one of its alerts flap? Then a recovery is none for those who are paged."""
    return exists().where(alert.c.incident_id == incident.c.id, alert.c.flap_ends_at.is_not(None)).label("flaps")


def change(tx: Tx, incident_id: int, values: Mapping[str, Any]) -> None:
    tx.run(update(escalation).where(escalation.c.incident_id == incident_id).values(**values))


def wake(tx: Tx, ids: Iterable[int]) -> bool:
    """These tickets fire again: a run that ended with the recovery is looked at. Was there one?"""
    wanted = list(ids)
    if not wanted:
        return False
    ended = and_(escalation.c.incident_id.in_(wanted), escalation.c.state == RECOVERED)
    return bool(tx.run(update(escalation).where(ended).values(due_at=tx.now)).rowcount)


@dataclass(frozen=True, slots=True)
class Act:
    """The last act of one of the staff on a ticket since its run began."""

    at: datetime
    actor: str
    said: bool  # one of the acts was "acknowledge"


def acts(tx: Tx, ids: Iterable[int]) -> dict[int, Act]:
    """By ticket; only of those that have a run. The requester's own words do not count."""
    t, e = timeline.c, escalation.c
    query = (
        select(t.incident_id, t.at, t.kind, user.c.name, user.c.display)
        .join(escalation, and_(e.incident_id == t.incident_id, t.seq > e.began_seq))
        .join(incident, incident.c.id == t.incident_id)
        .join(user, user.c.id == t.actor_id)
        .where(t.incident_id.in_(list(ids)), t.actor_id.is_distinct_from(incident.c.requester_id))
        .order_by(t.incident_id, t.seq)
    )
    found: dict[int, Act] = {}
    for row in tx.run(query):
        said = row.kind == ACKNOWLEDGED or (row.incident_id in found and found[row.incident_id].said)
        found[row.incident_id] = Act(row.at, row.display or row.name, said)
    return found


# --- the proof ---


def add_steps(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of the proof; one that is there already is left alone."""
    if rows:
        dialect = postgresql.insert if tx.postgresql else sqlite.insert
        query = dialect(page_step).on_conflict_do_nothing(index_elements=[page_step.c.dedup])
        tx.run(query, list(rows))


def _rows_due(tx: Tx, *columns: Any) -> Any:
    """Rows that waited for a person's own delay or for a digest, and whose time has come."""
    s = page_step.c
    return select(*columns).where(
        s.state == QUEUED, s.due_at <= tx.now, s.outbox_id.is_(None), func.coalesce(s.digest_at, s.due_at) <= tx.now
    )


def waiting_rows(tx: Tx) -> list[Row[Any]]:
    """Those rows with the facts of their tickets, locked with them in the order of tickets."""
    i = incident.c
    facts = (i.status, i.priority, i.owner_id, i.recovered_at, _flaps(), i.title, i.service_label)
    query = _rows_due(tx, page_step, *facts).join(incident, i.id == page_step.c.incident_id)
    return list(tx.run(query.order_by(i.id, page_step.c.id).limit(LIMIT).with_for_update(skip_locked=True)))


def change_steps(tx: Tx, ids: Iterable[int], values: Mapping[str, Any]) -> None:
    wanted = list(ids)
    if wanted:
        tx.run(update(page_step).where(page_step.c.id.in_(wanted)).values(**values))


def spent(tx: Tx, since: datetime) -> dict[int, int]:
    """How many pages went to each person since then."""
    s = page_step.c
    query = select(s.user_id, func.count()).where(s.created_at > since, s.outbox_id.is_not(None), s.digest_at.is_(None))
    return {row[0]: row[1] for row in tx.run(query.where(s.user_id.is_not(None)).group_by(s.user_id))}


def settled(tx: Tx, outbox_id: int, state: str, reason: str = "") -> None:
    """The outbox sent or gave up what this row stands for; a run whose step reached nobody goes on at once."""
    s, e = page_step.c, escalation.c
    values: dict[str, Any] = {"state": state, "settled_at": tx.now} | ({"reason": reason} if reason else {})
    found = tx.run(
        update(page_step).where(s.outbox_id == outbox_id).values(**values).returning(s.incident_id)
    ).scalars()
    ids = set(found)
    if state != FAILED or not ids:
        return
    told = select(s.id).where(
        s.incident_id == e.incident_id,
        s.run == e.run,
        s.round == e.round,
        s.step == e.step,
        s.state.in_((QUEUED, SENT)),
    )
    late = and_(e.incident_id.in_(ids), e.state == PAGING, e.due_at > tx.now, ~told.exists())
    tx.run(update(escalation).where(late).values(due_at=tx.now))


def outbox_ids(tx: Tx, keys: Iterable[str]) -> dict[str, int]:
    """Ids of the outbox rows with these idempotency keys."""
    rows = tx.run(select(outbox.c.dedup, outbox.c.id).where(outbox.c.dedup.in_(list(keys))))
    return {row.dedup: row.id for row in rows}

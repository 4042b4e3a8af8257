"""Schedules, overrides, absences and people's rules: rows, and what `domain.oncall` makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Row, delete, insert, or_, select, update

from servicedesk.domain import rota
from servicedesk.domain.oncall import Absence, Override, Schedule
from servicedesk.domain.people_rules import PersonRules
from servicedesk.domain.rota import LayerForm

from .db import Tx
from .tables import absence, escalation_policy, incident, person_rule, schedule, schedule_override, user

KEPT = timedelta(days=400)  # how far back overrides and absences are loaded for calendars
_LIVE = schedule_override.c.cancelled_at.is_(None)


# --- schedules ---


def schedules(tx: Tx) -> list[Row[Any]]:
    return list(tx.run(select(schedule).order_by(schedule.c.name)))


def schedule_named(tx: Tx, name: str, *, lock: bool = False) -> Row[Any] | None:
    if not name.isprintable():
        return None
    query = select(schedule).where(schedule.c.name == name)
    found: Row[Any] | None = tx.run(query.with_for_update() if lock else query).first()
    return found


def schedule_of_feed(tx: Tx, digest: bytes) -> Row[Any] | None:
    found: Row[Any] | None = tx.run(select(schedule).where(schedule.c.feed_hash == digest)).first()
    return found


def add_schedule(tx: Tx, values: Mapping[str, Any]) -> int:
    query = insert(schedule).values(created_at=tx.now, **values).returning(schedule.c.id)
    return int(tx.run(query).scalar_one())


def change_schedule(tx: Tx, schedule_id: int, values: Mapping[str, Any]) -> None:
    tx.run(update(schedule).where(schedule.c.id == schedule_id).values(**values))


def drop_schedule(tx: Tx, schedule_id: int) -> None:
    tx.run(delete(schedule_override).where(schedule_override.c.schedule_id == schedule_id))
    tx.run(delete(schedule).where(schedule.c.id == schedule_id))


def policies_naming(tx: Tx, kind: str, target_id: int) -> list[str]:
    """Names of the escalation policies that have this target."""
    rows = tx.run(select(escalation_policy.c.name, escalation_policy.c.body).order_by(escalation_policy.c.name))
    return [
        row.name
        for row in rows
        if any(t["kind"] == kind and t["id"] == target_id for step in row.body["steps"] for t in step["targets"])
    ]


def forms(row: Any) -> tuple[LayerForm, ...]:
    """The layers of a schedule's row as they were written."""
    return msgspec.convert(row.layers, tuple[LayerForm, ...])


def load(tx: Tx, rows: Sequence[Any], since: datetime | None = None) -> dict[int, Schedule]:
    """These schedules with the overrides and absences that end after `since` (default: now)."""
    since = since or tx.now
    found: dict[int, list[Override]] = {row.id: [] for row in rows}
    for row in overrides(tx, list(found), since):
        found[row.schedule_id].append(Override(row.user_id, row.starts_at, row.ends_at, row.id))
    away, gone = absences(tx, since), disabled(tx)
    return {
        row.id: Schedule(rota.read_layers(forms(row), row.timezone), tuple(found[row.id]), away, gone) for row in rows
    }


# --- overrides ---


def overrides(tx: Tx, schedule_ids: Sequence[int], since: datetime) -> list[Row[Any]]:
    o = schedule_override.c
    query = select(schedule_override).where(_LIVE, o.schedule_id.in_(schedule_ids), o.ends_at > since)
    return list(tx.run(query.order_by(o.starts_at, o.id)))


def override(tx: Tx, override_id: int) -> Row[Any] | None:
    o = schedule_override.c
    found: Row[Any] | None = tx.run(select(schedule_override).where(_LIVE, o.id == override_id)).first()
    return found


def overrides_by_uid(tx: Tx, schedule_id: int) -> dict[str, Row[Any]]:
    """Those that came from a calendar, by the calendar's own id."""
    o = schedule_override.c
    rows = tx.run(select(schedule_override).where(_LIVE, o.schedule_id == schedule_id, o.uid != ""))
    return {row.uid: row for row in rows}


def add_override(tx: Tx, values: Mapping[str, Any]) -> int:
    query = insert(schedule_override).values(created_at=tx.now, **values).returning(schedule_override.c.id)
    return int(tx.run(query).scalar_one())


def cancel_override(tx: Tx, override_id: int) -> None:
    tx.run(update(schedule_override).where(schedule_override.c.id == override_id).values(cancelled_at=tx.now))


# --- absences ---


def absences(tx: Tx, since: datetime, user_id: int | None = None) -> tuple[Absence, ...]:
    return tuple(Absence(r.user_id, r.starts_at, r.ends_at, r.deputy_id) for r in absence_rows(tx, since, user_id))


def absence_rows(tx: Tx, since: datetime, user_id: int | None = None) -> list[Row[Any]]:
    query = select(absence).where(absence.c.cancelled_at.is_(None), absence.c.ends_at > since)
    if user_id is not None:
        query = query.where(absence.c.user_id == user_id)
    return list(tx.run(query.order_by(absence.c.starts_at, absence.c.id)))


def absence_by_id(tx: Tx, absence_id: int) -> Row[Any] | None:
    query = select(absence).where(absence.c.id == absence_id, absence.c.cancelled_at.is_(None))
    found: Row[Any] | None = tx.run(query).first()
    return found


def add_absence(tx: Tx, values: Mapping[str, Any]) -> int:
    return int(tx.run(insert(absence).values(created_at=tx.now, **values).returning(absence.c.id)).scalar_one())


def change_absence(tx: Tx, absence_id: int, values: Mapping[str, Any]) -> None:
    tx.run(update(absence).where(absence.c.id == absence_id).values(**values))


# --- people ---


def person(tx: Tx, user_id: int) -> Row[Any]:
    found: Row[Any] = tx.run(select(user).where(user.c.id == user_id)).one()
    return found


def people_by_word(tx: Tx) -> dict[str, int]:
    """Active people by sign-in name, shown name and mail address, in lower case; a word of two people is nobody's."""
    found: dict[str, set[int]] = {}
    for row in tx.run(select(user).where(user.c.active.is_(True))):
        for word in {row.name, row.display, row.email} - {""}:
            found.setdefault(word.strip().lower(), set()).add(row.id)
    return {word: ids.pop() for word, ids in found.items() if len(ids) == 1}


def disabled(tx: Tx) -> frozenset[int]:
    return frozenset(tx.run(select(user.c.id).where(user.c.active.is_(False))).scalars())


def rules_of(tx: Tx, ids: Iterable[int]) -> dict[int, PersonRules]:
    """The rules of those who wrote any."""
    query = select(person_rule).where(person_rule.c.user_id.in_(list(ids)))
    return {row.user_id: msgspec.convert(row.body, PersonRules) for row in tx.run(query)}


def put_rules(tx: Tx, user_id: int, rules: PersonRules) -> None:
    body = msgspec.to_builtins(rules)
    if tx.run(update(person_rule).where(person_rule.c.user_id == user_id).values(body=body)).rowcount == 0:
        tx.run(insert(person_rule).values(user_id=user_id, body=body))


# --- tickets of who is not there ---


def ownerless_due(tx: Tx, limit: int) -> list[Row[Any]]:
    """Open tickets whose owner is disabled, or absent with the wish to hand over; locked in the order of ids.

    Columns id, owner_id, team_id, status, cycle, version, priority, absence_id and deputy_id (NULL: disabled).
    """
    i, a = incident.c, absence.c
    away = (a.user_id == i.owner_id) & (a.starts_at <= tx.now) & (a.ends_at > tx.now)
    away = away & a.hand_over.is_(True) & a.handed_at.is_(None) & a.cancelled_at.is_(None)
    query = (
        select(i.id, i.owner_id, i.team_id, i.status, i.cycle, i.version, i.priority)
        .add_columns(a.id.label("absence_id"), a.deputy_id, user.c.active, user.c.name, user.c.display)
        .join(user, user.c.id == i.owner_id)
        .outerjoin(absence, away)
        .where(i.status.in_(("new", "in_progress", "pending")), or_(user.c.active.is_(False), a.id.is_not(None)))
        .order_by(i.id)
        .limit(limit)
    )
    return list(tx.run(query.with_for_update(of=incident, skip_locked=True)))


def handed_over(tx: Tx) -> None:
    """Absences that have begun and whose tickets are all handed over: it does not happen again for them."""
    a, i = absence.c, incident.c
    left = select(i.id).where(i.owner_id == a.user_id, i.status.in_(("new", "in_progress", "pending"))).exists()
    begun = (a.hand_over.is_(True), a.handed_at.is_(None), a.cancelled_at.is_(None), a.starts_at <= tx.now)
    tx.run(update(absence).where(*begun, ~left).values(handed_at=tx.now))


def any_begun(tx: Tx) -> bool:
    """Has an absence begun whose tickets are still with who is away? Asked without the write lock."""
    a = absence.c
    begun = (a.hand_over.is_(True), a.handed_at.is_(None), a.cancelled_at.is_(None), a.starts_at <= tx.now)
    return tx.run(select(a.id).where(*begun).limit(1)).first() is not None


def any_left(tx: Tx) -> bool:
    """Does a disabled person own an open ticket?"""
    query = select(incident.c.id).join(user, user.c.id == incident.c.owner_id).where(user.c.active.is_(False))
    return tx.run(query.where(incident.c.status.in_(("new", "in_progress", "pending"))).limit(1)).first() is not None

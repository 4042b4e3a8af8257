"""The outbox: rows written with a change, claimed under a lease, settled after sending; and whom a ticket concerns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from servicedesk.domain.incident import LEAD, held_roles
from servicedesk.domain.notification import Person, Ticket

from . import escalations
from .db import Tx
from .tables import incident, outbox, service, signin_link, team, team_member, user

PLACE_LABELS = ("cluster", "namespace", "instance", "host")  # which of a ticket's common labels say where
_owner, _requester = user.alias("owner"), user.alias("requester")
_REACHABLE = and_(user.c.active.is_(True), user.c.email != "")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that is ours to send until the lease ends. first_*: of the first row to this target about the ticket."""

    id: int
    dedup: str
    incident_id: int | None
    event: str
    channel: str
    target: str
    payload: dict[str, Any]
    created_at: datetime
    tries: int
    error: str | None
    lease: str
    maybe_duplicate: bool
    first_dedup: str
    first_created_at: datetime
    first_provider_id: str  # of the first one that went out; "" for none


def tickets(tx: Tx, ids: Iterable[int]) -> dict[int, Ticket]:
    """What messages say about these tickets, their leads included: two statements, three when a team has no lead."""
    rows = tx.run(_TICKETS.where(incident.c.id.in_(set(ids)))).all()
    leads = _leads(tx, {row.team_id for row in rows})
    return {row.id: _ticket(row, leads[row.team_id]) for row in rows}


_TICKETS = (
    select(
        incident.c.id,
        incident.c.type,
        incident.c.title,
        incident.c.status,
        incident.c.cycle,
        incident.c.priority,
        incident.c.cancel_reason,
        incident.c.service_label,
        incident.c.labels,
        incident.c.team_id,
        func.coalesce(incident.c.started_at, incident.c.created_at, type_=incident.c.created_at.type).label("since"),
        incident.c.created_at,
        service.c.name.label("service"),
        team.c.name.label("team"),
        team.c.email.label("team_email"),
        team.c.handover,
        *[c.label(f"owner_{c.name}") for c in (_owner.c.id, _owner.c.name, _owner.c.display, _owner.c.email)],
        *[c.label(f"owner_{c.name}") for c in (_owner.c.language, _owner.c.active)],
        *[c.label(f"asker_{c.name}") for c in (_requester.c.id, _requester.c.name, _requester.c.display)],
        *[c.label(f"asker_{c.name}") for c in (_requester.c.email, _requester.c.language, _requester.c.active)],
    )
    .outerjoin(service, service.c.id == incident.c.service_id)
    .outerjoin(team, team.c.id == incident.c.team_id)
    .outerjoin(_owner, _owner.c.id == incident.c.owner_id)
    .outerjoin(_requester, _requester.c.id == incident.c.requester_id)
)


def _ticket(row: Any, leads: tuple[Person, ...]) -> Ticket:
    labels = row.labels or {}
    places = [row.service or row.service_label, *[str(labels[name]) for name in PLACE_LABELS if labels.get(name)]]
    return Ticket(
        id=row.id,
        type=row.type,
        title=row.title,
        status=row.status,
        cycle=row.cycle,
        priority=row.priority,
        where=" · ".join(place for place in places if place),
        since=row.since,
        created_at=row.created_at,
        team=row.team or "",
        team_email=row.team_email or "",
        handover=row.handover or "",
        owner=_person(row, "owner_"),
        requester=_person(row, "asker_"),
        leads=leads,
        cancel_reason=row.cancel_reason or "",
        team_id=row.team_id,
    )


def _person(row: Any, prefix: str) -> Person | None:
    """From the columns of an outer join that carry this prefix."""
    return None if getattr(row, prefix + "id") is None else _full(row, prefix)


def _full(row: Any, prefix: str = "") -> Person:
    v = {name: getattr(row, prefix + name) for name in ("id", "name", "display", "email", "language", "active")}
    return Person(v["id"], v["display"] or v["name"], v["email"], v["language"], v["active"])


def leads(tx: Tx, teams: Iterable[int | None]) -> dict[int | None, tuple[int, ...]]:
    """Ids of whom a team's alarms reach: its active leads, else everybody who holds the role."""
    return {team_id: tuple(p.id for p in people) for team_id, people in _leads(tx, set(teams)).items()}


def _leads(tx: Tx, teams: set[int | None]) -> dict[int | None, tuple[Person, ...]]:
    """The active leads of each team; where a team has none, everybody who holds the role."""
    query = (
        select(team_member.c.team_id, user)
        .join(user, user.c.id == team_member.c.user_id)
        .where(team_member.c.team_id.in_(teams - {None}), team_member.c.lead.is_(True), _REACHABLE)
        .order_by(user.c.id)
    )
    found: dict[int | None, list[Person]] = {team_id: [] for team_id in teams}
    for row in tx.run(query):
        found[row.team_id].append(_full(row))
    everybody = everybody_who_leads(tx) if not all(found.values()) else ()
    return {team_id: tuple(people) or everybody for team_id, people in found.items()}


def everybody_who_leads(tx: Tx) -> tuple[Person, ...]:
    rows = tx.run(select(user).where(_REACHABLE).order_by(user.c.id))
    return tuple(_full(row) for row in rows if LEAD in held_roles(frozenset(row.roles)))


def people(tx: Tx, ids: Iterable[Any]) -> dict[int, Person]:
    wanted = {i for i in ids if isinstance(i, int)}
    if not wanted:
        return {}
    rows = tx.run(select(user).where(user.c.id.in_(wanted)))
    return {row.id: _full(row) for row in rows}


def add(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; one whose `dedup` is there already is left alone: the first notice stands."""
    if rows:
        tx.run(_insert(tx)(outbox).on_conflict_do_nothing(index_elements=[outbox.c.dedup]), list(rows))


def add_links(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert mail links; the same link again changes nothing."""
    if rows:
        tx.run(_insert(tx)(signin_link).on_conflict_do_nothing(index_elements=[signin_link.c.id_hash]), list(rows))


def _insert(tx: Tx) -> Any:
    return postgresql.insert if tx.postgresql else sqlite.insert


def is_due(tx: Tx) -> bool:
    """Is there anything to claim? Asked without taking the write lock."""
    return tx.run(select(outbox.c.id).where(_due(tx)).limit(1)).first() is not None


def _due(tx: Tx) -> Any:
    free = or_(outbox.c.lease_until.is_(None), outbox.c.lease_until <= tx.now)
    return and_(outbox.c.state == "pending", outbox.c.due_at <= tx.now, free)


def claim(tx: Tx, lease: str, until: datetime) -> Claimed | None:
    """The row that has been due longest, now ours; None when nothing is due.

    A lease that ended without a settlement means that somebody may have sent the row: it is marked maybe_duplicate.
    """
    oldest = select(outbox.c.id).where(_due(tx)).order_by(outbox.c.due_at, outbox.c.id).limit(1)
    found = tx.run(oldest.with_for_update(skip_locked=True)).scalar()
    if found is None:
        return None
    seen = case((outbox.c.leased_by.is_not(None), 1), else_=outbox.c.maybe_duplicate)
    values = {"leased_by": lease, "lease_until": until, "tries": outbox.c.tries + 1, "maybe_duplicate": seen}
    row = tx.run(update(outbox).where(outbox.c.id == found).values(values).returning(outbox)).one()
    first = _first(tx, row)
    fields = ("id", "dedup", "incident_id", "event", "channel", "target", "payload", "created_at", "tries", "error")
    return Claimed(
        **{name: getattr(row, name) for name in fields},
        lease=lease,
        maybe_duplicate=bool(row.maybe_duplicate),
        first_dedup=first.dedup,
        first_created_at=first.created_at,
        first_provider_id=_first_sent(tx, row) if row.id != first.id else "",
    )


def _first(tx: Tx, row: Any) -> Any:
    if row.incident_id is None:
        return row
    same = (outbox.c.incident_id == row.incident_id, outbox.c.channel == row.channel, outbox.c.target == row.target)
    query = select(outbox.c.id, outbox.c.dedup, outbox.c.created_at).where(*same).order_by(outbox.c.id).limit(1)
    return tx.run(query).one()


def _first_sent(tx: Tx, row: Any) -> str:
    same = (outbox.c.incident_id == row.incident_id, outbox.c.channel == row.channel, outbox.c.target == row.target)
    query = select(outbox.c.provider_id).where(*same, outbox.c.state == "sent").order_by(outbox.c.id).limit(1)
    return tx.run(query).scalar() or ""


def told_places(tx: Tx, incident_id: int, channels: Iterable[str]) -> list[tuple[str, str]]:
    """(channel, target) of these channels that a message about this ticket went to, or will."""
    query = select(outbox.c.channel, outbox.c.target).where(
        outbox.c.incident_id == incident_id, outbox.c.channel.in_(list(channels)), outbox.c.state != "failed"
    )
    return [(row.channel, row.target) for row in tx.run(query.distinct().order_by(outbox.c.channel, outbox.c.target))]


def sent(tx: Tx, row_id: int, provider_id: str) -> None:
    """It went out: true whoever holds the lease now."""
    values = {"state": "sent", "sent_at": tx.now, "provider_id": provider_id, "error": None}
    tx.run(update(outbox).where(outbox.c.id == row_id).values(values | _RELEASED))
    escalations.settled(tx, row_id, "sent")


def put_off(tx: Tx, row: Claimed, due_at: datetime, error: str) -> None:
    """Try again at `due_at`."""
    tx.run(_ours(row).values({"due_at": due_at, "error": error} | _RELEASED))


def failed(tx: Tx, row: Claimed, error: str) -> bool:
    """Given up; False when somebody else settled or claimed the row meanwhile."""
    ours = bool(tx.run(_ours(row).values({"state": "failed", "error": error} | _RELEASED)).rowcount)
    if ours:
        escalations.settled(tx, row.id, "failed", error)
    return ours


_RELEASED: dict[str, Any] = {"leased_by": None, "lease_until": None}


def _ours(row: Claimed) -> Any:
    mine = and_(outbox.c.id == row.id, outbox.c.leased_by == row.lease, outbox.c.state == "pending")
    return update(outbox).where(mine)


def hold_back(tx: Tx, channel: str, until: datetime) -> None:
    """Nothing goes out by this channel before `until`: one row has tried for all."""
    waiting = and_(outbox.c.state == "pending", outbox.c.channel == channel, outbox.c.due_at < until)
    tx.run(update(outbox).where(waiting, outbox.c.leased_by.is_(None)).values(due_at=until))


def lock_incident(tx: Tx, incident_id: int) -> None:
    """Before anything is appended to its timeline."""
    tx.run(select(incident.c.id).where(incident.c.id == incident_id).with_for_update())


@dataclass(frozen=True, slots=True)
class Listed:
    """A row as `notification list` shows it."""

    id: int
    incident_id: int | None
    event: str
    channel: str
    target: str
    state: str
    created_at: datetime
    due_at: datetime
    tries: int
    sent_at: datetime | None
    provider_id: str | None
    maybe_duplicate: bool
    error: str | None


def listing(tx: Tx, incident_id: int | None = None, state: str | None = None, limit: int = 100) -> tuple[Listed, ...]:
    """The newest rows first. state: pending, sent or failed."""
    query = select(outbox).order_by(outbox.c.id.desc()).limit(limit)
    if incident_id is not None:
        query = query.where(outbox.c.incident_id == incident_id)
    if state is not None:
        query = query.where(outbox.c.state == state)
    names = Listed.__dataclass_fields__
    rows = ({name: row[name] for name in names} for row in tx.run(query).mappings())
    return tuple(Listed(**row | {"maybe_duplicate": bool(row["maybe_duplicate"])}) for row in rows)


def pending(tx: Tx) -> int:
    """How many rows wait (for the metric servicedesk_outbox_pending)."""
    return int(tx.run(select(func.count()).select_from(outbox).where(outbox.c.state == "pending")).scalar_one())

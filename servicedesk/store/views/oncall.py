"""Who is on call, for pages, the API and the command line: schedules with names, duties now and next, months."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import select

from servicedesk.domain import oncall
from servicedesk.domain.assignment import TeamRules
from servicedesk.domain.escalation_policy import Policy, Step, Target
from servicedesk.domain.oncall import Shift
from servicedesk.domain.people_rules import PersonRules
from servicedesk.store import assignments, escalations
from servicedesk.store import oncall as store
from servicedesk.store.db import Tx
from servicedesk.store.tables import incident, schedule, service, team, timeline, timeline_content, user

from .rows import shown_name

FEED_BACK, FEED_AHEAD = timedelta(days=31), timedelta(days=180)


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as people write it; people: sign-in names in the order of turns."""

    name: str
    people: tuple[str, ...]
    rotation: str
    hand_over: str
    every: int
    start: str
    timezone: str
    restrict: str


@dataclass(frozen=True, slots=True)
class Duty:
    """A shift with names. person "": nobody; why: rotation, override, deputy, next, nobody."""

    person: str
    shown: str
    starts_at: datetime
    ends_at: datetime
    why: str
    layer: str
    instead_of: str


@dataclass(frozen=True, slots=True)
class Override:
    id: int
    person: str
    shown: str
    starts_at: datetime
    ends_at: datetime
    reason: str
    from_calendar: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule with who is on call now and next. gaps: in the coming 14 days nobody is, so often."""

    name: str
    team: str
    timezone: str
    version: int
    has_feed: bool
    layers: tuple[Layer, ...]
    now: Duty
    next: Duty | None
    gaps: int


@dataclass(frozen=True, slots=True)
class Absence:
    id: int
    person: str
    shown: str
    starts_at: datetime
    ends_at: datetime
    deputy: str
    reason: str
    keep_tickets: bool


@dataclass(frozen=True, slots=True)
class Names:
    """Sign-in and shown names by id."""

    sign_in: Mapping[int, str]
    shown: Mapping[int, str]


def names(tx: Tx) -> Names:
    rows = tx.run(select(user.c.id, user.c.name, shown_name(user).label("shown"))).all()
    return Names({r.id: r.name for r in rows}, {r.id: r.shown for r in rows})


def _duty(s: Shift, n: Names) -> Duty:
    found, instead = s.duty.user_id, s.duty.instead_of
    return Duty(
        n.sign_in.get(found or 0, ""),
        n.shown.get(found or 0, ""),
        s.starts_at,
        s.ends_at,
        s.duty.why,
        s.duty.layer,
        n.shown.get(instead or 0, ""),
    )


def schedules(tx: Tx, at: datetime | None = None) -> tuple[Schedule, ...]:
    """Every schedule by name, with who is on call at `at` (default: now) and next."""
    rows, n, moment = store.schedules(tx), names(tx), at or tx.now
    loaded = store.load(tx, rows, min(moment, tx.now))
    teams = {r.id: r.name for r in tx.run(select(team.c.id, team.c.name))}
    return tuple(_schedule(row, loaded[row.id], n, teams, moment) for row in rows)


def _schedule(row: Any, known: oncall.Schedule, n: Names, teams: Mapping[int, str], at: datetime) -> Schedule:
    found = oncall.now_and_next(known, at)
    return Schedule(
        row.name,
        teams.get(row.team_id, ""),
        row.timezone,
        row.version,
        row.feed_hash is not None,
        tuple(_layer(form, n) for form in store.forms(row)),
        _duty(found.now, n),
        _duty(found.next, n) if found.next else None,
        len(oncall.gaps(known, at, at + timedelta(days=14))),
    )


def _layer(form: Any, n: Names) -> Layer:
    fields = msgspec.structs.asdict(form)
    return Layer(**fields | {"people": tuple(n.sign_in.get(i, f"#{i}") for i in form.people)})


def find(tx: Tx, name: str, at: datetime | None = None) -> Schedule | None:
    return next((s for s in schedules(tx, at) if s.name == name), None)


def shifts(tx: Tx, name: str, start: datetime, end: datetime) -> tuple[Duty, ...]:
    """The shifts of a schedule in [start, end); () for one that does not exist."""
    row = store.schedule_named(tx, name)
    if row is None:
        return ()
    n = names(tx)
    return tuple(_duty(s, n) for s in oncall.shifts(store.load(tx, [row], start)[row.id], start, end))


Day = tuple[date, tuple[Duty, ...]]


def month(tx: Tx, name: str, first: date) -> tuple[Day, ...]:
    """Six weeks of days around the month that begins at `first`, each with its duties in the schedule's zone."""
    row = store.schedule_named(tx, name)
    if row is None:
        return ()
    n, zone = names(tx), ZoneInfo(row.timezone)
    known = store.load(tx, [row], datetime(first.year, first.month, 1, tzinfo=zone) - timedelta(days=8))[row.id]
    return tuple((day, tuple(_duty(s, n) for s in found)) for day, found in oncall.month(known, first, zone))


def overrides(tx: Tx, name: str, since: datetime | None = None) -> tuple[Override, ...]:
    """Those that end after `since` (default: now), by begin."""
    row = store.schedule_named(tx, name)
    if row is None:
        return ()
    n = names(tx)
    return tuple(
        Override(o.id, n.sign_in[o.user_id], n.shown[o.user_id], o.starts_at, o.ends_at, o.reason, bool(o.uid))
        for o in store.overrides(tx, [row.id], since or tx.now)
    )


def absences(tx: Tx, user_id: int | None = None) -> tuple[Absence, ...]:
    """Present and coming ones, of one person or of everybody."""
    n = names(tx)
    return tuple(
        Absence(
            a.id,
            n.sign_in[a.user_id],
            n.shown[a.user_id],
            a.starts_at,
            a.ends_at,
            n.sign_in.get(a.deputy_id or 0, ""),
            a.reason,
            not a.hand_over,
        )
        for a in store.absence_rows(tx, tx.now, user_id)
    )


def rules(tx: Tx, user_id: int) -> PersonRules:
    return store.rules_of(tx, [user_id]).get(user_id, PersonRules())


@dataclass(frozen=True, slots=True)
class Feed:
    """What a calendar's address gives."""

    name: str
    timezone: str
    shifts: tuple[Duty, ...]
    emails: Mapping[str, str]


def feed(tx: Tx, digest: bytes) -> Feed | None:
    """The schedule of a feed's secret (as its hash): a month back and half a year ahead."""
    row = store.schedule_of_feed(tx, digest)
    if row is None:
        return None
    emails = {r.name: r.email for r in tx.run(select(user.c.name, user.c.email))}
    found = shifts(tx, row.name, tx.now - FEED_BACK, tx.now + FEED_AHEAD)
    return Feed(row.name, row.timezone, found, emails)


# --- by service and team ---


@dataclass(frozen=True, slots=True)
class Cover:
    """Who is called for a service (or a team, service ""): by which policy, and the schedules that count."""

    service: str
    team: str
    policy: str
    schedules: tuple[Schedule, ...]


def cover(tx: Tx, at: datetime | None = None) -> tuple[Cover, ...]:
    """For every service and team: the first step's schedules of its policy, else the schedules of its team."""
    known = schedules(tx, at)
    ids = {r.name: r.id for r in tx.run(select(schedule.c.id, schedule.c.name))}
    by_id = {ids[s.name]: s for s in known}
    policies = {row.id: row for row in escalations.policies(tx)}
    of_team = {u.team: policies[u.policy_id] for u in escalations.uses(tx) if u.team}
    of_service = {u.service: policies[u.policy_id] for u in escalations.uses(tx) if u.service}
    query = select(service.c.name, team.c.name.label("team")).join(team, team.c.id == service.c.team_id)
    pairs = [(r.name, r.team) for r in tx.run(query.order_by(service.c.name))]
    pairs += [("", r.name) for r in tx.run(select(team.c.name).order_by(team.c.name))]
    found = []
    for name, owner in pairs:
        row = of_service.get(name) if name else None
        row = row if row is not None else of_team.get(owner)
        first = _first_schedules(row, by_id) if row is not None else ()
        found.append(Cover(name, owner, row.name if row else "", first or tuple(s for s in known if s.team == owner)))
    return tuple(found)


def _first_schedules(row: Any, by_id: Mapping[int, Schedule]) -> tuple[Schedule, ...]:
    steps = row.body["steps"]
    wanted = [t["id"] for step in steps for t in step["targets"] if t["kind"] == "schedule"]
    return tuple(by_id[i] for i in dict.fromkeys(wanted) if i in by_id)


# --- policies ---


@dataclass(frozen=True, slots=True)
class EscalationPolicy:
    """A policy with whose tickets it is for; the names of its targets are those of today."""

    name: str
    version: int
    policy: Policy
    teams: tuple[str, ...]
    services: tuple[str, ...]


def policies(tx: Tx) -> tuple[EscalationPolicy, ...]:
    uses = escalations.uses(tx)
    today = _names_of_targets(tx)
    return tuple(
        EscalationPolicy(
            row.name,
            row.version,
            _renamed(msgspec.convert(row.body, Policy), today),
            tuple(u.team for u in uses if u.policy_id == row.id and u.team),
            tuple(u.service for u in uses if u.policy_id == row.id and u.service),
        )
        for row in escalations.policies(tx)
    )


def policy(tx: Tx, name: str) -> EscalationPolicy | None:
    return next((p for p in policies(tx) if p.name == name), None)


def _names_of_targets(tx: Tx) -> dict[tuple[str, int], str]:
    found: dict[tuple[str, int], str] = {}
    for kind, table in (("schedule", schedule), ("person", user), ("team", team)):
        found |= {(kind, r.id): r.name for r in tx.run(select(table.c.id, table.c.name))}
    return found


def _renamed(policy: Policy, today: Mapping[tuple[str, int], str]) -> Policy:
    def target(t: Target) -> Target:
        return Target(t.kind, today.get((t.kind, t.id), t.name), t.id)

    steps = tuple(Step(tuple(target(t) for t in step.targets), step.wait) for step in policy.steps)
    return msgspec.structs.replace(policy, steps=steps)


# --- hand-over and assignment ---


@dataclass(frozen=True, slots=True)
class Open:
    """A ticket that somebody has open, for the hand-over list."""

    id: int
    number: str
    title: str
    status: str
    priority: int | None
    team: str
    created_at: datetime


def open_of(tx: Tx, user_id: int) -> tuple[Open, ...]:
    """What somebody owns in work: the most urgent first."""
    i = incident.c
    query = (
        select(i.id, i.title, i.status, i.priority, i.created_at, team.c.name.label("team"))
        .outerjoin(team, team.c.id == i.team_id)
        .where(i.owner_id == user_id, i.status.in_(("new", "in_progress", "pending")))
        .order_by(i.priority, i.id)
        .limit(500)
    )
    rows: Iterable[Any] = tx.run(query)
    return tuple(Open(r.id, f"INC-{r.id}", r.title, r.status, r.priority, r.team or "", r.created_at) for r in rows)


def team_rules(tx: Tx) -> dict[str, TeamRules]:
    """By the team's name; teams that wrote none are not in it."""
    known = {r.id: r.name for r in tx.run(select(team.c.id, team.c.name))}
    return {known[team_id]: found for team_id, (found, _last) in assignments.rules(tx).items()}


@dataclass(frozen=True, slots=True)
class Where:
    """Where we are on a ticket, as it was written last."""

    known: str
    tried: str
    next: str
    by: str
    at: datetime


def where_we_are(tx: Tx, incident_id: int) -> Where | None:
    """The last hand-over note of a ticket, if any."""
    t, c = timeline.c, timeline_content.c
    query = (
        select(t.at, c.content, shown_name(user).label("by"))
        .join(timeline_content, (c.incident_id == t.incident_id) & (c.seq == t.seq))
        .outerjoin(user, user.c.id == t.actor_id)
        .where(t.incident_id == incident_id, t.kind == "handover")
        .order_by(t.seq.desc())
        .limit(1)
    )
    row = tx.run(query).first()
    if row is None:
        return None
    said = {part: str(row.content.get(part, "")) for part in ("known", "tried", "next")}
    return Where(**said, by=row.by or "", at=row.at)

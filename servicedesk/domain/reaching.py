"""Whom a step of an escalation reaches, by which channel and when; whom not, and why. Pure."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from servicedesk.domain import oncall, people_rules
from servicedesk.domain.escalation_policy import Policy, Target
from servicedesk.domain.oncall import Schedule
from servicedesk.domain.people_rules import PersonRules

Reached = tuple[int | None, str, str]  # user id (None: a channel), channel, address
TOLD_BEFORE = "Told of it already by this step of the policy that held before."
LEADS = "leads"  # the target of last resort
QUEUED, SENT, FAILED, SKIPPED = "queued", "sent", "failed", "skipped"


@dataclass(frozen=True, slots=True)
class Contact:
    """A person who may be told."""

    id: int
    name: str
    email: str = ""
    active: bool = True
    language: str = ""
    rules: PersonRules = field(default_factory=PersonRules)


@dataclass(frozen=True, slots=True)
class Group:
    """A team that may be told. members: ids."""

    name: str
    email: str = ""
    members: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class World:
    """Everything that decides whom a step reaches. personal, broadcast: channels that are configured.

    pages: how many pages each person had in the window of the budget; budget 0: none. timezone: of the calendar.
    """

    schedules: Mapping[int, tuple[str, Schedule]] = field(default_factory=dict)
    people: Mapping[int, Contact] = field(default_factory=dict)
    teams: Mapping[int, Group] = field(default_factory=dict)
    absences: tuple[oncall.Absence, ...] = ()
    personal: tuple[str, ...] = ()
    broadcast: tuple[str, ...] = ()
    leads: tuple[int, ...] = ()
    pages: Mapping[int, int] = field(default_factory=dict)
    budget: int = 0
    budget_window: timedelta = timedelta(minutes=10)
    timezone: str = "UTC"

    @property
    def all_there(self) -> Schedule:
        """A schedule of nobody, for asking who is present."""
        return Schedule((), (), self.absences, frozenset(p.id for p in self.people.values() if not p.active))


@dataclass(frozen=True, slots=True)
class Facts:
    """The ticket. acted_at, actor: the last act of one of the staff since the run began, if any; said: one of them
    was "acknowledge", which counts whoever owns it."""

    status: str
    priority: int | None
    owner_id: int | None
    recovered: bool = False
    acted_at: datetime | None = None
    actor: str = ""
    said: bool = False

    @property
    def answered_at(self) -> datetime | None:
        """When somebody showed last that the ticket is in hand: an act on one that has an owner, or "acknowledge"."""
        return self.acted_at if self.owner_id is not None or self.said else None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the proof. user_id None: nobody, or a channel; digest_at: it waits for the digest of this time."""

    kind: str
    name: str
    user_id: int | None
    channel: str
    address: str
    due_at: datetime
    state: str = QUEUED
    reason: str = ""
    digest_at: datetime | None = None


def expand(targets: Sequence[Target], facts: Facts, policy: Policy, world: World, now: datetime) -> list[Row]:
    """Whom these targets reach, by which channel, when; and whom not, and why. A person is told once a step."""
    rows: list[Row] = []
    spent: dict[int, int] = dict(world.pages)
    waits = _waits(policy, facts, world, now)
    for target in targets:
        for row in _of_target(target, facts, world, now):
            if row.state == QUEUED and _told_already(rows, row):
                row = _skipped(row, "The same person is told by another target of this step.")
            elif row.state == QUEUED:
                row = _held(row, waits, spent, world, now)
            rows.append(row)
    return rows


def not_twice(rows: Sequence[Row], told: Container[Reached]) -> list[Row]:
    """The rows of a step without whom the same step told before another policy took over."""
    return [
        _skipped(row, TOLD_BEFORE) if row.state == QUEUED and (row.user_id, row.channel, row.address) in told else row
        for row in rows
    ]


def to_leads(facts: Facts, policy: Policy, world: World, now: datetime) -> list[Row]:
    """The last resort: nobody answered."""
    if not world.leads:
        return [Row(LEADS, LEADS, None, "", "", now, SKIPPED, "No team lead can be reached.")]
    found: list[Row] = []
    for user_id in world.leads:
        found += _of_person(LEADS, LEADS, user_id, facts, world, now)
    return found


def _waits(policy: Policy, facts: Facts, world: World, now: datetime) -> datetime | None:
    """Until when this ticket's pages wait by the policy's quiet hours."""
    if facts.priority not in policy.waits or not policy.quiet_hours:
        return None
    return people_rules.quiet_until(policy.quiet_hours, policy.timezone or world.timezone, now)


def _told_already(rows: Sequence[Row], row: Row) -> bool:
    return any(
        r.state == QUEUED and (r.user_id, r.channel, r.address) == (row.user_id, row.channel, row.address) for r in rows
    )


def _held(row: Row, waits: datetime | None, spent: dict[int, int], world: World, now: datetime) -> Row:
    """The row as the quiet hours of the policy and the person's budget leave it."""
    if row.digest_at is None and waits is not None:
        return replace(row, digest_at=waits, reason="Low priority in the quiet hours: it waits for the digest.")
    if row.user_id is None or row.digest_at is not None or not world.budget:
        return row
    if spent.get(row.user_id, 0) >= world.budget:
        span = int(world.budget_window.total_seconds() // 60)
        why = f"Page budget: {world.budget} pages in {span} minutes; the rest comes as one digest."
        return replace(row, digest_at=now + world.budget_window, reason=why)
    spent[row.user_id] = spent.get(row.user_id, 0) + 1
    return row


def _of_target(target: Target, facts: Facts, world: World, now: datetime) -> list[Row]:
    if target.kind == "schedule":
        return _of_schedule(target, facts, world, now)
    if target.kind == "person":
        return _of_person(target.kind, target.name, target.id, facts, world, now)
    if target.kind == "team":
        return _of_team(target, facts, world, now)
    row = Row(target.kind, target.name, None, target.name, target.name, now)
    return [row if target.name in world.broadcast else _skipped(row, "This channel is not configured.")]


def _of_schedule(target: Target, facts: Facts, world: World, now: datetime) -> list[Row]:
    row = Row(target.kind, target.name, None, "", "", now)
    known = world.schedules.get(target.id)
    if known is None:
        return [_skipped(row, "There is no such schedule any more.")]
    duty = oncall.who(known[1], now)
    if duty.user_id is None:
        return [_skipped(row, "Nobody is on call on this schedule at this time.")]
    why = {"deputy": "stands in as deputy", "next": "stands in for who is absent", "override": "by an override"}
    return _of_person(target.kind, known[0], duty.user_id, facts, world, now, why.get(duty.why, ""))


def _of_team(target: Target, facts: Facts, world: World, now: datetime) -> list[Row]:
    row = Row(target.kind, target.name, None, "", "", now)
    team = world.teams.get(target.id)
    if team is None:
        return [_skipped(row, "There is no such team any more.")]
    rows: list[Row] = []
    for user_id in team.members:
        rows += _of_person(target.kind, team.name, user_id, facts, world, now)
    if any(r.state == QUEUED for r in rows):
        return rows
    if team.email and world.personal:
        return [*rows, replace(row, channel=world.personal[0], address=team.email, reason="The team's own address.")]
    return rows or [_skipped(row, "The team has no members and no address.")]


def _of_person(
    kind: str, name: str, user_id: int, facts: Facts, world: World, now: datetime, why: str = ""
) -> list[Row]:
    row = Row(kind, name, user_id, "", "", now, reason=why)
    person = world.people.get(user_id)
    if person is None or not person.active:
        return [_skipped(row, "The account is disabled.")]
    there = oncall.present(world.all_there, user_id, now)
    if there is None:
        return [_skipped(row, f"{person.name} is absent, and nobody stands in.")]
    if there != user_id:
        stands_in = _of_person(kind, name, there, facts, world, now, f"Deputy of {person.name}, who is absent.")
        return [_skipped(row, f"{person.name} is absent: the deputy is told."), *stands_in]
    return _by_channel(row, person, facts, world, now)


def _by_channel(row: Row, person: Contact, facts: Facts, world: World, now: datetime) -> list[Row]:
    """One row a channel, as the person's own rules say."""
    if not world.personal:
        return [_skipped(row, "No channel to people is configured.")]
    if not person.email:
        return [_skipped(row, f"{person.name} has no address.")]
    rules = person.rules
    wanted = [r for r in rules.channels if not r.priorities or facts.priority in r.priorities]
    wanted = [r for r in wanted if r.channel in world.personal]
    if not wanted:  # own rules never mean that nobody is told
        wanted = [people_rules.ChannelRule(channel) for channel in world.personal]
    quiet = None
    if rules.quiet_hours and facts.priority not in rules.breaks_through:
        quiet = people_rules.quiet_until(rules.quiet_hours, rules.timezone or world.timezone, now)
    reason = f"{person.name}'s quiet hours: it waits for the digest." if quiet else row.reason
    return [
        replace(
            row,
            channel=rule.channel,
            address=person.email,
            due_at=now + timedelta(minutes=rule.after),
            digest_at=quiet,
            reason=reason,
        )
        for rule in sorted(wanted, key=lambda r: r.after)
    ]


def _skipped(row: Row, reason: str) -> Row:
    return replace(row, state=SKIPPED, reason=reason)

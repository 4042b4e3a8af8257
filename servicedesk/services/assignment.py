"""New tickets get an owner by themselves, where a team wants that: by skill, load with a cap, and turn (T3)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from servicedesk.desk import Desk
from servicedesk.domain import oncall as calendar
from servicedesk.domain import people_rules
from servicedesk.domain.assignment import Candidate, TeamRules, choose
from servicedesk.domain.incident import LEAD, SYSTEM, Action, Actor
from servicedesk.domain.oncall import Absence, Schedule, instant
from servicedesk.domain.people_rules import PersonRules
from servicedesk.errors import NotAllowed
from servicedesk.services.shared import facts as loader
from servicedesk.services.shared import identity, lookup, owning
from servicedesk.store import assignments, oncall
from servicedesk.store.db import Priority, Tx


def set_team_rules(desk: Desk, actor: Actor, team: str, rules: TeamRules) -> None:
    """Raises NotAllowed, BadInput."""
    if not actor.has(LEAD):
        raise NotAllowed("Only a lead may do this.")

    def change(tx: Tx) -> None:
        row = lookup.team_named(tx, team)
        assignments.put_rules(tx, row.id, rules)
        identity.record(tx, desk, actor, "team_rules", row.name, None, {"enabled": rules.enabled})

    desk.write(change)


def run_due(desk: Desk) -> int:
    """Give new tickets an owner; answers how many got one. Raises Busy."""
    with desk.read() as tx:
        wanting = {team_id: rules for team_id, (rules, _last) in assignments.rules(tx).items() if rules.enabled}
        if not wanting or not assignments.any_waiting(tx, wanting):
            return 0
    given, after = 0, 0
    while True:
        count, last = desk.write(lambda tx, after=after: _some(tx, desk, after), Priority.SLICE)  # type: ignore[misc]
        given += count
        if last is None:
            return given
        after = last


@dataclass(slots=True)
class _State:
    """What one transaction knows: members by team, counts, rules; the counts move with every choice."""

    now: datetime
    zone: str
    cap: int
    rules: Mapping[int, PersonRules]
    absences: tuple[Absence, ...]
    today: dict[int, int]
    open: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    last: dict[int, int | None] = field(default_factory=dict)


def _some(tx: Tx, desk: Desk, after: int) -> tuple[int, int | None]:
    """Some tickets; answers how many got an owner, and after which id the next transaction goes on (None: done)."""
    wanting = {team_id: found for team_id, found in assignments.rules(tx).items() if found[0].enabled}
    rows = assignments.waiting(tx, wanting, after)
    if not rows:
        return 0, None
    members = {team_id: assignments.members(tx, team_id) for team_id in {row.team_id for row in rows}}
    state = _load(tx, desk, {i for ids in members.values() for i in ids})
    state.last = {team_id: last for team_id, (_rules, last) in wanting.items()}
    given = sum(_one(tx, desk, row, members[row.team_id], wanting[row.team_id][0], state) for row in rows)
    return given, rows[-1].id


def _load(tx: Tx, desk: Desk, ids: set[int]) -> _State:
    zone = desk.policy.calendar.timezone
    midnight = instant(tx.now.astimezone(ZoneInfo(zone)).date(), time(0), ZoneInfo(zone))
    return _State(
        now=tx.now,
        zone=zone,
        cap=desk.policy.assignment.cap_per_day,
        rules=oncall.rules_of(tx, ids),
        absences=oncall.absences(tx, tx.now),
        today=defaultdict(int, assignments.given(tx, midnight)),
        open=defaultdict(int, assignments.in_work(tx, ids)),
    )


def _one(tx: Tx, desk: Desk, row: Any, members: list[int], rules: TeamRules, state: _State) -> int:
    if row.priority not in rules.priorities:
        return 0
    words = [row.category, row.service_label, *(row.tags or ())]
    candidates = [_candidate(user_id, state) for user_id in members]
    choice = choose(candidates, words, rules, state.last.get(row.team_id), row.requester_id)
    if choice.user_id is None:
        return 0
    facts = loader.load(tx, desk, row.id)
    action = Action("take", reason=choice.reason)
    owning.begin(tx, desk, facts, SYSTEM, choice.user_id, row.team_id, action, acknowledged=False)
    assignments.gave(tx, row.id, choice.user_id, row.team_id)
    state.today[choice.user_id] += 1
    state.open[choice.user_id] += 1
    state.last[row.team_id] = choice.user_id
    return 1


def _candidate(user_id: int, state: _State) -> Candidate:
    rules = state.rules.get(user_id, PersonRules())
    there = calendar.present(Schedule((), (), state.absences), user_id, state.now) == user_id
    return Candidate(
        user_id,
        frozenset(rules.skills),
        state.today[user_id],
        state.open[user_id],
        state.cap if rules.cap is None else rules.cap,
        there,
        people_rules.works_at(rules, state.zone, state.now),
    )

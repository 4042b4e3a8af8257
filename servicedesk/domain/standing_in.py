"""Notices to the staff respect absence: the deputy is told, else the leads, and the proof says so. Pure.

Pages are placed by `domain.reaching`, with schedules; this is for everything else that the staff are told by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from servicedesk.domain import oncall
from servicedesk.domain.notification import EVENTS, Decision, Notice, Person, Target, Ticket
from servicedesk.domain.oncall import Absence, Schedule, zone_of

PLACED = frozenset({"page", "digest", "test", "state"})  # whom they reach was decided elsewhere


@dataclass(frozen=True, slots=True)
class Away:
    """Somebody who is absent now. deputy: who is there in their place; None: nobody who can be told."""

    until: datetime
    deputy: Person | None = None


def away(absences: Sequence[Absence], people: Mapping[int, Person], at: datetime) -> dict[int, Away]:
    """Who is absent at this instant, by id. people: the deputies of these absences."""
    schedule = Schedule((), (), tuple(absences), frozenset(p.id for p in people.values() if not p.active))
    found: dict[int, Away] = {}
    for user_id in {a.user_id for a in absences}:
        absence = oncall.absence_at(absences, user_id, at)
        if absence is not None:
            there = people.get(oncall.present(schedule, user_id, at) or 0)
            found[user_id] = Away(absence.ends_at, there if there is not None and there.reachable else None)
    return found


def instead(decision: Decision, notice: Notice, ticket: Ticket, gone: Mapping[int, Away], timezone: str) -> Decision:
    """The same decision with those who are there. Who is absent and has nobody to stand in is told nevertheless."""
    absent = [t for t in decision.targets if t.person_id in gone]
    if not absent or decision.event in PLACED or not EVENTS[decision.event].staff:
        return decision
    told, left = [t for t in decision.targets if t.person_id not in gone], list[Target]()
    for target in absent:
        away_now = gone[target.person_id or 0]
        until = f"{away_now.until.astimezone(zone_of(timezone)):%Y-%m-%d %H:%M %Z}"
        others, who = _others(away_now, ticket, gone, notice.extra.get("from"))
        why = f"{target.name} is absent until {until}, {f'so {who}.' if others else 'and nobody stands in.'}"
        if others:
            left.append(replace(target, why=why))
            told += [Target(target.channel, p.email, p.name, p.language, p.id, why) for p in others]
        else:
            told.append(replace(target, why=why))
    return replace(decision, targets=_distinct(told), left=tuple(left))


def _others(
    absent: Away, ticket: Ticket, gone: Mapping[int, Away], actor_id: int | None
) -> tuple[tuple[Person, ...], str]:
    """Who is told in the place of who is absent, and how the proof says it. Nobody is told of the own act."""
    if absent.deputy is not None and absent.deputy.id != actor_id:
        return (absent.deputy,), f"the deputy {absent.deputy.name} is told"
    leads = tuple(p for p in ticket.leads if p.reachable and p.id not in gone and p.id != actor_id)
    names = ", ".join(p.name for p in leads)
    return leads, f"the lead {names} is told" if len(leads) == 1 else f"the leads {names} are told"


def _distinct(targets: Iterable[Target]) -> tuple[Target, ...]:
    """One target an address; who is told anyway comes first and stays as they are."""
    found: dict[tuple[str, str], Target] = {}
    for target in targets:
        found.setdefault((target.channel, target.address.casefold()), target)
    return tuple(found.values())

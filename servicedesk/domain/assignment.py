"""Automatic assignment: by skill, load with a cap, and turn; absence and working hours are respected. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec

from servicedesk.domain.people_rules import Priority


class TeamRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """enabled: new tickets of the team get an owner by themselves; priorities: only these; needs_skill: a ticket for
    which nobody has the skill waits in the queue instead of going to anybody."""

    enabled: bool = False
    priorities: tuple[Priority, ...] = (1, 2, 3, 4, 5)
    needs_skill: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member of the team. today: automatic assignments of this day; open: tickets in work."""

    id: int
    skills: frozenset[str] = frozenset()
    today: int = 0
    open: int = 0
    cap: int = 50
    there: bool = True
    working: bool = True


@dataclass(frozen=True, slots=True)
class Choice:
    """Who gets it, or why nobody does."""

    user_id: int | None
    reason: str


def choose(
    candidates: Sequence[Candidate],
    words: Collection[str],
    rules: TeamRules,
    last: int | None,
    barred: int | None = None,
) -> Choice:
    """Who gets the next ticket. words: its category, service and tags; last: who got the one before; barred: who
    raised it. Among those who fit: the fewest today, then the fewest open, then whose turn it is after `last`."""
    able = [c for c in candidates if c.there and c.working and c.id != barred]
    if not able:
        return Choice(None, "Nobody of the team is there in working hours.")
    free = [c for c in able if c.today < c.cap]
    if not free:
        return Choice(None, "Everybody who is there has reached the day's cap.")
    wanted = {word.casefold() for word in words if word}
    skilled = [c for c in candidates if wanted & {s.casefold() for s in c.skills}]
    fit = [c for c in free if c in skilled] if skilled else ([] if rules.needs_skill else free)
    if not fit:
        return Choice(None, "Nobody who has the skill is free.")
    order = [c.id for c in candidates]
    start = order.index(last) + 1 if last in order else 0
    turn = {user_id: (place - start) % len(order) for place, user_id in enumerate(order)}
    best = min(fit, key=lambda c: (c.today, c.open, turn[c.id]))
    why = "by skill" if skilled else "by load and turn"
    return Choice(best.id, f"Assigned automatically {why}: {best.today + 1} of {best.cap} today.")

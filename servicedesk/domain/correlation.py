"""Which incident an alert belongs to, decided with a reason. Pure; `services.apply` carries the decision out.

Siblings (one source, the same join labels) belong together when they began within one window. Nothing may depend on
the order in which messages arrive, so the canonical partition is by event time: an incident begins with the earliest
start, takes every sibling that starts within the window after it, and the next one begins the next incident. An
incident that nobody has touched yet follows that partition; one that people work on stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from servicedesk.domain.alert_state import FIRING, SUSPECT
from servicedesk.domain.correlation_rules import Rule
from servicedesk.domain.incident import CANCELLED, CLOSED, RESOLVED, REVIEW, number

Kind = Literal["open", "attach", "reopen", "recur", "recover", "suspect", "ignore", "wait", "suppress"]


OUTLASTED = "It began under a maintenance and fires on after that."


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a change. rule: its name, for the record; reason: a sentence; incident_id: of the old one."""

    kind: Kind
    rule: str
    reason: str
    incident_id: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """An alert whose state changed. status: as alert_state says.

    fresh: it fires in an episode that no incident carries yet. fired: it was ever seen firing.
    over_at: end of the fresh episode, None while it is open. unticketed: why its receiver wants no ticket, or "".
    age: how long before it was received it began. held: it fired during a maintenance only, as far as no incident
    carries it; outlasted: it began under a maintenance and fires on after that.
    """

    status: str
    fired: bool
    fresh: bool
    over_at: datetime | None = None
    unticketed: str = ""
    age: timedelta = timedelta(0)
    held: bool = False
    outlasted: bool = False


@dataclass(frozen=True, slots=True)
class Own:
    """The newest incident that the alert belongs to. over_at: when it was closed or cancelled."""

    incident_id: int
    status: str
    over_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An incident that siblings may join. settled: somebody works on it, so its members stay."""

    incident_id: int
    began_at: datetime
    settled: bool


@dataclass(frozen=True, slots=True)
class Unit:
    """One alert in the partition: the start of its first episode in an open incident, and that incident if any."""

    start: datetime
    key: bytes
    incident_id: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """The incident that takes a start (None: a new one). shifts: it begins earlier by that, so its like are moved."""

    incident_id: int | None
    shifts: bool = False


def correlate(change: Change, own: Own | None, rule: Rule, suppressed: str = "") -> Decision:
    """What a change of one alert means for incidents. `open` and `recur` still ask `place` for siblings to join.

    rule: what decides about it where it has no open incident. suppressed: why it is not to disturb anybody now.
    """
    if own is not None and own.status not in (CLOSED, CANCELLED):
        return _while_open(change, own, number(own.incident_id), suppressed)
    if not change.fired:
        return Decision("ignore", "never_seen_firing", "It had ended before it was ever seen firing: recorded.")
    if own is None:
        if change.held and not change.fresh and not suppressed:
            return Decision("ignore", "maintenance", "It fired during a maintenance only: recorded without a ticket.")
        why = OUTLASTED if change.outlasted else "It fires and belongs to no incident yet."
        found = Decision("open", rule.id, rule.reason or why)
    else:
        found = _after_the_end(change, own, number(own.incident_id))
    return found if found.kind == "ignore" else _ruled(found, change, rule, suppressed)


def _while_open(change: Change, own: Own, name: str, suppressed: str) -> Decision:
    if change.status == SUSPECT:
        reason = f"A firing came after the end that covers it; {name} waits."
        return Decision("suspect", "suspect", reason, own.incident_id)
    if change.status != FIRING:
        return Decision("recover", "recovered", f"It recovered; {name} carries it.", own.incident_id)
    if suppressed:
        return Decision("suppress", "maintenance", f"{suppressed} {name} stays as it is until then.")
    if own.status in (RESOLVED, REVIEW):
        return Decision("reopen", "M7", f"It fires again: {name} is not solved.", own.incident_id)
    return Decision("attach", "own_incident", f"It fires and {name} is still open.", own.incident_id)


def _ruled(found: Decision, change: Change, rule: Rule, suppressed: str) -> Decision:
    """What the rule makes of an alert that would open an incident or join its siblings'."""
    if change.unticketed and found.kind == "open":
        return Decision("ignore", "record", change.unticketed)
    if rule.answer == "record":
        return Decision("ignore", rule.id, rule.reason or f"The rule {rule.id} records it without a ticket.")
    if rule.answer == "suppress":
        return Decision("suppress", rule.id, rule.reason or f"The rule {rule.id} suppresses it.")
    if rule.max_age is not None and change.age > rule.max_age:
        return Decision(
            "ignore", rule.id, f"It began {_hours(change.age)} before it came: the rule {rule.id} records it."
        )
    if suppressed:
        return Decision("suppress", "maintenance", suppressed)
    if rule.answer == "attach":
        why = rule.reason or f"The rule {rule.id} attaches it to another's ticket."
        return Decision("wait", rule.id, f"{why} None is open.", found.incident_id)
    if rule.threshold is not None:
        return Decision("wait", rule.id, f"The rule {rule.id} waits for {rule.threshold}.", found.incident_id)
    return found


def _hours(length: timedelta) -> str:
    return f"{length.total_seconds() / 3600:.1f} h"


def _after_the_end(change: Change, own: Own, name: str) -> Decision:
    if change.status == FIRING and change.fresh:
        return Decision("recur", "recurrence", f"It fires again after {name} was {own.status}.", own.incident_id)
    missed = change.fresh and change.status != SUSPECT and change.over_at is not None
    if missed and (own.over_at is None or change.over_at > own.over_at):  # type: ignore[operator]
        return Decision("recur", "recurrence", f"It fired and ended after {name} was {own.status}.", own.incident_id)
    return Decision("ignore", "over", f"{name} is {own.status}: recorded, the ticket stays as it is.")


def place(start: datetime, candidates: Iterable[Candidate], window: timedelta) -> Place:
    """The open sibling incident that an episode with this start joins.

    candidates: open incidents of one correlation digest. A start shortly before an incident joins it too: one that
    people work on keeps its members; an untouched one begins earlier now, and is partitioned anew.
    """
    before: Candidate | None = None
    after: Candidate | None = None
    for candidate in candidates:
        if candidate.began_at <= start <= candidate.began_at + window:
            before = max(before or candidate, candidate, key=_order)
        elif start < candidate.began_at <= start + window:
            after = min(after or candidate, candidate, key=_order)
    if before is not None:
        return Place(before.incident_id)
    if after is not None:
        return Place(after.incident_id, shifts=not after.settled)
    return Place(None)


@dataclass(frozen=True, slots=True)
class Shift:
    """Untouched incidents begin earlier now: at `start` at the earliest, and did at `began` at the latest.

    rule: the id of the rule that decides about their alerts.
    """

    start: datetime
    began: datetime
    rule: str = ""

    def __or__(self, other: Shift | None) -> Shift:
        if other is None:
            return self
        return Shift(min(self.start, other.start), max(self.began, other.began), self.rule or other.rule)


@dataclass(frozen=True, slots=True)
class Seating:
    """Where units go. seats: unit → incident, negative for new ones."""

    seats: Mapping[Unit, int]
    shifted: Shift | None


def seat(units: Iterable[Unit], candidates: Iterable[Candidate], window: timedelta) -> Seating:
    """Place several units of one correlation digest, each in sight of those before it."""
    open_ones = {c.incident_id: c for c in candidates}
    seats: dict[Unit, int] = {}
    shifted: Shift | None = None
    for unit in sorted(units, key=_by_start):
        found = place(unit.start, open_ones.values(), window)
        number = min([0, *open_ones]) - 1 if found.incident_id is None else found.incident_id
        if found.shifts:
            shifted = Shift(unit.start, open_ones[number].began_at) | shifted
        if found.shifts or found.incident_id is None:
            open_ones[number] = Candidate(number, unit.start, settled=False)
        seats[unit] = number
    return Seating(seats, shifted)


def _by_start(unit: Unit) -> tuple[datetime, bytes]:
    return unit.start, unit.key


def _order(candidate: Candidate) -> tuple[datetime, int]:
    return candidate.began_at, candidate.incident_id


def partition(units: Iterable[Unit], window: timedelta) -> list[list[Unit]]:
    """The canonical groups: in the order of (start, key), each as long as its window from its first start."""
    groups: list[list[Unit]] = []
    for unit in sorted(units, key=_by_start):
        if groups and unit.start <= groups[-1][0].start + window:
            groups[-1].append(unit)
        else:
            groups.append([unit])
    return groups


def assign(groups: Sequence[Sequence[Unit]]) -> list[int | None]:
    """For each group the incident that keeps it: the oldest of its units' incidents that is free; None: a new one."""
    taken: set[int] = set()
    answer: list[int | None] = []
    for group in groups:
        free = min({u.incident_id for u in group if u.incident_id is not None} - taken, default=None)
        if free is not None:
            taken.add(free)
        answer.append(free)
    return answer


def chain(shift: Shift, candidates: Iterable[Candidate], window: timedelta) -> list[Candidate]:
    """The untouched incidents that a shift may reach: neighbours less than two windows apart."""
    reach = shift.began
    found: list[Candidate] = []
    for candidate in sorted(
        (c for c in candidates if not c.settled and c.began_at + window >= shift.start), key=_order
    ):
        if candidate.began_at > reach + 2 * window:
            break
        found.append(candidate)
        reach = max(reach, candidate.began_at)
    return found

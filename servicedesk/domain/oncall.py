"""Who is on call: rotations, layers, restrictions, overrides, absences. Pure, and a total function of time.

A schedule is not a list of shifts that could have holes but a rule: `who(schedule, at)` answers for any instant, and
`shifts` cuts a period at every instant at which the answer may change. A layer's rotation covers all time; only a
restriction makes it partial, so a schedule with one unrestricted layer and at least one present person has exactly one
primary at each instant. Hand-overs are times on the wall of the layer's zone, whatever the clocks do.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
WEEK = 7
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ROTATIONS = ("daily", "weekly", "custom")
LOOK_AHEAD = timedelta(days=70)  # how far `next` is looked for
_MONDAY = date(2020, 1, 6)  # weeks are counted from here when a layer has no start


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A time of the week on the wall: weekday 0 (Monday) to 6, or None for every day."""

    weekday: int | None
    at: time


@dataclass(frozen=True, slots=True)
class Window:
    """When a layer counts: on these weekdays (0–6) from `begins` to `ends`, which is the next day's if not later."""

    weekdays: tuple[int, ...]
    begins: time
    ends: time


@dataclass(frozen=True, slots=True)
class Layer:
    """People who take turns. rotation daily: one mark without weekday, `every` days; weekly: one mark with a weekday,
    `every` weeks; custom: several marks a week, each of which hands over (`every` is 1).

    start: the date from which turns are counted: the first person's turn begins at the first mark on or after it.
    """

    name: str
    people: tuple[int, ...]
    rotation: str
    marks: tuple[Mark, ...]
    timezone: str
    every: int = 1
    start: date = _MONDAY
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody else for a while: [starts_at, ends_at). Of two at once the one made last counts (the higher id)."""

    user_id: int
    starts_at: datetime
    ends_at: datetime
    id: int = 0


@dataclass(frozen=True, slots=True)
class Absence:
    """Somebody is away: [starts_at, ends_at); the deputy stands in."""

    user_id: int
    starts_at: datetime
    ends_at: datetime
    deputy_id: int | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """layers: the last one that counts at an instant wins. gone: people whose account is disabled."""

    layers: tuple[Layer, ...]
    overrides: tuple[Override, ...] = ()
    absences: tuple[Absence, ...] = ()
    gone: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Duty:
    """The answer for one instant. why: rotation | override | deputy | next; user_id None: nobody.

    layer: its name, "" for an override; instead_of: whose turn it would have been.
    """

    user_id: int | None
    why: str
    layer: str = ""
    instead_of: int | None = None


NOBODY = Duty(None, "nobody")


@dataclass(frozen=True, slots=True)
class Shift:
    """A duty over [starts_at, ends_at), aware UTC."""

    starts_at: datetime
    ends_at: datetime
    duty: Duty


@dataclass(frozen=True, slots=True)
class NowNext:
    """now: the present shift, its true end when it ends within the look-ahead; next: the next somebody else."""

    now: Shift
    next: Shift | None = None


def instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """When this wall shows this time, as UTC: of a time that comes twice the first, one that is skipped is taken by
    the offset before the change (02:30 becomes 03:30)."""
    return datetime.combine(day, at.replace(fold=0), zone).astimezone(UTC)


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """Raises what ZoneInfo raises for an unknown name."""
    return ZoneInfo(name)


# --- turns ---------------------------------------------------------------------------------------------------------


def _turn_start(layer: Layer, turn: int) -> datetime:
    """When turn number `turn` begins (0 is the first after the layer's start; negative ones lie before it)."""
    day, at = _turn_wall(layer, turn)
    return instant(day, at, zone_of(layer.timezone))


def _turn_wall(layer: Layer, turn: int) -> tuple[date, time]:
    if layer.rotation == "daily":
        return layer.start + DAY * (turn * layer.every), layer.marks[0].at
    marks = sorted(layer.marks, key=lambda m: (_days_after(layer, m), m.at))
    if layer.rotation == "weekly":
        return layer.start + DAY * (_days_after(layer, marks[0]) + WEEK * layer.every * turn), marks[0].at
    week, index = divmod(turn, len(marks))
    return layer.start + DAY * (_days_after(layer, marks[index]) + WEEK * week), marks[index].at


def _days_after(layer: Layer, mark: Mark) -> int:
    """Days from the layer's start to the mark's weekday."""
    return ((mark.weekday or 0) - layer.start.weekday()) % WEEK


def turn_at(layer: Layer, at: datetime) -> int:
    """The number of the turn that holds this instant: the last one that has begun."""
    days = (at.astimezone(zone_of(layer.timezone)).date() - layer.start).days
    if layer.rotation == "daily":
        guess = days // layer.every
    elif layer.rotation == "weekly":
        guess = days // (WEEK * layer.every)
    else:
        guess = days * len(layer.marks) // WEEK
    while _turn_start(layer, guess) > at:
        guess -= 1
    while _turn_start(layer, guess + 1) <= at:
        guess += 1
    return guess


def turn_starts(layer: Layer, start: datetime, end: datetime) -> Iterator[datetime]:
    """Every hand-over of the rotation in (start, end)."""
    turn = turn_at(layer, start) + 1
    while (begins := _turn_start(layer, turn)) < end:
        yield begins
        turn += 1


# --- restrictions --------------------------------------------------------------------------------------------------


def open_spans(layer: Layer, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The spans of the layer's windows that touch [start, end); they may overlap."""
    zone = zone_of(layer.timezone)
    day, last = start.astimezone(zone).date() - DAY, end.astimezone(zone).date()
    while day <= last:
        for window in layer.windows:
            if day.weekday() in window.weekdays:
                begins = instant(day, window.begins, zone)
                ends = instant(day if window.ends > window.begins else day + DAY, window.ends, zone)
                if begins < end and ends > start:
                    yield begins, ends
        day += DAY


def counts_at(layer: Layer, at: datetime) -> bool:
    """Does the layer count at this instant?"""
    tick = at + timedelta(microseconds=1)
    return not layer.windows or any(begins <= at < ends for begins, ends in open_spans(layer, at, tick))


# --- who -----------------------------------------------------------------------------------------------------------


def who(schedule: Schedule, at: datetime) -> Duty:
    """Who is on call at this instant: an override, else the last layer that counts; then absence is respected."""
    override = max((o for o in schedule.overrides if o.starts_at <= at < o.ends_at), key=lambda o: o.id, default=None)
    if override is not None:
        return _present(schedule, at, Duty(override.user_id, "override"), ())
    for layer in reversed(schedule.layers):
        if layer.people and counts_at(layer, at):
            found = _of_layer(schedule, layer, at)
            if found.user_id is not None:
                return found
    return NOBODY


def _of_layer(schedule: Schedule, layer: Layer, at: datetime) -> Duty:
    turn = turn_at(layer, at) % len(layer.people)
    order = layer.people[turn:] + layer.people[:turn]
    return _present(schedule, at, Duty(order[0], "rotation", layer.name), order[1:])


def _present(schedule: Schedule, at: datetime, duty: Duty, others: Sequence[int]) -> Duty:
    """The same duty by somebody who is there: the deputy (and the deputy's deputy), else the next of the rotation."""
    stands_in = present(schedule, duty.user_id, at)
    if stands_in is not None:
        return (
            duty
            if stands_in == duty.user_id
            else replace(duty, user_id=stands_in, why="deputy", instead_of=duty.user_id)
        )
    for user_id in others:
        stands_in = present(schedule, user_id, at)
        if stands_in is not None:
            return replace(duty, user_id=stands_in, why="next", instead_of=duty.user_id)
    return replace(NOBODY, layer=duty.layer, instead_of=duty.user_id)


def present(schedule: Schedule, user_id: int | None, at: datetime) -> int | None:
    """This person, or who stands in for them at this instant; None when nobody does. Deputies in a ring end it."""
    seen: set[int] = set()
    while user_id is not None and user_id not in seen:
        if user_id in schedule.gone:
            return None
        away = absence_at(schedule.absences, user_id, at)
        if away is None:
            return user_id
        seen.add(user_id)
        user_id = away.deputy_id
    return None


def absence_at(absences: Iterable[Absence], user_id: int, at: datetime) -> Absence | None:
    """The absence of somebody at this instant; one with a deputy before one without."""
    found = [a for a in absences if a.user_id == user_id and a.starts_at <= at < a.ends_at]
    return max(found, key=lambda a: a.deputy_id is not None, default=None)


# --- periods -------------------------------------------------------------------------------------------------------


def cuts(schedule: Schedule, start: datetime, end: datetime) -> list[datetime]:
    """Every instant in (start, end) at which the answer of `who` may change, sorted."""
    found: set[datetime] = set()
    for layer in schedule.layers:
        if layer.people:
            found.update(turn_starts(layer, start, end))
        for span in open_spans(layer, start, end) if layer.windows else ():
            found.update(span)
    found.update(at for o in schedule.overrides for at in (o.starts_at, o.ends_at))
    found.update(at for a in schedule.absences for at in (a.starts_at, a.ends_at))
    return sorted(at for at in found if start < at < end)


def shifts(schedule: Schedule, start: datetime, end: datetime) -> tuple[Shift, ...]:
    """The duties of [start, end) without a hole and without an overlap; neighbours of one duty are one shift.

    start, end: aware; the first shift begins at `start` and the last ends at `end`, whatever lies outside.
    """
    if end <= start:
        return ()
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    marks = [start, *cuts(schedule, start, end), end]
    found: list[Shift] = []
    for begins, ends in pairwise(marks):
        duty = who(schedule, begins)
        if found and found[-1].duty == duty and not _handed_over(schedule, duty, begins):
            found[-1] = replace(found[-1], ends_at=ends)
        else:
            found.append(Shift(begins, ends, duty))
    return tuple(found)


def _handed_over(schedule: Schedule, duty: Duty, at: datetime) -> bool:
    """Is this the start of a new turn of the duty's own layer? A rotation of one person still changes turns."""
    for layer in schedule.layers:
        if layer.name == duty.layer and len(layer.people) > 1 and duty.why == "rotation":
            return _turn_start(layer, turn_at(layer, at)) == at
    return False


def gaps(schedule: Schedule, start: datetime, end: datetime) -> tuple[Shift, ...]:
    """When nobody is on call in [start, end)."""
    return tuple(s for s in shifts(schedule, start, end) if s.duty.user_id is None)


def now_and_next(schedule: Schedule, at: datetime, ahead: timedelta = LOOK_AHEAD) -> NowNext:
    """Who is on call now, and who comes next: the next shift of somebody else within `ahead`."""
    found = shifts(schedule, at, at + ahead)
    first = found[0]
    index = next((i for i, s in enumerate(found) if s.duty.user_id != first.duty.user_id), None)
    now = replace(first, ends_at=found[-1].ends_at if index is None else found[index].starts_at)
    following = next((s for s in found[index:] if s.duty.user_id is not None), None) if index is not None else None
    return NowNext(now, following)


def month(schedule: Schedule, first: date, zone: ZoneInfo) -> tuple[tuple[date, tuple[Shift, ...]], ...]:
    """Six weeks from the Monday on or before `first`: each day of the zone's wall with its shifts, cut at midnight."""
    begin = first - DAY * first.weekday()
    days = [begin + DAY * n for n in range(6 * WEEK + 1)]
    edges = [instant(day, time(0), zone) for day in days]
    whole = shifts(schedule, edges[0], edges[-1])
    starts = [s.starts_at for s in whole]
    found = []
    for day, opens, closes in zip(days, edges, edges[1:], strict=False):
        of_day = []
        for s in whole[max(0, bisect_right(starts, opens) - 1) :]:
            if s.starts_at >= closes:
                break
            if s.ends_at > opens:
                of_day.append(Shift(max(s.starts_at, opens), min(s.ends_at, closes), s.duty))
        found.append((day, tuple(of_day)))
    return tuple(found)


def swap(schedule: Schedule, one: Shift, other: Shift) -> tuple[Override, Override]:
    """Two people change shifts: the overrides that make it so. Raises ValueError when there is nothing to change."""
    a, b = one.duty.user_id, other.duty.user_id
    if a is None or b is None or a == b:
        raise ValueError("A swap needs two shifts of two people.")
    return Override(b, one.starts_at, one.ends_at), Override(a, other.starts_at, other.ends_at)

"""A layer of a schedule as people write it, read into `domain.oncall.Layer`: one grammar for page, API and CLI.

hand_over  "09:00" (daily) · "mon 09:00" (weekly) · "mon 09:00, fri 17:00" (custom)
restrict   "mon-fri 08:00-18:00; sat 10:00-12:00" · "22:00-06:00" (every day, over midnight) · "" (always)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from servicedesk.domain.oncall import DAYS, ROTATIONS, Layer, Mark, Window
from servicedesk.errors import BadInput

MOST_LAYERS, MOST_PEOPLE, MOST_MARKS = 10, 100, 14
CLOSEST = timedelta(
    hours=4
)  # between two hand-overs: more than any change of the clocks, so that turns keep their order
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_SPAN = re.compile(rf"(?:(?P<days>[a-z, -]+?)\s+)?(?P<from>{_TIME.pattern})\s*-\s*(?P<to>{_TIME.pattern}|24:00)")


class LayerForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A layer as it is stored. people: user ids in the order of turns; start: ISO date; timezone "": the schedule's."""

    name: str
    people: tuple[int, ...]
    rotation: str = "weekly"
    hand_over: str = "mon 09:00"
    every: int = 1
    start: str = ""
    timezone: str = ""
    restrict: str = ""


def check_zone(name: str, field: str = "timezone") -> str:
    """A name of the time zone database, e.g. Europe/Paris. Raises BadInput."""
    try:
        if not name or name.startswith(("/", ".")):
            raise ValueError
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInput({field: f"{name!r} is no time zone; write it like Europe/Paris."}) from error
    return name


def read_layer(form: LayerForm, timezone: str, where: str = "") -> Layer:
    """The layer that this form says. where: goes before the names of fields in a complaint. Raises BadInput."""
    wrong: dict[str, str] = {}
    if form.rotation not in ROTATIONS:
        wrong["rotation"] = f"One of {', '.join(ROTATIONS)}."
    if not 1 <= form.every <= 52:
        wrong["every"] = "A number from 1 to 52."
    if not form.name.strip() or len(form.name) > 60:
        wrong["name"] = "A name of at most 60 characters."
    if not 1 <= len(form.people) <= MOST_PEOPLE:
        wrong["people"] = f"At least one and at most {MOST_PEOPLE} people."
    if wrong:
        raise BadInput({where + name: text for name, text in wrong.items()})
    zone = check_zone(form.timezone or timezone, where + "timezone")
    marks = read_marks(form.hand_over, form.rotation, where + "hand_over")
    if len(marks) > 1 and form.every != 1:
        raise BadInput({where + "every": "Several hand-overs a week come every week: write 1."})
    windows = read_windows(form.restrict, where + "restrict")
    start = _date(form.start, where + "start")
    return Layer(form.name.strip(), form.people, form.rotation, marks, zone, form.every, start, windows)


def read_layers(forms: Sequence[LayerForm], timezone: str) -> tuple[Layer, ...]:
    """All layers of a schedule, each with a name of its own. Raises BadInput with `layer 2: …`."""
    if not 1 <= len(forms) <= MOST_LAYERS:
        raise BadInput({"layers": f"At least one and at most {MOST_LAYERS} layers."})
    names = [form.name.strip().casefold() for form in forms]
    if len(set(names)) < len(names):
        raise BadInput({"layers": "Each layer needs a name of its own."})
    return tuple(read_layer(form, timezone, f"layer_{n}_") for n, form in enumerate(forms, 1))


def _date(text: str, field: str) -> date:
    try:
        found = date.fromisoformat(text.strip()) if text.strip() else date(2020, 1, 6)
    except ValueError as error:
        raise BadInput({field: "A date like 2026-11-02."}) from error
    if not 2000 <= found.year <= 2200:
        raise BadInput({field: "A date from 2000 to 2200."})
    return found


def read_marks(text: str, rotation: str, field: str = "hand_over") -> tuple[Mark, ...]:
    """`mon 09:00, fri 17:00`. Raises BadInput where the rotation needs something else."""
    parts = [part.strip().lower() for part in text.split(",") if part.strip()]
    marks = tuple(_mark(part, field) for part in parts)
    if rotation == "daily" and not (len(marks) == 1 and marks[0].weekday is None):
        raise BadInput({field: "Daily: one time of the day, like 09:00."})
    if rotation == "weekly" and not (len(marks) == 1 and marks[0].weekday is not None):
        raise BadInput({field: "Weekly: one day and time, like mon 09:00."})
    if rotation == "custom":
        _check_custom(marks, field)
    return marks


def _check_custom(marks: tuple[Mark, ...], field: str) -> None:
    if not 2 <= len(marks) <= MOST_MARKS or any(m.weekday is None for m in marks):
        raise BadInput({field: "Custom: two or more days and times a week, like mon 09:00, fri 17:00."})
    at = sorted(timedelta(days=m.weekday or 0, hours=m.at.hour, minutes=m.at.minute) for m in marks)
    if any(b - a < CLOSEST for a, b in zip(at, [*at[1:], at[0] + timedelta(days=7)], strict=True)):
        raise BadInput({field: "Hand-overs need at least four hours between them."})


def _mark(text: str, field: str) -> Mark:
    words = text.split()
    if len(words) == 1 and _TIME.fullmatch(words[0]):
        return Mark(None, _time(words[0]))
    if len(words) == 2 and words[0][:3] in DAYS and _TIME.fullmatch(words[1]):
        return Mark(DAYS.index(words[0][:3]), _time(words[1]))
    raise BadInput({field: f"{text!r} is no time; write mon 09:00, or 09:00."})


def _time(text: str) -> time:
    hour, minute = text.split(":")
    return time(int(hour), int(minute))


def read_windows(text: str, field: str = "restrict") -> tuple[Window, ...]:
    """`mon-fri 08:00-18:00; sat 10:00-12:00`; "" is no restriction. Raises BadInput."""
    found = []
    for part in (p.strip().lower() for p in text.split(";")):
        if part:
            found.append(_window(part, field))
    return tuple(found)


def _window(text: str, field: str) -> Window:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise BadInput({field: f"{text!r} is no time; write mon-fri 08:00-18:00."})
    ends = time(0) if match["to"] == "24:00" else _time(match["to"])
    return Window(_weekdays(match["days"] or "mon-sun", field), _time(match["from"]), ends)


def _weekdays(text: str, field: str) -> tuple[int, ...]:
    found: set[int] = set()
    for part in (p.strip() for p in text.split(",") if p.strip()):
        first, _, last = (word.strip()[:3] for word in part.partition("-"))
        if first not in DAYS or (last and last not in DAYS):
            raise BadInput({field: f"{part!r} is no day; write mon, tue, wed, thu, fri, sat, sun."})
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found.update(n % 7 for n in range(begin, end + 1 if end >= begin else end + 8))
    return tuple(sorted(found))


def inside(windows: Sequence[Window], weekday: int, at: time) -> bool:
    """Is this time of the wall inside one of the windows? None at all: always."""
    if not windows:
        return True
    return any(_holds(w, weekday, at) for w in windows)


def _holds(w: Window, weekday: int, at: time) -> bool:
    if w.ends > w.begins:
        return weekday in w.weekdays and w.begins <= at < w.ends
    return (weekday in w.weekdays and at >= w.begins) or ((weekday - 1) % 7 in w.weekdays and at < w.ends)


def names_of(people: Sequence[int], names: Mapping[int, str]) -> tuple[str, ...]:
    return tuple(names.get(i, f"#{i}") for i in people)

"""What the types of the policy alone do not say: rules that tie its keys together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from servicedesk.domain.flapping import LONGEST
from servicedesk.domain.incident import CANCEL_REASONS, HOLD_REASONS, RESOLUTION_CODES, STATES, TYPES
from servicedesk.domain.policy import PRIORITIES, Calendar, Flapping, Policy, Silence


def problems(policy: Policy) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What the types alone do not say: (keys of the value, sentence that says what to do)."""
    yield from _needed(policy)
    yield from _matrix(policy.priority.matrix)
    yield from _words(policy)
    yield from _flapping(policy.alerts.flapping)
    yield from _ladder(policy.ageing.silence)
    yield from _calendar(policy.calendar)


def _needed(policy: Policy) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Entries that the rules speak of by name, or look up for every priority, must be there."""
    by_priority: tuple[tuple[tuple[str | int, ...], Mapping[Any, Any]], ...] = (
        (("priority", "names"), policy.priority.names),
        (("alerts", "quiet_window"), policy.alerts.quiet_window),
        (("ageing", "unassigned"), policy.ageing.unassigned),
        (("review", "depth", "by_priority"), policy.review.depth.by_priority),
        (("review", "depth", "self_recovered"), policy.review.depth.self_recovered),
        *((("review", "due", depth), due) for depth, due in policy.review.due.items()),
    )
    for keys, mapping in by_priority:
        yield from _missing(keys, mapping, PRIORITIES)
    yield from _missing(("review", "due"), policy.review.due, ("micro", "lite", "full"))
    yield from _missing(("review", "depth", "by_type"), policy.review.depth.by_type, ("request", "question"))
    yield from _missing(("types",), policy.types, TYPES)
    yield from _missing(("states",), policy.states, (*STATES, "answered", "postponed"))
    yield from _missing(("resolution_codes",), policy.resolution_codes, RESOLUTION_CODES)
    yield from _missing(("hold_reasons",), policy.hold_reasons, HOLD_REASONS)
    yield from _missing(("cancellation_reasons",), policy.cancellation_reasons, CANCEL_REASONS)
    for name in ("categories", "cause_classes"):
        if not getattr(policy, name):
            yield (name,), "is empty: keep at least one entry"


def _missing(
    keys: tuple[str | int, ...], mapping: Mapping[Any, Any], needed: tuple[Any, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if absent := [str(key) for key in needed if key not in mapping]:
        yield keys, f"{', '.join(absent)} must be here, because rules speak of it: add it (or do not take it away)"


def _matrix(matrix: tuple[tuple[int, int, int], ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for i in range(3):
        for j in range(3):
            if (i and matrix[i][j] < matrix[i - 1][j]) or (j and matrix[i][j] < matrix[i][j - 1]):
                yield (
                    ("priority", "matrix", i, j),
                    "less impact or urgency gives a higher priority here: rows are impact, columns urgency, 1 is high",
                )


def _words(policy: Policy) -> Iterator[tuple[tuple[str | int, ...], str]]:
    table = policy.priority.severities
    for word in table:
        if word != word.strip().lower():
            yield ("priority", "severities", word), "severity words are compared in lower case: write it so"
    if policy.priority.default_severity not in table:
        yield ("priority", "default_severity"), f"is not in the table of severities: use one of {', '.join(table)}"
    if policy.alerts.category not in policy.categories:
        yield ("alerts", "category"), f"is not a category: use one of {', '.join(policy.categories)}"


def _flapping(limits: Flapping) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for name, value in (("window", limits.window), ("calm", limits.calm)):
        if not timedelta(minutes=1) <= value <= LONGEST:
            yield ("alerts", "flapping", name), "must be one minute to 12 hours"


def _ladder(silence: Silence) -> Iterator[tuple[tuple[str | int, ...], str]]:
    rungs = [*silence.reminders, silence.tell_lead, silence.confirm]
    if [r.count for r in rungs] != sorted(r.count for r in rungs) or len({r.business for r in rungs}) > 1:
        yield (
            ("ageing", "silence"),
            "reminders, tell_lead and confirm must follow each other in time and count the same kind of days",
        )


_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00")


def _calendar(calendar: Calendar) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if not _is_zone(calendar.timezone):
        yield ("calendar", "timezone"), f"{calendar.timezone!r} is not a time zone: write one like Europe/Paris"
    for name, text in (("opens", calendar.opens), ("closes", calendar.closes)):
        if not _TIME.fullmatch(text):
            yield ("calendar", name), f"{text!r} is not a time of day: write one like 09:00"
    if calendar.closes <= calendar.opens:
        yield ("calendar", "closes"), "must be later than opens"
    if not calendar.workdays:
        yield ("calendar", "workdays"), "is empty: business days would never come; name at least one"
    for i, day in enumerate(calendar.holidays):
        if not _is_date(day):
            yield ("calendar", "holidays", i), f"{day!r} is not a date: write one like 2026-12-25"


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_zone(name: str) -> bool:
    try:
        return bool(ZoneInfo(name).key)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a name that is a folder, such as "Europe"
        return False

"""Maintenance windows and suppressions: when they hold, for which alerts, and until when they hold an alert back. Pure.

A window is never changed, only ended early: what it held back stays a function of when an alert began and ended. An
episode that began under a window needs no ticket unless it lasts longer than the window, or those that follow on it.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from servicedesk.domain.matchers import Matcher, match_all
from servicedesk.domain.priority import service_of

KINDS = ("maintenance", "suppression")
MAX_MINUTES = 366 * 24 * 60
MAX_TIMES = 10_000  # of a window that ends some day
CHAIN = 1_000  # windows that follow on each other
COMPARED = 60  # times of a window that are compared with their next ones
CHANGE = timedelta(hours=3)  # more than clocks are ever put forward or back
AHEAD = timedelta(days=1)  # an alert that says it begins later than this is not held back
FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY")
_PARTS = frozenset(("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYSETPOS", "BYHOUR", "BYMINUTE")) | frozenset(
    ("BYDAY", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO")
)
_UNTIL = re.compile(r"(?<=UNTIL=)(\d{8})(?:T(\d{6})(Z?))?")


@dataclass(frozen=True, slots=True)
class Window:
    """One window. service, source: "" for any; starts_at: of the first time; minutes: of each; over_at: of the last
    one's end, None: it recurs for ever; cancelled_at: it holds nothing from then on."""

    id: int
    kind: str
    title: str
    service: str
    matchers: tuple[Matcher, ...]
    source: str
    starts_at: datetime
    minutes: int
    recurrence: str
    timezone: str
    over_at: datetime | None = None
    cancelled_at: datetime | None = None

    def fits(self, source: str, labels: Mapping[str, str]) -> bool:
        """Is an alert with these labels one that it is for?"""
        if self.source and self.source != source:
            return False
        if self.service and self.service != service_of(labels):
            return False
        return match_all(self.matchers, labels)

    def end_at(self, at: datetime) -> datetime | None:
        """The end of the time that holds at this instant; None: none does."""
        found = next((end for start, end in self._near(at) if start <= at < end), None)
        if found is None or self.cancelled_at is None:
            return found
        return None if self.cancelled_at <= at else min(found, self.cancelled_at)

    def times(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Its times that touch this span, in order."""
        length = timedelta(minutes=self.minutes)
        for start in _starts(self, since - length, until):
            end = start + length if self.cancelled_at is None else min(start + length, self.cancelled_at)
            if start < until and end > since and start < end:
                yield start, end

    def _near(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        length = timedelta(minutes=self.minutes)
        for start in _starts(self, at - length, at):
            yield start, start + length


@dataclass(frozen=True, slots=True)
class Hold:
    """An alert is held back until then. window: the one that holds it longest."""

    until: datetime
    window: Window

    @property
    def reason(self) -> str:
        kind = "Maintenance" if self.window.kind == "maintenance" else "Suppression"
        return f"{kind} “{self.window.title}”: it is judged again at {self.until:%Y-%m-%d %H:%M} UTC."


def hold(windows: Iterable[Window], start: datetime) -> Hold | None:
    """How long windows that fit an alert hold back what began at this instant: those that follow on each other add
    up. None: no window held when it began."""
    fitting = list(windows)
    found: Hold | None = None
    at = start
    for _ in range(CHAIN):
        ends = [(end, w.id, w) for w in fitting if (end := w.end_at(at)) is not None]
        if not ends:
            break
        until, _, window = max(ends, key=lambda e: e[:2])
        found, at = Hold(until, window), until
    return found


# --- recurrence (RFC 5545) ------------------------------------------------------------------------------------------


class _Series:
    """The times of one rule, worked out as far as somebody asked; naive, in the window's own time zone."""

    def __init__(self, recurrence: str, start: datetime) -> None:
        self._mutex = threading.Lock()
        self._rest: Iterator[datetime] = iter(_parsed(recurrence, start)) if recurrence else iter([start])
        self._known: list[datetime] = []
        self._next: datetime | None = next(self._rest, None)

    def upto(self, local: datetime) -> Sequence[datetime]:
        with self._mutex:
            while self._next is not None and self._next <= local:
                self._known.append(self._next)
                self._next = next(self._rest, None)
            return self._known

    def all(self, most: int) -> list[datetime]:
        """At most so many; one more tells that there are more."""
        with self._mutex:
            while self._next is not None and len(self._known) <= most:
                self._known.append(self._next)
                self._next = next(self._rest, None)
            return self._known[: most + 1]


@lru_cache(maxsize=512)
def _series(recurrence: str, start: datetime) -> _Series:
    return _Series(recurrence, start)


def _starts(w: Window, since: datetime, upto: datetime) -> list[datetime]:
    """Its times that begin in this span, and a little around it: the clocks may have changed."""
    zone = ZoneInfo(w.timezone)
    series = _series(_local_until(w.recurrence, zone), _naive(w.starts_at, zone))
    first, last = _naive(since, zone) - CHANGE, _naive(upto, zone) + CHANGE
    known = series.upto(last)
    return [_aware(at, zone) for at in known[bisect_left(known, first) : bisect_right(known, last)]]


def _naive(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def _aware(local: datetime, zone: ZoneInfo) -> datetime:
    """A time that the clocks skip is the one before the change, one that comes twice the first (RFC 5545, 3.3.5)."""
    return local.replace(tzinfo=zone).astimezone(UTC)


def _parsed(recurrence: str, start: datetime) -> Any:
    return rrulestr(recurrence, dtstart=start)


def _local_until(recurrence: str, zone: ZoneInfo) -> str:
    """UNTIL as the series counts: without a zone, and to the end of a day that names no time."""

    def moved(found: re.Match[str]) -> str:
        day, clock, utc = found.groups()
        if clock is None:
            return f"{day}T235959"
        at = datetime.strptime(f"{day}{clock}", "%Y%m%d%H%M%S")  # noqa: DTZ007 - the zone is told apart
        return (_naive(at.replace(tzinfo=UTC), zone) if utc else at).strftime("%Y%m%dT%H%M%S")

    return _UNTIL.sub(moved, recurrence)


def rule_problem(recurrence: str, starts_at: datetime, minutes: int, timezone: str) -> str:
    """What is wrong with a recurrence, as a sentence; "" when it is well."""
    parts = dict(part.partition("=")[::2] for part in recurrence.split(";"))
    if unknown := sorted(parts.keys() - _PARTS):
        return f"{', '.join(unknown)[:100]}: not known here; write an RRULE such as FREQ=WEEKLY;BYDAY=SU"
    if parts.get("FREQ") not in FREQUENCIES:
        return f"FREQ must be one of {', '.join(FREQUENCIES)}"
    zone = ZoneInfo(timezone)
    try:
        series = _Series(_local_until(recurrence, zone), _naive(starts_at, zone))
        first = series.all(COMPARED)
    except (ValueError, OverflowError, TypeError, KeyError) as error:
        return f"it cannot be read: {str(error)[:200]}"
    if not first:
        return "it never happens"
    length = timedelta(minutes=minutes)
    starts = [_aware(at, zone) for at in first]
    if any(later - earlier <= length for earlier, later in pairwise(starts)):
        return "each time must end before the next one begins: shorten it, or plan one that does not recur"
    if ("COUNT" in parts or "UNTIL" in parts) and len(series.all(MAX_TIMES)) > MAX_TIMES:
        return f"it happens more than {MAX_TIMES:,} times: leave COUNT and UNTIL away"
    return ""


def last_end(recurrence: str, starts_at: datetime, minutes: int, timezone: str) -> datetime | None:
    """The end of the last time; None: it recurs for ever."""
    zone, length = ZoneInfo(timezone), timedelta(minutes=minutes)
    if not recurrence:
        return starts_at + length
    if not ("COUNT=" in recurrence or "UNTIL=" in recurrence):
        return None
    times = _Series(_local_until(recurrence, zone), _naive(starts_at, zone)).all(MAX_TIMES)
    return _aware(times[-1], zone) + length

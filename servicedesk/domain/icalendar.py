"""Calendars (RFC 5545): shifts out as a feed, overrides in from a file. Pure.

Out: folded at 75 octets, text escaped, times with TZID and a VTIMEZONE that holds every change of the clocks in the
feed's period, CRLF. In: VEVENTs with DTSTART and DTEND or DURATION, UTC, TZID or floating; a repeating entry is refused
by name, because an override is one span.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from servicedesk.domain.oncall import instant
from servicedesk.errors import BadInput

MOST_ENTRIES, MOST_BYTES = 1000, 1_000_000
_ESCAPED = {"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"}
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_DURATION = re.compile(r"\+?P(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?")


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of a feed. uid: the same for the same shift at every fetch."""

    uid: str
    starts_at: datetime
    ends_at: datetime
    summary: str
    description: str = ""
    attendee: str = ""  # mail address
    attendee_name: str = ""


# --- out -------------------------------------------------------------------------------------------------------------


def calendar(name: str, timezone: str, entries: Sequence[Entry], now: datetime) -> str:
    """The whole feed. timezone: a name of the time zone database."""
    zone = ZoneInfo(timezone)
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Service desk//On call//EN", "CALSCALE:GREGORIAN"]
    lines += ["METHOD:PUBLISH", f"NAME:{escape(name)}", f"X-WR-CALNAME:{escape(name)}", f"X-WR-TIMEZONE:{timezone}"]
    lines += ["REFRESH-INTERVAL;VALUE=DURATION:PT1H", "X-PUBLISHED-TTL:PT1H"]
    if entries and timezone != "UTC":
        first, last = min(e.starts_at for e in entries), max(e.ends_at for e in entries)
        lines += _timezone(timezone, zone, first, last)
    for entry in entries:
        lines += _event(entry, timezone, zone, now)
    lines.append("END:VCALENDAR")
    return "".join(fold(line) + "\r\n" for line in lines)


def _event(e: Entry, timezone: str, zone: ZoneInfo, now: datetime) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{escape(e.uid)}"
    yield f"DTSTAMP:{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    yield f"DTSTART{_local(e.starts_at, timezone, zone)}"
    yield f"DTEND{_local(e.ends_at, timezone, zone)}"
    yield f"SUMMARY:{escape(e.summary)}"
    if e.description:
        yield f"DESCRIPTION:{escape(e.description)}"
    if e.attendee:
        yield f'ATTENDEE;CN="{_quoted(e.attendee_name)}":mailto:{_quoted(e.attendee)}'
    yield "TRANSP:TRANSPARENT"
    yield "END:VEVENT"


def _local(at: datetime, timezone: str, zone: ZoneInfo) -> str:
    """`;TZID=Europe/Paris:20261102T090000`. The second coming of a time, which TZID cannot say, is written in UTC."""
    wall = at.astimezone(zone)
    if timezone == "UTC" or wall.fold:
        return f":{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f";TZID={timezone}:{wall:%Y%m%dT%H%M%S}"


def _timezone(timezone: str, zone: ZoneInfo, first: datetime, last: datetime) -> Iterator[str]:
    """The zone as it is in the period: one observance for the beginning and for every change."""
    yield "BEGIN:VTIMEZONE"
    yield f"TZID:{timezone}"
    begin = (first - timedelta(days=1)).astimezone(UTC).replace(microsecond=0)
    yield from _observance(zone, begin, begin)
    for at in changes(zone, begin, last + timedelta(days=1)):
        yield from _observance(zone, at, at - timedelta(seconds=1))
    yield "END:VTIMEZONE"


def _observance(zone: ZoneInfo, at: datetime, before: datetime) -> Iterator[str]:
    old, new = before.astimezone(zone), at.astimezone(zone)
    kind = "DAYLIGHT" if new.dst() else "STANDARD"
    yield f"BEGIN:{kind}"
    yield f"DTSTART:{(at + (old.utcoffset() or timedelta(0))).replace(tzinfo=None):%Y%m%dT%H%M%S}"
    yield f"TZOFFSETFROM:{_offset(old)}"
    yield f"TZOFFSETTO:{_offset(new)}"
    yield f"TZNAME:{escape(new.tzname() or 'UTC')}"
    yield f"END:{kind}"


def _offset(at: datetime) -> str:
    seconds = int((at.utcoffset() or timedelta(0)).total_seconds())
    sign, rest = ("-", -seconds) if seconds < 0 else ("+", seconds)
    return f"{sign}{rest // 3600:02d}{rest % 3600 // 60:02d}"


def changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Every instant in (start, end) at which the zone's offset changes, to the second."""
    at = start
    while at < end:
        later = min(at + timedelta(days=2), end)
        if at.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
            yield _change(zone, at, later)
        at = later


def _change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high


def escape(text: str) -> str:
    """Text as a value: no line of its own, no second property (RFC 5545, 3.3.11)."""
    clean = _CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(_ESCAPED.get(c, c) for c in clean)


def _quoted(text: str) -> str:
    """Text inside a quoted parameter, or an address: neither quotes nor lines are possible there."""
    return _CONTROL.sub(" ", text.replace("\n", " ")).replace('"', "'")


def fold(line: str) -> str:
    """A line in pieces of at most 75 octets; no character is cut (RFC 5545, 3.1)."""
    if len(line) <= 75 and len(line.encode()) <= 75:
        return line
    pieces: list[str] = []
    piece, size = "", 0
    for character in line:
        width = len(character.encode())
        if size + width > (75 if not pieces else 74):
            pieces.append(piece)
            piece, size = "", 0
        piece, size = piece + character, size + width
    return "\r\n ".join([*pieces, piece])


# --- in --------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Event:
    properties: dict[str, tuple[dict[str, str], str]] = field(default_factory=dict)
    attendees: list[tuple[dict[str, str], str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Imported:
    """An entry of a calendar. who: words that may name somebody, the most exact first (addresses, names)."""

    uid: str
    who: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    cancelled: bool = False


def read(text: str, timezone: str) -> tuple[Imported, ...]:
    """The entries of a calendar; floating times and dates are of `timezone`. Raises BadInput that names the entry."""
    if len(text) > MOST_BYTES:
        raise BadInput({"file": f"At most {MOST_BYTES} characters."})
    events, method = _events(_unfolded(text))
    if len(events) > MOST_ENTRIES:
        raise BadInput({"file": f"At most {MOST_ENTRIES} entries."})
    if not events:
        raise BadInput({"file": "There is no event in this file: it needs BEGIN:VEVENT."})
    zone = ZoneInfo(timezone)
    return tuple(_imported(e, n, zone, method == "CANCEL") for n, e in enumerate(events, 1))


def _unfolded(text: str) -> list[str]:
    lines: list[str] = []
    for line in text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line[:1] in (" ", "\t") and lines:
            lines[-1] += line[1:]
        elif line:
            lines.append(line)
    return lines


def _events(lines: Iterable[str]) -> tuple[list[_Event], str]:
    """The VEVENTs with their own properties (not those of an alarm inside), and the calendar's method."""
    events: list[_Event] = []
    inside: list[str] = []
    method = ""
    for line in lines:
        name, parameters, value = _property(line)
        if name == "BEGIN":
            inside.append(value.upper())
            if inside[-1] == "VEVENT":
                events.append(_Event())
        elif name == "END" and inside:
            inside.pop()
        elif inside and inside[-1] == "VEVENT":
            if name == "ATTENDEE":
                events[-1].attendees.append((parameters, value))
            events[-1].properties.setdefault(name, (parameters, value))
        elif name == "METHOD":
            method = value.strip().upper()
    return events, method


def _property(line: str) -> tuple[str, dict[str, str], str]:
    """NAME;PARAM="a:b";…:value – a colon inside quotes does not end the parameters."""
    quoted, cuts = False, []
    for place, character in enumerate(line):
        if character == '"':
            quoted = not quoted
        elif character in ";:" and not quoted:
            cuts.append(place)
            if character == ":":
                break
    if not cuts or line[cuts[-1]] != ":":
        return line.strip().upper(), {}, ""
    pieces = [line[a + 1 : b] for a, b in zip([-1, *cuts], cuts, strict=False)]
    pairs = (piece.partition("=") for piece in pieces[1:])
    return (
        pieces[0].strip().upper(),
        {k.strip().upper(): v.strip().strip('"') for k, _, v in pairs},
        line[cuts[-1] + 1 :],
    )


def _imported(event: _Event, n: int, zone: ZoneInfo, cancelled: bool) -> Imported:
    for repeats in ("RRULE", "RDATE"):
        if repeats in event.properties:
            raise _wrong(n, "it repeats: an override is one span, write each one")
    uid = event.properties.get("UID", ({}, ""))[1].strip()
    if not uid or len(uid) > 500:
        raise _wrong(n, "it has no UID")
    start, whole_day = _time(event, "DTSTART", n, zone)
    gone = cancelled or event.properties.get("STATUS", ({}, ""))[1].strip().upper() == "CANCELLED"
    return Imported(uid, _who(event), start, _end(event, n, zone, start, whole_day), gone)


def _end(event: _Event, n: int, zone: ZoneInfo, start: datetime, whole_day: bool) -> datetime:
    if "DTEND" in event.properties:
        return _time(event, "DTEND", n, zone)[0]
    if "DURATION" in event.properties:
        match = _DURATION.fullmatch(event.properties["DURATION"][1].strip())
        if match is None:
            raise _wrong(n, "its DURATION cannot be read")
        weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        wall = start.astimezone(zone) + timedelta(weeks=weeks, days=days)  # nominal days (RFC 5545, 3.3.6)
        return wall.astimezone(UTC) + timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if whole_day:
        return instant(start.astimezone(zone).date() + timedelta(days=1), time(0), zone)
    raise _wrong(n, "it has no end")


def _time(event: _Event, name: str, n: int, zone: ZoneInfo) -> tuple[datetime, bool]:
    """The instant, and whether it is a whole day."""
    parameters, value = event.properties.get(name, ({}, ""))
    value = value.strip()
    try:
        if re.fullmatch(r"\d{8}", value):
            return instant(date.fromisoformat(value), time(0), zone), True
        if re.fullmatch(r"\d{8}T\d{6}Z", value):
            return datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC), False
        found = datetime.strptime(value, "%Y%m%dT%H%M%S")  # noqa: DTZ007 - the zone comes from TZID
        named = parameters.get("TZID", "")
        return instant(found.date(), found.time(), ZoneInfo(named) if named else zone), False
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise _wrong(n, f"its {name} cannot be read") from error


def _who(event: _Event) -> tuple[str, ...]:
    found = [value.strip().removeprefix("mailto:").removeprefix("MAILTO:") for _p, value in event.attendees]
    found += [parameters["CN"] for parameters, _v in event.attendees if parameters.get("CN")]
    summary = unescape(event.properties.get("SUMMARY", ({}, ""))[1]).strip()
    found += [summary, re.split(r"\s[-–—@:]\s|: ", summary)[-1], re.split(r"\s[-–—@:]\s|: ", summary)[0]]
    return tuple(dict.fromkeys(word.strip().lower() for word in found if word.strip()))


def unescape(text: str) -> str:
    return re.sub(r"\\([\\;,nN])", lambda m: "\n" if m[1] in "nN" else m[1], text)


def _wrong(n: int, why: str) -> BadInput:
    return BadInput({"file": f"Entry {n}: {why}."})

"""When a message was sent: what its stamp says, completed by what the receiver knows.

RFC 3164 has neither year nor zone, many devices have a wrong clock or none. The arrival is always known; the sender's
own time is believed where it can be true.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

EARLIEST = timedelta(days=7)  # a queue on disk may hold a message for days; what is older is a wrong clock
_ZONES = {"UTC": 0, "GMT": 0, "Z": 0, "CET": 1, "CEST": 2, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7}
_ZONES |= {"MDT": -6, "PST": -8, "PDT": -7, "BST": 1, "WET": 0, "WEST": 1, "EET": 2, "EEST": 3, "MSK": 3, "JST": 9}
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}
_LEGACY = re.compile(
    r"(?:(\d{4}) )?([A-Za-z]{3}) {1,2}(\d{1,2})(?: (\d{4}))? (\d{1,2}):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?: (\d{4}))?"
)
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?")
_QUARTER, _SLACK = timedelta(minutes=15), timedelta(seconds=3)


def sent_at(stamp: str, zone: str, unset: bool, arrived: datetime, local: tzinfo) -> datetime:
    """The time to go by, aware UTC, never after the arrival. local: the zone of senders that name none.

    A stamp of whole seconds is completed by the arrival within that second, so that lines keep their order.
    """
    if not stamp or unset:
        return arrived
    try:
        told, exact, guessed = _read(stamp, zone, arrived, local)
    except (ValueError, OverflowError):
        return arrived
    if not exact:
        told = min(max(told, arrived), told + timedelta(microseconds=999_999))
    early = arrived - told
    if early < timedelta(0) or early > EARLIEST or (guessed and _is_another_zone(early)):
        return arrived
    return told


def told_at(stamp: str, zone: str, arrived: datetime, local: tzinfo) -> datetime | None:
    """What the sender's clock said, aware UTC, true or not; None when it cannot be read."""
    try:
        return _read(stamp, zone, arrived, local)[0] if stamp else None
    except (ValueError, OverflowError):
        return None


def _is_another_zone(early: timedelta) -> bool:
    """Late by whole quarters of an hour, on the second: that is an unknown zone rather than a queue."""
    return early > _QUARTER - _SLACK and (early + _SLACK) % _QUARTER <= 2 * _SLACK


def _read(stamp: str, zone: str, arrived: datetime, local: tzinfo) -> tuple[datetime, bool, bool]:
    """(aware UTC, has it a fraction of the second, was its zone guessed). Raises ValueError."""
    iso = _ISO.fullmatch(stamp)
    if iso is not None:
        day, clock, fraction, offset = iso.groups()
        at = datetime.fromisoformat(f"{day}T{clock}{offset or ''}") + _fraction(fraction)
        guessed = at.tzinfo is None and zone not in _ZONES
        return _to_utc(at, zone, local), fraction is not None, guessed
    found = _LEGACY.fullmatch(stamp)
    if found is None:
        raise ValueError(stamp)
    year1, month, day, year2, hour, minute, second, fraction, year3 = found.groups()
    year = year1 or year2 or year3
    parts = (_month(month), int(day), int(hour), int(minute), int(second))
    here = arrived.astimezone(local)
    if year:
        at = datetime(int(year), *parts)  # noqa: DTZ001 - the zone follows
    else:
        near = [t for n in (0, -1, 1) if (t := _of_year(here.year + n, parts)) is not None]
        at = min(near, key=lambda t: abs(t - here.replace(tzinfo=None)))  # none: ValueError
    return _to_utc(at + _fraction(fraction), zone, local), fraction is not None, zone not in _ZONES


def _month(name: str) -> int:
    try:
        return _MONTHS[name.lower()]
    except KeyError as error:
        raise ValueError(name) from error


def _of_year(year: int, parts: tuple[int, int, int, int, int]) -> datetime | None:
    try:
        return datetime(year, *parts)  # noqa: DTZ001
    except ValueError:  # 29 February
        return None


def _fraction(digits: str | None) -> timedelta:
    return timedelta(microseconds=int(digits[:6].ljust(6, "0"))) if digits else timedelta(0)


def _to_utc(at: datetime, zone: str, local: tzinfo) -> datetime:
    if at.tzinfo is not None:
        return at.astimezone(UTC)
    if zone in _ZONES:
        return at.replace(tzinfo=UTC) - timedelta(hours=_ZONES[zone])
    return at.replace(tzinfo=local).astimezone(UTC)

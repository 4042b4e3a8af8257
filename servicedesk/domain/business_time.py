"""Days by the policy's calendar: pure, and exact across changes of the clocks.

A day is counted on the wall of the calendar's zone, never as 24 hours: 3 days after Friday 17:00 is Monday 17:00, also
when the clocks change in between.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from servicedesk.domain.policy import Calendar, Days

_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = timedelta(days=1)


def is_business_day(calendar: Calendar, day: date) -> bool:
    """Is this day (in the calendar's zone) a working day and no holiday?"""
    return _NAMES[day.weekday()] in calendar.workdays and day.isoformat() not in calendar.holidays


def add_days(calendar: Calendar, start: datetime, days: Days) -> datetime:
    """`days` after `start` (aware), at the same time of the day on the calendar's wall; answers aware UTC.

    Business days: the day of `start` is day 0 whatever it is, then only business days count; so 1 business day after
    Friday, Saturday and Sunday is Monday. 0 days is `start` itself. A time that the clocks skip is taken by the offset
    before the change (02:30 becomes 03:30); of one that comes twice the first coming is meant.
    """
    if days.count == 0:
        return start.astimezone(UTC)
    zone = ZoneInfo(calendar.timezone)
    wall = start.astimezone(zone)
    day = _after(calendar, wall.date(), days.count) if days.business else wall.date() + _DAY * days.count
    return _instant(day, wall.time(), zone)


def business_hours(calendar: Calendar, day: date) -> tuple[datetime, datetime] | None:
    """When the calendar opens and closes on this day (aware UTC); None where it is no business day."""
    if not is_business_day(calendar, day):
        return None
    zone = ZoneInfo(calendar.timezone)
    opens = _instant(day, time.fromisoformat(calendar.opens), zone)
    if calendar.closes == "24:00":
        return opens, _instant(day + _DAY, time(0), zone)
    return opens, _instant(day, time.fromisoformat(calendar.closes), zone)


def _after(calendar: Calendar, day: date, count: int) -> date:
    while count:
        day += _DAY
        count -= is_business_day(calendar, day)
    return day


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at.replace(fold=0), zone).astimezone(UTC)

"""What one person chose: working hours, quiet hours, which channel when, skills, how much a day. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from servicedesk.domain.oncall import DAY, Window, instant, zone_of
from servicedesk.domain.rota import check_zone, inside, read_windows
from servicedesk.errors import BadInput

Priority = Annotated[int, msgspec.Meta(ge=1, le=5)]
MOST_RULES, MOST_SKILLS = 20, 50
LONGEST = 24 * 60  # minutes


class ChannelRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """channel: name of a personal channel; after: minutes after the page; priorities: () for all."""

    channel: str
    after: int = 0
    priorities: tuple[Priority, ...] = ()


class PersonRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """timezone "": the policy's calendar; working_hours, quiet_hours as `rota` writes windows ("": always, never).

    breaks_through: priorities that wake even in the quiet hours; channels (): every personal channel, at once;
    skills: categories, service names or tags; cap: automatic assignments a day (None: the policy's).
    """

    timezone: str = ""
    working_hours: str = ""
    quiet_hours: str = ""
    breaks_through: tuple[Priority, ...] = (1, 2)
    channels: tuple[ChannelRule, ...] = ()
    skills: tuple[str, ...] = ()
    cap: int | None = None


def check(rules: PersonRules, channels: Sequence[str]) -> PersonRules:
    """Raises BadInput naming every wrong field. channels: the personal ones that exist."""
    wrong: dict[str, str] = {}
    for field, read in (("timezone", _zone), ("working_hours", read_windows), ("quiet_hours", read_windows)):
        try:
            read(getattr(rules, field), field)
        except BadInput as error:
            wrong |= error.fields
    unknown = sorted({r.channel for r in rules.channels} - set(channels))
    if unknown or len(rules.channels) > MOST_RULES:
        wrong["channels"] = f"{', '.join(unknown) or 'Too many'}: use {', '.join(channels)}."
    if any(not 0 <= r.after <= LONGEST for r in rules.channels):
        wrong["channels"] = f"Minutes from 0 to {LONGEST}."
    if len(rules.skills) > MOST_SKILLS or any(not s.strip() or len(s) > 100 for s in rules.skills):
        wrong["skills"] = f"At most {MOST_SKILLS} words of at most 100 characters."
    if rules.cap is not None and not 0 <= rules.cap <= 1000:
        wrong["cap"] = "A number from 0 to 1000."
    if wrong:
        raise BadInput(wrong)
    return rules


def _zone(name: str, field: str) -> str:
    return check_zone(name, field) if name else name


def within(text: str, timezone: str, at: datetime) -> bool:
    """Is this instant inside the windows of this text on the zone's wall? Without any: never."""
    windows = read_windows(text)
    local = at.astimezone(zone_of(timezone))
    return bool(windows) and inside(windows, local.weekday(), local.time())


def works_at(rules: PersonRules, timezone: str, at: datetime) -> bool:
    """Is it inside this person's working hours? Without any: always."""
    return not rules.working_hours or within(rules.working_hours, rules.timezone or timezone, at)


def quiet_until(text: str, timezone: str, at: datetime) -> datetime | None:
    """When the quiet hours that hold this instant are over; None when it is not quiet. Windows that touch are one.

    Hours without any end are taken as over after two weeks.
    """
    windows, end = read_windows(text), at
    for _ in range(32):
        ends = _end(windows, timezone, end)
        if ends is None or ends <= end:
            break
        end = ends
    return None if end == at else end


def _end(windows: Sequence[Window], timezone: str, at: datetime) -> datetime | None:
    """The latest end of the windows that hold this instant."""
    zone = zone_of(timezone)
    today = at.astimezone(zone).date()
    found = []
    for day in (today - DAY, today):
        for w in windows:
            if day.weekday() in w.weekdays:
                ends = instant(day if w.ends > w.begins else day + DAY, w.ends, zone)
                if instant(day, w.begins, zone) <= at < ends:
                    found.append(ends)
    return max(found, default=None)


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def utc(at: datetime) -> datetime:
    return at.astimezone(UTC)

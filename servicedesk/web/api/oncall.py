"""On-call schedules: written, asked who is on call, overridden, swapped; calendars in and out; absences."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from flask import Blueprint, Response, request

from servicedesk.domain import icalendar
from servicedesk.domain.icalendar import Entry
from servicedesk.errors import BadInput, NotFound
from servicedesk.services import absences, schedules
from servicedesk.services.schedules import LayerIn
from servicedesk.services.shared import identity
from servicedesk.store.views import oncall as look
from servicedesk.store.views.paging import Page
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.route import PUBLIC, STAFF, Answer, route

bp = Blueprint("api_oncall", __name__, url_prefix="/api/v1")
feeds = Blueprint("calendar_feeds", __name__)
CALENDAR = "text/calendar"
LONGEST = timedelta(days=400)


class ScheduleIn(msgspec.Struct, frozen=True):
    """layers: the last one that counts at an instant wins. team: "" for none; version: of the one that was changed."""

    layers: tuple[LayerIn, ...]
    timezone: str
    team: str = ""
    name: str = ""
    version: int | None = None


class OverrideIn(msgspec.Struct, frozen=True):
    """user: sign-in name; times with their offset."""

    user: str
    starts_at: datetime
    ends_at: datetime
    reason: str = ""


class SwapIn(msgspec.Struct, frozen=True):
    """Any instant of each of the two shifts."""

    one: datetime
    other: datetime


class AbsenceIn(msgspec.Struct, frozen=True):
    """user "": who asks; keep_tickets: open tickets stay with who is absent, else deputy or queue take them."""

    starts_at: datetime
    ends_at: datetime
    user: str = ""
    deputy: str = ""
    reason: str = ""
    keep_tickets: bool = False


class AtQuery(msgspec.Struct, frozen=True):
    """at: RFC 3339; absent: now."""

    at: datetime | None = None


class SpanQuery(msgspec.Struct, frozen=True):
    """since: RFC 3339, absent: now; until: absent: four weeks later."""

    since: datetime | None = None
    until: datetime | None = None


class Made(msgspec.Struct, frozen=True):
    id: int


class Swapped(msgspec.Struct, frozen=True):
    """The two overrides that make the swap."""

    ids: tuple[int, int]


class FeedOut(msgspec.Struct, frozen=True):
    """The address of the calendar; shown once."""

    url: str


class ImportOut(msgspec.Struct, frozen=True):
    added: int
    changed: int
    cancelled: int
    same: int


@route(bp, "GET", "/on-call", scope="read", role=STAFF, query=AtQuery, answer=Page[look.Cover])
def on_call(query: AtQuery) -> Page[look.Cover]:
    """Say who is on call now and next, by service and by team."""
    with desk().read() as tx:
        return Page(look.cover(tx, _aware(query.at, "at")))


@route(bp, "GET", "/schedules", scope="read", role=STAFF, query=AtQuery, answer=Page[look.Schedule])
def list_schedules(query: AtQuery) -> Page[look.Schedule]:
    """List schedules with who is on call now and next, by name."""
    with desk().read() as tx:
        return Page(look.schedules(tx, _aware(query.at, "at")))


@route(bp, "GET", "/schedules/<name>", scope="read", role=STAFF, query=AtQuery, answer=look.Schedule)
def show_schedule(name: str, query: AtQuery) -> look.Schedule:
    """Show a schedule with who is on call now and next."""
    return _schedule(name, _aware(query.at, "at"))


@route(bp, "PUT", "/schedules/<name>", scope="work", body=ScheduleIn, answer=look.Schedule)
def put_schedule(name: str, body: ScheduleIn) -> look.Schedule:
    """Write a schedule, new or changed (a lead's act)."""
    schedules.save(desk(), auth.current_actor(), name, body.layers, body.timezone, body.team, body.name, body.version)
    return _schedule(body.name or name)


@route(bp, "DELETE", "/schedules/<name>", scope="work")
def drop_schedule(name: str) -> Answer:
    """Delete a schedule that no escalation policy names (a lead's act)."""
    schedules.drop(desk(), auth.current_actor(), name)
    return Answer()


@route(bp, "GET", "/schedules/<name>/shifts", scope="read", role=STAFF, query=SpanQuery, answer=Page[look.Duty])
def list_shifts(name: str, query: SpanQuery) -> Page[look.Duty]:
    """List the shifts of a period, without a hole; person "" where nobody is on call."""
    _schedule(name)
    since = _aware(query.since, "since") or desk().now()
    until = _aware(query.until, "until") or since + timedelta(days=28)
    if until - since > LONGEST:
        raise BadInput({"until": f"At most {LONGEST.days} days."})
    with desk().read() as tx:
        return Page(look.shifts(tx, name, since, until))


@route(bp, "GET", "/schedules/<name>/overrides", scope="read", role=STAFF, answer=Page[look.Override])
def list_overrides(name: str) -> Page[look.Override]:
    """List present and coming overrides."""
    _schedule(name)
    with desk().read() as tx:
        return Page(look.overrides(tx, name))


@route(bp, "POST", "/schedules/<name>/overrides", scope="work", body=OverrideIn, answer=Made, status=201, once=True)
def add_override(name: str, body: OverrideIn) -> Answer:
    """Put somebody else on call for a while."""
    actor = auth.current_actor()
    made = schedules.add_override(desk(), actor, name, body.user, body.starts_at, body.ends_at, body.reason)
    return Answer(Made(made), 201)


@route(bp, "DELETE", "/schedules/<name>/overrides/<int:override_id>", scope="work")
def cancel_override(name: str, override_id: int) -> Answer:
    """Cancel an override."""
    schedules.cancel_override(desk(), auth.current_actor(), name, override_id)
    return Answer()


@route(bp, "POST", "/schedules/<name>/swaps", scope="work", body=SwapIn, answer=Swapped, status=201, once=True)
def swap(name: str, body: SwapIn) -> Answer:
    """Swap two shifts of two people."""
    return Answer(Swapped(schedules.swap(desk(), auth.current_actor(), name, body.one, body.other)), 201)


@route(bp, "POST", "/schedules/<name>/feed", scope="work", answer=FeedOut, status=201)
def new_feed(name: str) -> Answer:
    """Make a secret address for the calendar; the one before is void (a lead's act)."""
    secret = schedules.new_feed(desk(), auth.current_actor(), name)
    return Answer(FeedOut(f"{desk().config.base_url}/calendar/{secret}.ics"), 201)


@route(bp, "POST", "/schedules/<name>/calendar", scope="work", accepts=str, answer=ImportOut)
def import_calendar(name: str) -> ImportOut:
    """Read overrides out of a calendar (text/calendar, RFC 5545); the same one again changes nothing."""
    if request.content_length and request.content_length > icalendar.MOST_BYTES:
        raise BadInput({"file": f"At most {icalendar.MOST_BYTES} bytes."})
    text = request.get_data().decode("utf-8", "replace")
    entries = icalendar.read(text, _schedule(name).timezone)
    return ImportOut(**schedules.put_imported(desk(), auth.current_actor(), name, entries))


@route(feeds, "GET", "/calendar/<secret>.ics", scope=PUBLIC, media=CALENDAR)
def calendar(secret: str) -> Response:
    """The shifts of a schedule as a calendar (RFC 5545); the address carries its own proof."""
    with desk().read() as tx:
        found = look.feed(tx, identity.digest(secret))
    if found is None:
        raise NotFound("There is no such calendar.")
    host = desk().config.base_url.split("//")[-1].split("/")[0]
    entries = [_entry(found, s, host) for s in found.shifts if s.person]
    text = icalendar.calendar(found.name, found.timezone, entries, desk().now())
    return Response(text, content_type=f"{CALENDAR}; charset=utf-8", headers={"Cache-Control": "private, max-age=300"})


def _entry(found: look.Feed, s: look.Duty, host: str) -> Entry:
    uid = f"{s.starts_at:%Y%m%dT%H%M%S}-{identity.digest(found.name).hex()[:16]}@{host}"
    why = f"{s.layer} ({s.instead_of})" if s.instead_of else s.layer
    return Entry(uid, s.starts_at, s.ends_at, f"{found.name}: {s.shown}", why, found.emails.get(s.person, ""), s.shown)


@route(bp, "GET", "/absences", scope="read", role=STAFF, answer=Page[look.Absence])
def list_absences() -> Page[look.Absence]:
    """List present and coming absences of everybody."""
    with desk().read() as tx:
        return Page(look.absences(tx))


@route(bp, "POST", "/absences", scope="work", body=AbsenceIn, answer=Made, status=201, once=True)
def add_absence(body: AbsenceIn) -> Answer:
    """Enter an absence: one's own, or anybody's by a lead."""
    actor = auth.current_actor()
    user, rest = body.user or actor.name, (body.deputy, body.reason, body.keep_tickets)
    return Answer(Made(absences.add(desk(), actor, user, body.starts_at, body.ends_at, *rest)), 201)


@route(bp, "DELETE", "/absences/<int:absence_id>", scope="work")
def cancel_absence(absence_id: int) -> Answer:
    """End or cancel an absence."""
    absences.cancel(desk(), auth.current_actor(), absence_id)
    return Answer()


def _schedule(name: str, at: datetime | None = None) -> look.Schedule:
    with desk().read() as tx:
        found = look.find(tx, name, at)
    if found is None:
        raise NotFound(f"There is no schedule {name!r}.")
    return found


def _aware(at: datetime | None, field: str) -> datetime | None:
    if at is not None and at.tzinfo is None:
        raise BadInput({field: "A time needs its offset, like 2026-11-02T09:00:00Z."})
    if at is not None and not 2000 < at.year < 2200:
        raise BadInput({field: "A time from 2000 to 2200."})
    return at

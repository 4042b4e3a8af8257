"""Who is on call: now and next by service and team; a schedule's month, its overrides, swaps and calendars."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import request, url_for

from servicedesk.domain import icalendar
from servicedesk.domain.incident import LEAD
from servicedesk.domain.oncall import DAYS, ROTATIONS
from servicedesk.errors import BadInput, NotFound
from servicedesk.services import schedules as service
from servicedesk.services.schedules import LayerIn
from servicedesk.store.views import oncall as views
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.i18n import gettext as _

from . import options
from .blueprint import get, post
from .filters import MONTHS
from .forms import Form, filled
from .page import need_staff, shell, submit

MOST_LAYERS = 6
FIELDS = ("name", "people", "rotation", "every", "hand_over", "start", "restrict", "timezone")


@get("/on-call")
def oncall_page() -> str:
    """Who is on call now and next."""
    need_staff()
    with desk().read() as tx:
        found, cover, away = views.schedules(tx), views.cover(tx), views.absences(tx)
    return shell("oncall/page.html", "oncall", schedules=found, cover=cover, absences=away)


@get("/on-call/schedules/<name>")
def schedule_page(name: str) -> str:
    """A schedule's month, with what can be changed about it."""
    return _schedule_page(name, filled(_begin(name)))


def _begin(name: str) -> dict[str, Any]:
    """A fresh override: of who reads, from the next full hour, for eight hours."""
    zone = ZoneInfo(_found(name).timezone)
    start = desk().now().astimezone(zone).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    ends = start + timedelta(hours=8)
    span = {"starts_at": f"{start:%Y-%m-%dT%H:%M}", "ends_at": f"{ends:%Y-%m-%dT%H:%M}"}
    return {"user": auth.current_actor().name} | span


def _found(name: str) -> views.Schedule:
    need_staff()
    with desk().read() as tx:
        found = views.find(tx, name)
    if found is None:
        raise NotFound(f"There is no schedule {name!r}.")
    return found


def _schedule_page(name: str, form: Form, secret: str = "") -> str:
    found = _found(name)
    zone = ZoneInfo(found.timezone)
    first = _month(request.args.get("month", ""), desk().now().astimezone(zone).date())
    with desk().read() as tx:
        days = views.month(tx, name, first)
        overrides = views.overrides(tx, name)
        coming = views.shifts(tx, name, tx.now, tx.now + timedelta(days=60))
    last = date(first.year, first.month, calendar.monthrange(first.year, first.month)[1])
    return shell(
        "oncall/schedule.html",
        "oncall",
        s=found,
        zone=zone,
        first=first,
        title=f"{_(MONTHS[first.month - 1])} {first.year}",
        weeks=[days[n : n + 7] for n in range(0, 42, 7) if days[n][0] <= last],
        today=desk().now().astimezone(zone).date(),
        before=(first - timedelta(days=1)).strftime("%Y-%m"),
        after=(last + timedelta(days=1)).strftime("%Y-%m"),
        overrides=overrides,
        swaps=[(d.starts_at.isoformat(), d) for d in coming if d.person],
        people=options.persons(),
        form=form,
        secret=secret,
        colours=_colours(found, days),
    )


def _month(text: str, today: date) -> date:
    try:
        found = datetime.strptime(text, "%Y-%m").date() if text else today  # noqa: DTZ007 - a month has no zone
    except ValueError:
        found = today
    return found.replace(day=1) if 2000 <= found.year <= 2200 else today.replace(day=1)


def _colours(s: views.Schedule, days: tuple[views.Day, ...]) -> dict[str, int]:
    """A number from 1 to 6 for each person, the same from month to month."""
    order = dict.fromkeys([p for layer in s.layers for p in layer.people])
    order |= dict.fromkeys(d.person for _day, found in days for d in found if d.person)
    return {person: n % 6 + 1 for n, person in enumerate(order)}


@post("/on-call/schedules/<name>")
def change_schedule(name: str) -> Any:
    """An override, a swap, a calendar read in, a new address of the feed."""
    doing, actor, zone = desk(), auth.current_actor(), ZoneInfo(_found(name).timezone)
    acts: dict[str, Callable[[Form], Any]] = {
        "override": lambda f: service.add_override(
            doing, actor, name, f.value("user"), _at(f, "starts_at", zone), _at(f, "ends_at", zone), f.value("reason")
        ),
        "cancel": lambda f: service.cancel_override(doing, actor, name, f.number("id") or 0),
        "swap": lambda f: service.swap(doing, actor, name, _instant(f, "one"), _instant(f, "other")),
        "import": lambda f: service.put_imported(doing, actor, name, _entries(zone)),
        "drop": lambda f: service.drop(doing, actor, name),
    }
    do = request.form.get("do", "")
    if do == "feed":
        secret = service.new_feed(doing, actor, name)
        return _schedule_page(name, filled(_begin(name)), f"{doing.config.base_url}/calendar/{secret}.ics")
    act = acts.get(do, acts["override"])
    back = url_for("ui.oncall_page", said="saved") if do == "drop" else _here(name)
    return submit(act, lambda _result: back, lambda form: _schedule_page(name, form))


def _here(name: str) -> str:
    month = request.form.get("month", "")
    return url_for("ui.schedule_page", name=name, said="saved", **({"month": month} if month else {}))  # type: ignore[arg-type]


def _at(form: Form, field: str, zone: ZoneInfo) -> datetime:
    try:
        return datetime.fromisoformat(form.value(field).strip()).replace(tzinfo=zone)
    except ValueError as error:
        raise BadInput({field: "This is not a date."}) from error


def _instant(form: Form, field: str) -> datetime:
    try:
        found = datetime.fromisoformat(form.value(field))
    except ValueError as error:
        raise BadInput({field: "Choose a shift."}) from error
    if found.tzinfo is None:
        raise BadInput({field: "Choose a shift."})
    return found


def _entries(zone: ZoneInfo) -> Any:
    file = request.files.get("file")
    raw = file.read(icalendar.MOST_BYTES + 1) if file is not None else b""
    return icalendar.read(raw.decode("utf-8", "replace"), zone.key)


# --- writing a schedule ---


@get("/on-call/new-schedule", role=LEAD)
def new_schedule() -> str:
    """The form for a new schedule."""
    layer = {"name": _("First line"), "rotation": "weekly", "every": "1", "hand_over": "mon 09:00"}
    start = {f"layer_1_{key}": value for key, value in layer.items()}
    return _edit_page("", filled({"timezone": desk().policy.calendar.timezone, "start": ""} | start))


@get("/on-call/schedules/<name>/edit", role=LEAD)
def edit_schedule(name: str) -> str:
    """The form of one that exists."""
    s = _found(name)
    values: dict[str, Any] = {"name": s.name, "timezone": s.timezone, "team": s.team}
    for n, layer in enumerate(s.layers, 1):
        values |= {f"layer_{n}_{field}": getattr(layer, field) for field in FIELDS if field != "people"}
        values[f"layer_{n}_people"] = "\n".join(layer.people)
    return _edit_page(name, filled(values, s.version))


def _edit_page(name: str, form: Form) -> str:
    used = [n for n in range(1, MOST_LAYERS + 1) if form.value(f"layer_{n}_people") or form.value(f"layer_{n}_name")]
    return shell(
        "oncall/edit.html",
        "oncall",
        name=name,
        form=form,
        numbers=range(1, min((max(used) if used else 0) + 1, MOST_LAYERS) + 1),
        used=used,
        people=options.persons(),
        teams=options.teams(),
        rotations=[(r, _rotations()[r]) for r in ROTATIONS],
        days=DAYS,
    )


def _rotations() -> dict[str, str]:
    return {"daily": _("daily"), "weekly": _("weekly"), "custom": _("custom hand-over times")}


@post("/on-call/new-schedule", role=LEAD)
def add_schedule() -> Any:
    """Write a new one."""
    return _save("", create=True)


@post("/on-call/schedules/<name>/edit", role=LEAD)
def save_schedule(name: str) -> Any:
    """Write a changed one."""
    return _save(name, create=False)


def _save(name: str, create: bool) -> Any:
    def act(f: Form) -> str:
        new = f.value("name").strip()
        team, zone = f.value("team"), f.value("timezone").strip()
        service.save(desk(), auth.current_actor(), name or new, _layers(f), zone, team, new, f.version, create)
        return new

    return submit(
        act,
        lambda saved: url_for("ui.schedule_page", name=saved, said="saved"),
        lambda form: _edit_page(name, form),
    )


def _layers(f: Form) -> list[LayerIn]:
    """Layers in order; one without people is left out."""
    found = []
    for n in range(1, MOST_LAYERS + 1):
        people = tuple(p for p in f.value(f"layer_{n}_people").replace(",", "\n").split() if p)
        if people:
            given = {
                field: f.value(f"layer_{n}_{field}").strip() for field in FIELDS if field not in ("people", "every")
            }
            every = f.number(f"layer_{n}_every")
            found.append(LayerIn(**given | {"people": people, "every": 1 if every is None else every}))  # type: ignore[arg-type]
    return found

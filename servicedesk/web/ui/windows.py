"""Maintenance windows and suppressions: what is planned, when it holds next, and which alerts it would fit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import available_timezones

from flask import request, url_for

from servicedesk.domain.incident import LEAD
from servicedesk.errors import BadInput
from servicedesk.services import maintenance as service
from servicedesk.store.views import maintenance as views
from servicedesk.store.views import people
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.i18n import marked

from .blueprint import get, post
from .forms import SHOWN_IN_FORM, Form, filled, typed
from .page import go, need_staff, shell, submit

SHOWN = timedelta(days=14)
REPEATS = (
    ("", marked("once")),
    ("FREQ=DAILY", marked("every day")),
    ("FREQ=WEEKLY", marked("every week")),
    ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", marked("from Monday to Friday")),
    ("FREQ=MONTHLY", marked("every month")),
)


@get("/maintenance")
def windows_page() -> str:
    """What runs, what is planned, and the times of the next two weeks."""
    need_staff()
    return _page(filled())


def _page(form: Form) -> str:
    past = request.args.get("past") == "1"
    with desk().read() as tx:
        windows = views.windows(tx, past=past)
        times = views.calendar(tx, tx.now, tx.now + SHOWN)
    return shell("alert/windows.html", "windows", windows=windows, times=times, past=past, form=form)


@get("/maintenance/new", role=LEAD)
def new_window() -> str:
    """The form, empty."""
    zone = desk().policy.calendar.timezone
    return _form(filled({"kind": "maintenance", "minutes": 60, "timezone": zone}))


def _form(form: Form, seen: Any = None) -> str:
    with desk().read() as tx:
        services = [(s.name, s.name) for s in people.services(tx)]
    window, matches = seen or (None, ())
    times = service.next_times(window, desk().now(), 5) if window else []
    return shell(
        "alert/window_form.html", "windows", form=form, services=services, repeats=REPEATS, zones=_zones(),
        window=window, matches=matches, times=times,
    )  # fmt: skip


def _zones() -> list[str]:
    return sorted(available_timezones())


@post("/maintenance/new", role=LEAD)
def plan_window() -> Any:
    """Show what it would fit (`do` is preview), or plan it."""
    form = typed(request.form)
    try:
        wanted = _wanted(form)
        if form.value("do") == "preview":
            return _form(form, service.preview(desk(), wanted))
        service.plan(desk(), auth.current_actor(), wanted)
    except SHOWN_IN_FORM as error:
        status = form.failed(error)
        return _form(form), status
    return go(url_for("ui.windows_page", said="planned"))


def _wanted(form: Form) -> service.Plan:
    start = form.at("starts_at")
    if start is None:
        raise BadInput({"starts_at": "is missing"})
    zone = form.value("timezone").strip()
    return service.Plan(
        kind=form.value("kind"),
        title=form.value("title"),
        starts_at=service.local(start.replace(tzinfo=None), zone),
        minutes=form.number("minutes") or 0,
        reason=form.value("reason"),
        service=form.value("service"),
        matchers=form.value("matchers"),
        source=form.value("source").strip(),
        recurrence=form.value("recurrence").strip() or form.value("repeats"),
        timezone=zone,
    )


@post("/maintenance/<int:number>/cancellation", role=LEAD)
def cancel_window(number: int) -> Any:
    """It ends now, with all its times to come."""
    actor = auth.current_actor()
    return submit(
        lambda _form: service.cancel(desk(), actor, number),
        lambda _none: url_for("ui.windows_page", said="ended"),
        _page,
    )

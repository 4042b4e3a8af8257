"""Silences in the Alertmanager, from the ticket's page: set, extended, ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from servicedesk.errors import BadInput
from servicedesk.services import silences
from servicedesk.store.views import ticket
from servicedesk.web.context import desk
from servicedesk.web.i18n import gettext as _
from servicedesk.web.i18n import marked

from . import tickets
from .blueprint import get, post
from .forms import Form, filled
from .options import HOURS, hours
from .page import need_staff, shell, submit, ticket_url


@get("/incidents/<number:number>/silences/new")
def new_silence(number: int) -> str:
    """The form of a silence."""
    return _form(number, filled({"hours": 2}))


@post("/incidents/<number:number>/silences")
def silence(number: int) -> Any:
    """Silence the ticket's alerts, or one of them."""
    actor, t, _facts = tickets.load(number)
    return submit(
        lambda form: silences.silence(
            desk(), actor, number, _until(form), form.value("reason"), form.number("alert") or None
        ),
        lambda _row: ticket_url(number, "saved", "silences"),
        lambda form: _form(number, form),
        t.number,
    )


@post("/incidents/<number:number>/silences/<int:row_id>")
def change_silence(number: int, row_id: int) -> Any:
    """Let a silence end at another time, or now."""
    actor, t, _facts = tickets.load(number)

    def act(form: Form) -> None:
        if form.value("do") == "expire":
            silences.expire(desk(), actor, number, row_id)
        else:
            silences.extend(desk(), actor, number, row_id, _until(form))

    back = ticket_url(number, "saved", "silences")
    return submit(act, lambda _none: back, lambda form: tickets.show(number, silence_form=form), t.number)


def _until(form: Form) -> datetime:
    hours = form.number("hours")
    if hours is None or hours not in HOURS:
        raise BadInput({"hours": marked("Choose for how long.")})
    return desk().now() + timedelta(hours=hours)


def _form(number: int, form: Form) -> str:
    need_staff()
    _actor, t, _facts = tickets.load(number)
    with desk().read() as tx:
        members = ticket.members(tx, number, 50)
    every = [("", _("All: what their labels have in common"))] if len(members) > 1 else []
    alerts = [*every, *[(str(a.id), f"{a.name} {_told(a.labels)}"[:120]) for a in members]]
    return shell("incident/silence.html", "queue", t=t, form=form, alerts=alerts, hours=hours())


def _told(labels: dict[str, str]) -> str:
    return ", ".join(f"{k}={v}" for k, v in sorted(labels.items()) if k != "alertname")

"""Answering with a page: the frame around it, and what happens when a form is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Response, redirect, render_template, request, url_for

from servicedesk.domain.incident import ADMIN, AGENT, LEAD, REVIEWER, Actor, held_roles
from servicedesk.errors import NotFound
from servicedesk.services.settings import solo_mode
from servicedesk.store.views import nav
from servicedesk.web import auth, i18n
from servicedesk.web.context import desk
from servicedesk.web.i18n import gettext as _
from servicedesk.web.i18n import marked

from .forms import SHOWN_IN_FORM, Form, typed
from .words import Words

Answer = Response | str | tuple[str, int]
THEMES = ("light", "dark")
SAID = {
    "take": marked("You own it now."),
    "assign": marked("Assigned."),
    "hold": marked("On hold."),
    "resume": marked("Back to work."),
    "resolve": marked("Resolved. Verification and confirmation begin."),
    "verify": marked("Verification recorded."),
    "confirm": marked("Recorded."),
    "explain": marked("Explanation kept."),
    "reopen": marked("Reopened: a new cycle begins."),
    "cancel": marked("Cancelled."),
    "ask_second_person": marked("Asked. Another person decides in the list “Second person”."),
    "edit": marked("Changed."),
    "created": marked("Ticket opened."),
    "saved": marked("Saved."),
    "submitted": marked("Handed in: it waits for approval."),
    "approved": marked("Approved."),
    "changes": marked("Sent back with what is to be changed."),
    "waived": marked("Waived; the reports show it."),
    "replayed": marked("Replayed."),
    "marked": marked("Marked."),
    "revoked": marked("Revoked."),
    "refused": marked("Refused."),
    "planned": marked("Planned."),
    "ended": marked("Ended: what it held back is judged now."),
    "sent": marked("Sent."),
    "tested": marked("The test went the whole way."),
}


@dataclass(frozen=True, slots=True)
class Me:
    """Who reads the page, as templates ask for it."""

    id: int
    name: str
    sign_in: str
    language: str
    agent: bool
    lead: bool
    reviewer: bool
    admin: bool
    staff: bool  # sees every ticket


def me_of(actor: Actor, reader: nav.Reader) -> Me:
    roles = held_roles(actor.roles)
    return Me(
        reader.id,
        reader.shown,
        reader.name,
        reader.language,
        AGENT in roles,
        LEAD in roles,
        REVIEWER in roles,
        ADMIN in roles,
        auth.sees_everything(actor),
    )


def common() -> dict[str, Any]:
    """What every template may use. Touches no database: error pages need it when there is none."""
    theme = request.cookies.get("theme", "")
    language = i18n.language()
    return {
        "language": language,
        "theme": theme if theme in THEMES else "",
        "csrf_token": auth.csrf_token,
        "now": desk().now(),
        "words": Words(desk().policy, language),
        "solo_mode": False,
        "said": "",
        "here": "",
    }


def speak() -> Words:
    """The words for whoever reads this page."""
    return Words(desk().policy, i18n.language())


def shell(template: str, here: str = "", **data: Any) -> str:
    """A page inside the frame, for whoever is signed in. here: which entry of the navigation is this one."""
    actor = auth.current_actor()
    with desk().read() as tx:
        reader = nav.reader(tx, actor.id) if actor.id is not None else None
        if reader is None:
            raise NotFound("The pages are for people: a service's token uses the API.")
        me = me_of(actor, reader)
        counts = nav.counts(tx, reader.id) if me.staff else nav.Counts()
        solo = solo_mode(tx, desk())
    i18n.prefer(reader.language)
    frame = {
        "me": me,
        "counts": counts,
        "solo_mode": solo and me.staff,
        "here": here,
        "language": i18n.language(),
        "words": Words(desk().policy, i18n.language(), me.staff),
        "said": _(SAID.get(request.args.get("said", ""), "")),
    }
    return render_template(template, **(frame | data))


def submit(
    act: Callable[[Form], Any], back: Callable[[Any], str], again: Callable[[Form], str], ticket: str = ""
) -> Any:
    """Run what a form asks for: then go to `back(result)`, or show `again(form)` with what is missing, in place.

    A form in the dialog is answered with HX-Redirect: its answer would land in the dialog, not in the page.
    """
    form = typed(request.form, ticket)
    try:
        result = act(form)
    except SHOWN_IN_FORM as error:
        status = form.failed(error)
        return again(form), status
    return go(back(result))


def go(where: str) -> Response:
    """After a change: see the result (303), also when htmx sent the form."""
    if "panel" in request.headers.get("HX-Target", ""):
        return Response("", 200, {"HX-Redirect": where})
    return redirect(where, 303)  # type: ignore[return-value]


def ticket_url(incident_id: int, said: str = "", anchor: str = "") -> str:
    values = {"said": said} if said else {}
    if anchor:
        values["_anchor"] = anchor
    return url_for("ui.ticket_page", number=incident_id, **values)  # type: ignore[arg-type]


def need_staff() -> Actor:
    """For pages of the desk itself: a requester is told that there is no such page."""
    actor = auth.current_actor()
    if not auth.sees_everything(actor):
        raise NotFound("There is no such page.")
    return actor

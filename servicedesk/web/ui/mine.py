"""Raising a ticket, and a requester's own tickets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import request, url_for

from servicedesk.domain.incident import TYPES
from servicedesk.services import incidents, resolution
from servicedesk.services.incidents import NewTicket
from servicedesk.store.views import queue
from servicedesk.web import auth
from servicedesk.web.context import desk

from . import options, tickets
from .blueprint import get, post
from .forms import Form, filled
from .page import shell, speak, submit, ticket_url


@get("/incidents/new")
def new_ticket() -> str:
    """The form for a new ticket."""
    return _new_page(filled({"type": request.args.get("type", "incident"), "service": "unknown"}))


@post("/incidents")
def open_ticket() -> Any:
    """Raise it."""
    actor = auth.current_actor()
    return submit(
        lambda form: incidents.open_ticket(desk(), actor, _told(form, auth.sees_everything(actor))),
        lambda number: ticket_url(number, "created"),
        _new_page,
    )


def _told(form: Form, staff: bool) -> NewTicket:
    ticket = NewTicket(
        form.value("title"),
        form.value("type"),
        form.value("description"),
        form.value("category"),
        service=form.value("service"),
        channel="portal",
    )
    if not staff:
        return replace(ticket, urgency={"yes": 1, "some": 2, "no": 3}.get(form.value("hinders")))
    return replace(
        ticket,
        impact=form.number("impact"),
        urgency=form.number("urgency"),
        team=form.value("team"),
        requester=form.value("requester"),
        channel=form.value("channel") or "portal",
    )


def _new_page(form: Form) -> str:
    types = options.triples({name: name for name in TYPES}, speak().type_word)
    return shell(
        "my/new.html",
        "new",
        form=form,
        types=types,
        categories=options.categories(),
        services=options.services(),
        levels=options.levels(),
        people=options.persons() if auth.sees_everything(auth.current_actor()) else (),
        teams=options.teams(),
    )


@get("/my")
def my_tickets() -> str:
    """The tickets that the reader raised, the newest first."""
    actor = auth.current_actor()
    wanted = queue.Filter(requester=actor.id, every_status=True)
    with desk().read() as tx:
        page = queue.tickets(tx, wanted, sort="newest", cursor=request.args.get("cursor", ""))
    following = url_for("ui.my_tickets", cursor=page.next) if page.next else ""
    return shell("my/list.html", "my", page=page, next=following)


@post("/my/<number:number>/confirmation")
def my_confirmation(number: int) -> Any:
    """The requester says that it is solved, or not."""
    actor, t, _facts = tickets.load(number)
    return submit(
        lambda form: resolution.confirm(
            desk(), actor, number, form.value("accepted") == "yes", form.value("comment"), form.version
        ),
        lambda _none: ticket_url(number, "confirm"),
        lambda form: tickets.show(number, confirm_form=form),
        t.number,
    )

"""Where one lands, and short ways to a ticket."""

from __future__ import annotations

from typing import Any

from flask import redirect, url_for

from servicedesk.errors import NotFound
from servicedesk.store.views import alerts
from servicedesk.web import auth
from servicedesk.web.context import desk

from .blueprint import get
from .page import need_staff, ticket_url


@get("/")
def home() -> Any:
    """The queue for the desk's people, their own tickets for everybody else."""
    staff = auth.sees_everything(auth.current_actor())
    return redirect(url_for("ui.queue_page" if staff else "ui.my_tickets"), 303)


@get("/a/<fingerprint>")
def by_fingerprint(fingerprint: str) -> Any:
    """From an alert to its newest ticket: for links in dashboards and chat."""
    need_staff()
    with desk().read() as tx:
        incident_id = alerts.ticket_of(tx, fingerprint)
    if incident_id is None:
        raise NotFound(f"No ticket carries an alert with the fingerprint “{fingerprint[:64]}”.")
    return redirect(ticket_url(incident_id), 303)

"""Where one lands."""

from __future__ import annotations

from typing import Any

from flask import redirect, url_for

from servicedesk.web import auth

from .blueprint import get


@get("/")
def home() -> Any:
    """The queue for the desk's people, their own tickets for everybody else."""
    staff = auth.sees_everything(auth.current_actor())
    return redirect(url_for("ui.queue_page" if staff else "ui.my_tickets"), 303)


@get("/incidents")
def incidents() -> Any:
    """Where somebody looks who shortens a ticket's address."""
    return home()

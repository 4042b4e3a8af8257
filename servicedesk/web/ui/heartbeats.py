"""Heartbeats: who must be heard from, when they were last heard, and how to make one."""

from __future__ import annotations

from typing import Any

from flask import request, url_for

from servicedesk.domain.incident import LEAD
from servicedesk.services import heartbeats as service
from servicedesk.store.views import heartbeats as views
from servicedesk.web import auth
from servicedesk.web.context import desk

from .blueprint import get, post
from .forms import SHOWN_IN_FORM, Form, filled, typed
from .page import need_staff, shell, submit


@get("/heartbeats")
def heartbeats_page() -> str:
    """All of them, those that are silent marked."""
    need_staff()
    return _page(_empty())


def _empty() -> Form:
    return filled({"every": 300, "grace": 60, "severity": "warning"})


def _page(form: Form, address: str = "") -> str:
    with desk().read() as tx:
        found = views.heartbeats(tx)
    return shell("alert/heartbeats.html", "heartbeats", heartbeats=found, form=form, address=address)


@post("/heartbeats", role=LEAD)
def make_heartbeat() -> Any:
    """Make one; the address to ping is on the page that answers, and nowhere else."""
    form = typed(request.form)
    try:
        every, grace = form.number("every") or 0, form.number("grace") or 0
        given = (form.value("name"), every, grace, form.value("service"), form.value("severity"))
        _, key = service.add(desk(), auth.current_actor(), *given)
    except SHOWN_IN_FORM as error:
        status = form.failed(error)
        return _page(form), status
    return _page(_empty(), f"{desk().config.base_url}/api/v1/heartbeats/{key}/ping")


@post("/heartbeats/<int:heartbeat>", role=LEAD)
def change_heartbeat(heartbeat: int) -> Any:
    """Pause it, go on, or forget it."""
    actor = auth.current_actor()

    def act(form: Form) -> None:
        if form.value("do") == "remove":
            service.remove(desk(), actor, heartbeat)
        else:
            service.pause(desk(), actor, heartbeat, form.value("do") == "pause")

    return submit(act, lambda _none: url_for("ui.heartbeats_page", said="saved"), _page)

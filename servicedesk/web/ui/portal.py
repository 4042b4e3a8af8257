"""What a signed link in a mail opens, without an account: one page with buttons. Looking at it changes nothing."""

from __future__ import annotations

from typing import Any

from flask import render_template

from servicedesk.errors import NotFound, Refused
from servicedesk.services import acting, resolution
from servicedesk.store.views import ticket
from servicedesk.web.context import desk
from servicedesk.web.i18n import gettext as _
from servicedesk.web.route import PUBLIC

from .blueprint import get, post
from .forms import Form, filled
from .page import submit


@get("/portal/confirm/<secret>", scope=PUBLIC)
def confirm_page(secret: str) -> str:
    """Is it solved? Two buttons."""
    return _page(secret, filled())


def _page(secret: str, form: Form) -> str:
    number = resolution.link_target(desk(), secret)
    with desk().read() as tx:
        found = ticket.find(tx, number)
    if found is None:
        raise NotFound(_("This link is no longer valid."))
    return render_template("sign/confirm.html", t=found, secret=secret, form=form)


@post("/portal/confirm/<secret>", scope=PUBLIC)
def confirm_answer(secret: str) -> Any:
    """Accept or reject; the link then is spent."""

    def act(form: Form) -> bool:
        accepted = form.value("accepted") == "yes"
        resolution.confirm_by_link(desk(), secret, accepted, form.value("comment"))
        return accepted

    try:
        return submit(act, lambda accepted: f"/portal/thanks?solved={int(accepted)}", lambda form: _page(secret, form))
    except Refused as error:
        raise NotFound(_("This link is no longer valid.")) from error


@get("/portal/acknowledge/<secret>", scope=PUBLIC)
def acknowledge_page(secret: str) -> str:
    """I take care of it: one button."""
    return _acknowledge_page(secret, filled())


def _acknowledge_page(secret: str, form: Form) -> str:
    offered = acting.offer(desk(), secret)
    with desk().read() as tx:
        found = ticket.find(tx, offered.incident_id)
    if found is None:
        raise NotFound(_("This link is no longer valid."))
    return render_template("sign/acknowledge.html", t=found, offer=offered, secret=secret, form=form)


@post("/portal/acknowledge/<secret>", scope=PUBLIC)
def acknowledge(secret: str) -> Any:
    """Take it, or say that somebody is on it; pressed again nothing changes."""
    return submit(
        lambda _form: acting.acknowledge_by_link(desk(), secret),
        lambda _done: f"/portal/acknowledge/{secret}",
        lambda form: _acknowledge_page(secret, form),
    )


@get("/portal/thanks", scope=PUBLIC)
def thanks() -> str:
    """After the answer."""
    return render_template("sign/thanks.html")

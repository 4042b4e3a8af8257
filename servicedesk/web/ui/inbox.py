"""Second-person requests: what waits for another person, and what became of the rest."""

from __future__ import annotations

from typing import Any

from flask import request, url_for

from servicedesk.services import second_person
from servicedesk.store.views import requests
from servicedesk.web import auth
from servicedesk.web.context import desk

from .blueprint import get, post
from .forms import Form, filled
from .page import need_staff, shell, submit

STATES = ("asked", "approved", "refused", "expired")


@get("/second-person-requests")
def second_person_page() -> str:
    """Those that still wait, or those that were answered."""
    return _page(filled(), 0)


def _page(form: Form, failed: int) -> str:
    need_staff()
    status = request.args.get("status", "asked")
    wanted = status if status in STATES else ""
    with desk().read() as tx:
        page = requests.requests(tx, status=wanted, cursor=request.args.get("cursor", ""))
    following = url_for("ui.second_person_page", status=status, cursor=page.next) if page.next else ""
    return shell("review/requests.html", "requests", page=page, next=following, status=wanted, form=form, failed=failed)


@post("/second-person-requests/<int:request_id>")
def answer_request(request_id: int) -> Any:
    """Approve or refuse, with a comment."""
    actor = auth.current_actor()

    def decide(form: Form) -> str:
        approved = form.value("answer") == "approve"
        (second_person.approve if approved else second_person.refuse)(desk(), actor, request_id, form.value("comment"))
        return "approved" if approved else "refused"

    return submit(
        decide,
        lambda said: url_for("ui.second_person_page", said=said),
        lambda form: _page(form, request_id),
    )

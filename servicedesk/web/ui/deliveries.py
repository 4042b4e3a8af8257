"""Dead letters and raw deliveries: what a sender sent, why it could not be applied, and trying it again."""

from __future__ import annotations

from typing import Any

from flask import request, url_for

from servicedesk.errors import NotFound
from servicedesk.services import deliveries as service
from servicedesk.store.views import deliveries as views
from servicedesk.web import auth
from servicedesk.web.context import desk

from .blueprint import get, post
from .forms import Form, filled
from .page import need_staff, shell, submit


@get("/deliveries")
def deliveries_page() -> str:
    """Dead letters; `view=all`: every delivery."""
    need_staff()
    view, cursor = request.args.get("view", ""), request.args.get("cursor", "")
    with desk().read() as tx:
        page = views.deliveries(tx, dead=view != "all", cursor=cursor)
    following = url_for("ui.deliveries_page", view=view or None, cursor=page.next) if page.next else ""
    return shell("alert/deliveries.html", "letters", page=page, view=view, next=following)


@get("/deliveries/<int:delivery_id>")
def delivery_page(delivery_id: int) -> str:
    """One delivery with its body as sent."""
    return _page(delivery_id, filled())


def _page(delivery_id: int, form: Form) -> str:
    need_staff()
    with desk().read() as tx:
        found = views.find(tx, delivery_id)
        if found is None:
            raise NotFound("There is no such delivery.")
        body = views.body(tx, delivery_id)
    return shell("alert/delivery.html", "letters", d=found, body=body, form=form)


@post("/deliveries/<int:delivery_id>/replay")
def replay_delivery(delivery_id: int) -> Any:
    """Apply it again; what was applied already changes nothing."""
    actor = auth.current_actor()
    return submit(
        lambda _form: service.replay(desk(), actor, delivery_id),
        lambda _result: url_for("ui.delivery_page", delivery_id=delivery_id, said="replayed"),
        lambda form: _page(delivery_id, form),
    )

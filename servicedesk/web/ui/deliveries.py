"""Dead letters and raw deliveries: what a sender sent, why it could not be applied, and trying it again."""

from __future__ import annotations

from flask import request, url_for

from servicedesk.errors import NotFound
from servicedesk.store.views import deliveries as views
from servicedesk.web.context import desk

from .blueprint import get
from .page import need_staff, shell


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
    need_staff()
    with desk().read() as tx:
        found = views.find(tx, delivery_id)
        if found is None:
            raise NotFound("There is no such delivery.")
        body = views.body(tx, delivery_id)
    return shell("alert/delivery.html", "letters", d=found, body=body)

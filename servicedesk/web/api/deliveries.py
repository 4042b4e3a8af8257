"""Raw deliveries as senders sent them, and dead letters: look at them, replay them."""

from __future__ import annotations

from typing import Literal

import msgspec
from flask import Blueprint

from servicedesk.domain.incident import LEAD
from servicedesk.errors import NotFound
from servicedesk.services import deliveries
from servicedesk.store.views import deliveries as look
from servicedesk.store.views.paging import Page
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.route import STAFF, route

from . import shapes

bp = Blueprint("api_deliveries", __name__, url_prefix="/api/v1")


class DeliveryQuery(shapes.Paged, frozen=True, kw_only=True):
    """state dead: those with anything that could not be applied."""

    state: Literal["", "stored", "done", "dead"] = ""


class DeliveryDetail(msgspec.Struct, frozen=True):
    """A delivery with its body as text; what is no UTF-8 is escaped, and a long one is cut."""

    delivery: look.Delivery
    body: str


@route(bp, "GET", "/deliveries", scope="read", role=STAFF, query=DeliveryQuery, answer=Page[look.Delivery])
def list_deliveries(query: DeliveryQuery) -> Page[look.Delivery]:
    """List deliveries, the newest first."""
    dead = query.state == "dead"
    state = "" if dead else query.state
    with desk().read() as tx:
        return look.deliveries(tx, state=state, dead=dead, cursor=query.cursor, limit=query.limit)


@route(bp, "GET", "/deliveries/<int:delivery_id>", scope="read", role=STAFF, answer=DeliveryDetail)
def show_delivery(delivery_id: int) -> DeliveryDetail:
    """Show a delivery with its body and its dead letters."""
    with desk().read() as tx:
        found = look.find(tx, delivery_id)
        if found is None:
            raise NotFound(f"There is no delivery {delivery_id}.")
        return DeliveryDetail(found, look.body(tx, delivery_id))


@route(
    bp, "POST", "/deliveries/<int:delivery_id>/replay", scope="work", role=LEAD, answer=deliveries.Replayed, once=True
)
def replay(delivery_id: int) -> deliveries.Replayed:
    """Try again what could not be applied; what was applied stays as it is."""
    return deliveries.replay(desk(), auth.current_actor(), delivery_id)

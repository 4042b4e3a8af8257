"""Records without a ticket: make a ticket of one, say what it is; what alerts lack, by name."""

from __future__ import annotations

from typing import Literal

import msgspec
from flask import Blueprint

from servicedesk.domain.incident import AGENT, number
from servicedesk.services import records
from servicedesk.store.views import alerts
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.route import STAFF, Answer, route

bp = Blueprint("api_records", __name__, url_prefix="/api/v1")


class Made(msgspec.Struct, frozen=True):
    """incident: the alert's open ticket; new: it was made just now."""

    incident: str
    new: bool


class MarkIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """mark: what the record is; empty takes the mark away, and it waits again."""

    mark: Literal["", "misuse", "malfunction", "noise", "known"]


class Gaps(msgspec.Struct, frozen=True):
    """The names of alerts that lack something, the most frequent first."""

    items: tuple[alerts.Gap, ...]


@route(bp, "GET", "/alerts/gaps", scope="read", role=STAFF, answer=Gaps)
def list_gaps() -> Gaps:
    """List by name how many alerts lack a severity, a service or a runbook_url."""
    with desk().read() as tx:
        return Gaps(alerts.gaps(tx))


@route(bp, "POST", "/alerts/<int:alert_id>/ticket", scope="work", role=AGENT, answer=Made, once=True)
def make_ticket(alert_id: int) -> Answer:
    """Make a ticket of a recorded alert; one that has an open ticket keeps it."""
    made = records.open_ticket(desk(), auth.current_actor(), alert_id)
    name = number(made.incident_id)
    return Answer(Made(name, made.new), 201 if made.new else 200, location=f"/api/v1/incidents/{name}")


@route(bp, "PUT", "/alerts/<int:alert_id>/mark", scope="work", role=AGENT, body=MarkIn, status=204)
def mark(alert_id: int, body: MarkIn) -> None:
    """Say what a record without a ticket is, so that nobody must check it."""
    records.mark(desk(), auth.current_actor(), [alert_id], body.mark)

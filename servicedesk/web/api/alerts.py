"""Deduplicated alerts, their episodes and events; `/a/<fingerprint>` leads to the open ticket."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from flask import Blueprint, redirect

from servicedesk.domain.incident import number
from servicedesk.errors import NotFound
from servicedesk.store.views import alerts
from servicedesk.store.views.paging import Page
from servicedesk.web.context import desk
from servicedesk.web.route import STAFF, route

from . import shapes

bp = Blueprint("api_alerts", __name__, url_prefix="/api/v1")
links = Blueprint("alert_links", __name__)


class AlertQuery(shapes.Paged, frozen=True, kw_only=True):
    """to_check: only records without a ticket that nobody judged yet; flapping: only those that flap; q: part of the
    name, or a fingerprint."""

    status: tuple[Literal["firing", "suspect", "recovered", "unconfirmed"], ...] = ()
    source: str = ""
    name: str = ""
    fingerprint: str = ""
    to_check: bool = False
    flapping: bool = False
    q: str = ""


class AlertDetail(msgspec.Struct, frozen=True):
    """An alert with its newest episodes. incident: its newest ticket."""

    alert: alerts.Alert
    incident: str | None
    episodes: tuple[alerts.Episode, ...]


@route(bp, "GET", "/alerts", scope="read", role=STAFF, query=AlertQuery, answer=Page[alerts.Alert])
def list_alerts(query: AlertQuery) -> Page[alerts.Alert]:
    """List alerts, the newest identity first."""
    wanted = alerts.Filter(
        to_check=query.to_check,
        flapping=query.flapping,
        statuses=query.status,
        source=query.source,
        name=query.name,
        fingerprint=query.fingerprint,
        text=query.q,
    )
    with desk().read() as tx:
        return alerts.alerts(tx, wanted, cursor=query.cursor, limit=query.limit)


@route(bp, "GET", "/alerts/<int:alert_id>", scope="read", role=STAFF, answer=AlertDetail)
def show_alert(alert_id: int) -> AlertDetail:
    """Show an alert with its newest episodes."""
    with desk().read() as tx:
        found = _found(alerts.find(tx, alert_id), alert_id)
        incident = number(found.incident_id) if found.incident_id else None
        return AlertDetail(found, incident, alerts.episodes(tx, alert_id))


@route(
    bp, "GET", "/alerts/<int:alert_id>/events", scope="read", role=STAFF, query=shapes.Paged, answer=Page[alerts.Event]
)
def list_events(alert_id: int, query: shapes.Paged) -> Page[alerts.Event]:
    """List an alert's distinct events with how often each was seen, the newest first."""
    with desk().read() as tx:
        _found(alerts.find(tx, alert_id), alert_id)
        return alerts.events(tx, alert_id, cursor=query.cursor, limit=query.limit)


def _found(alert: alerts.Alert | None, alert_id: int) -> alerts.Alert:
    if alert is None:
        raise NotFound(f"There is no alert {alert_id}.")
    return alert


@route(links, "GET", "/a/<fingerprint>", scope="read", role=STAFF)
def lead(fingerprint: str) -> Any:
    """From an alert's fingerprint to its ticket: for links in dashboards and chat."""
    with desk().read() as tx:
        incident = alerts.ticket_of(tx, fingerprint.lower())
    if incident is None:
        raise NotFound("No ticket carries an alert with this fingerprint.")
    return redirect(f"/incidents/{number(incident)}", 302)

"""Maintenance windows and suppressions: planned, listed, previewed, ended early."""

from __future__ import annotations

from datetime import datetime

import msgspec
from flask import Blueprint

from servicedesk.errors import NotFound
from servicedesk.services import maintenance
from servicedesk.store.views import maintenance as views
from servicedesk.store.views.paging import Page
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.route import STAFF, Answer, route

bp = Blueprint("api_windows", __name__, url_prefix="/api/v1")
KINDS = {"maintenance-windows": "maintenance", "suppressions": "suppression"}


class WindowIn(msgspec.Struct, frozen=True):
    """service, source: "" for any; matchers as Alertmanager reads them; recurrence: an RRULE of RFC 5545, in
    timezone; minutes: how long each time lasts."""

    title: str
    starts_at: datetime
    minutes: int
    reason: str = ""
    service: str = ""
    matchers: str = ""
    source: str = ""
    recurrence: str = ""
    timezone: str = "UTC"


class WindowQuery(msgspec.Struct, frozen=True):
    """past: also those that are over or were ended."""

    past: bool = False


class MatchOut(msgspec.Struct, frozen=True):
    """A firing alert that it would hold back, had it begun under it."""

    id: int
    source: str
    name: str
    labels: dict[str, str]
    incident_id: int | None


class PreviewOut(msgspec.Struct, frozen=True):
    """times: the next ones, (start, end)."""

    over_at: datetime | None
    times: list[tuple[datetime, datetime]]
    alerts: list[MatchOut]


def _listed(kind: str, query: WindowQuery) -> Page[views.Listed]:
    with desk().read() as tx:
        return Page(views.windows(tx, kind=kind, past=query.past))


def _planned(kind: str, body: WindowIn) -> Answer:
    number = maintenance.plan(desk(), auth.current_actor(), _plan(kind, body))
    path = next(path for path, name in KINDS.items() if name == kind)
    return Answer(_found(kind, number), 201, location=f"/api/v1/{path}/{number}")


def _plan(kind: str, body: WindowIn) -> maintenance.Plan:
    starts_at = body.starts_at if body.starts_at.tzinfo else maintenance.local(body.starts_at, body.timezone)
    return maintenance.Plan(kind=kind, **msgspec.structs.asdict(body) | {"starts_at": starts_at})


def _found(kind: str, number: int) -> views.Listed:
    with desk().read() as tx:
        found = views.windows(tx, kind=kind, only=number)
    if not found:
        raise NotFound(f"There is no {kind} {number}.")
    return found[0]


def _cancelled(kind: str, number: int) -> views.Listed:
    maintenance.cancel(desk(), auth.current_actor(), number, kind)
    return _found(kind, number)


@route(bp, "GET", "/maintenance-windows", scope="read", role=STAFF, query=WindowQuery, answer=Page[views.Listed])
def list_windows(query: WindowQuery) -> Page[views.Listed]:
    """List maintenance windows, the newest first."""
    return _listed("maintenance", query)


@route(bp, "POST", "/maintenance-windows", scope="work", body=WindowIn, answer=views.Listed, status=201, once=True)
def plan_window(body: WindowIn) -> Answer:
    """Plan a maintenance window."""
    return _planned("maintenance", body)


@route(bp, "GET", "/maintenance-windows/<int:window>", scope="read", role=STAFF, answer=views.Listed)
def show_window(window: int) -> views.Listed:
    """Show a maintenance window."""
    return _found("maintenance", window)


@route(bp, "POST", "/maintenance-windows/<int:window>/cancellation", scope="work", answer=views.Listed)
def cancel_window(window: int) -> views.Listed:
    """End a maintenance window early, with all its times to come."""
    return _cancelled("maintenance", window)


@route(bp, "POST", "/maintenance-windows/preview", scope="read", role=STAFF, body=WindowIn, answer=PreviewOut)
def preview_window(body: WindowIn) -> PreviewOut:
    """Which firing alerts a window would fit, and when it would hold next; nothing is stored."""
    window, found = maintenance.preview(desk(), _plan("maintenance", body))
    times = maintenance.next_times(window, desk().now(), 10)
    alerts = [MatchOut(m.id, m.source, m.name, m.labels, m.incident_id) for m in found]
    return PreviewOut(window.over_at, times, alerts)


@route(bp, "GET", "/suppressions", scope="read", role=STAFF, query=WindowQuery, answer=Page[views.Listed])
def list_suppressions(query: WindowQuery) -> Page[views.Listed]:
    """List suppressions, the newest first."""
    return _listed("suppression", query)


@route(bp, "POST", "/suppressions", scope="work", body=WindowIn, answer=views.Listed, status=201, once=True)
def plan_suppression(body: WindowIn) -> Answer:
    """Suppress alerts for a time."""
    return _planned("suppression", body)


@route(bp, "GET", "/suppressions/<int:window>", scope="read", role=STAFF, answer=views.Listed)
def show_suppression(window: int) -> views.Listed:
    """Show a suppression."""
    return _found("suppression", window)


@route(bp, "POST", "/suppressions/<int:window>/cancellation", scope="work", answer=views.Listed)
def cancel_suppression(window: int) -> views.Listed:
    """End a suppression early."""
    return _cancelled("suppression", window)

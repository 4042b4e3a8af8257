"""Heartbeats: made, listed, pinged, paused, removed."""

from __future__ import annotations

import msgspec
from flask import Blueprint

from servicedesk.services import heartbeats
from servicedesk.store.views import heartbeats as views
from servicedesk.store.views.paging import Page
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.route import PUBLIC, STAFF, Answer, route

bp = Blueprint("api_heartbeats", __name__, url_prefix="/api/v1")


class HeartbeatIn(msgspec.Struct, frozen=True):
    """every, grace: seconds between pings, and how late one may be. service, severity: of the alert about silence."""

    name: str
    every: int
    grace: int = 60
    service: str = ""
    severity: str = "warning"


class HeartbeatOut(msgspec.Struct, frozen=True):
    """key: whoever knows it may ping. ping: the address to post to."""

    id: int
    key: str
    ping: str


class PauseIn(msgspec.Struct, frozen=True):
    paused: bool


@route(bp, "GET", "/heartbeats", scope="read", role=STAFF, answer=Page[views.Heartbeat])
def list_heartbeats() -> Page[views.Heartbeat]:
    """List heartbeats, pinged ones and Watchdogs."""
    with desk().read() as tx:
        return Page(views.heartbeats(tx))


@route(bp, "POST", "/heartbeats", scope="work", body=HeartbeatIn, answer=HeartbeatOut, status=201, once=True)
def add_heartbeat(body: HeartbeatIn) -> Answer:
    """Make a heartbeat that something pings; it waits for the first ping."""
    actor = auth.current_actor()
    number, key = heartbeats.add(
        desk(), actor, body.name, body.every, body.grace, service=body.service, severity=body.severity
    )
    path = f"/api/v1/heartbeats/{key}/ping"
    return Answer(HeartbeatOut(number, key, f"{desk().config.base_url}{path}"), 201)


@route(bp, "POST", "/heartbeats/<key>/ping", scope=PUBLIC, status=204)
def ping_heartbeat(key: str) -> Answer:
    """It lives: the key is all that is needed."""
    heartbeats.ping(desk(), key)
    return Answer()


@route(bp, "PATCH", "/heartbeats/<int:heartbeat>", scope="work", body=PauseIn, status=204)
def pause_heartbeat(heartbeat: int, body: PauseIn) -> Answer:
    """Pause it, or wait for the next beat again."""
    heartbeats.pause(desk(), auth.current_actor(), heartbeat, body.paused)
    return Answer()


@route(bp, "DELETE", "/heartbeats/<int:heartbeat>", scope="work", status=204)
def remove_heartbeat(heartbeat: int) -> Answer:
    """Forget it; an alarm about it is over."""
    heartbeats.remove(desk(), auth.current_actor(), heartbeat)
    return Answer()

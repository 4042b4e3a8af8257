"""Tickets: list, open, show, describe, and the moves that need no gate."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, request
from msgspec import UNSET

from servicedesk.domain.incident import STATES, Actor
from servicedesk.errors import BadInput, NotFound
from servicedesk.services import incidents
from servicedesk.store.views import api_incidents as look
from servicedesk.store.views import queue
from servicedesk.store.views.paging import Page
from servicedesk.web import auth, inputs
from servicedesk.web.context import desk
from servicedesk.web.preconditions import seen_version
from servicedesk.web.route import Answer, route

from . import shapes, show, whole
from .common import action, other_ticket

bp = Blueprint("api_incidents", __name__, url_prefix="/api/v1")

# Fields that a record of its own carries: writing them is doing something, and that has its own address.
ELSEWHERE = {
    "status": "",
    "owner": "assignment",
    "team": "assignment",
    "acknowledged_at": "acknowledgement",
    "hold": "hold",
    "waiting_on": "comments",
    "resolution": "resolution",
    "resolved_at": "resolution",
    "verification": "verifications",
    "confirmation": "confirmation",
    "explanation": "explanation",
    "review": "review",
    "closed_at": "review/approval",
    "cycle": "reopening",
    "merged_into": "cancellation",
    "cancel_reason": "cancellation",
    "playbooks": "playbook-runs",
    "action_items": "action-items",
    "tasks": "tasks",
    "priority": "",
    "approval": "review/approval",
}
STATUS_RESOURCES = {
    "new": "reopening",
    "in_progress": "acknowledgement",
    "pending": "hold",
    "resolved": "resolution",
    "review": "verifications",
    "closed": "review/approval",
    "cancelled": "cancellation",
}


@route(bp, "GET", "/incidents", scope="read", query=shapes.IncidentQuery, answer=Page[shapes.IncidentRow])
def list_incidents(query: shapes.IncidentQuery) -> Page[shapes.IncidentRow]:
    """List tickets: new and in progress first."""
    actor = auth.current_actor()
    with desk().read() as tx:
        users = look.user_ids(tx, (query.owner, query.requester))
        wanted = _filter(query, actor, users, look.team_id(tx, query.team))
        if wanted is None:
            return Page(())
        page = queue.tickets(tx, wanted, sort=query.sort, cursor=query.cursor, limit=query.limit)
        names = look.sign_in_names(tx, [i for r in page.items for i in (r.owner_id, r.requester_id)])
    return Page(tuple(whole.row(r, names) for r in page.items), page.next)


def _filter(q: shapes.IncidentQuery, actor: Actor, users: dict[str, int], team: int | None) -> queue.Filter | None:
    """The filter of the read model; None when it names somebody or something that does not exist."""
    owner, requester = _person(q.owner, actor, users), _person(q.requester, actor, users)
    if -1 in (owner, requester) or (q.team and team is None):
        return None
    if not auth.sees_everything(actor):
        requester = actor.id if actor.id is not None else -1
    return queue.Filter(
        statuses=q.status,
        every_status=not q.status,
        priorities=q.priority,
        types=q.type,
        owner=owner,
        unassigned=q.owner == "none",
        requester=requester,
        team=team,
        service_name=q.service,
        category=q.category,
        tag=q.tag,
        source=q.source,
        labels=tuple(_label(pair) for pair in q.label),
        major=q.major,
        opened_after=q.opened_after,
        opened_before=q.opened_before,
        text=q.q,
    )


def _person(name: str, actor: Actor, users: dict[str, int]) -> int | None:
    """The id of a sign-in name; -1: nobody has it."""
    if name in ("", "none"):
        return None
    found = actor.id if name == "me" else users.get(name)
    return -1 if found is None else found


def _label(pair: str) -> tuple[str, str]:
    name, equals, value = pair.partition("=")
    if not equals or not name:
        raise BadInput({"label": f"{pair!r} is not a pair: write label=name=value"})
    return name, value


@route(bp, "POST", "/incidents", scope="work", body=shapes.IncidentIn, answer=shapes.IncidentOut, status=201, once=True)
def open_incident(body: shapes.IncidentIn) -> Answer:
    """Raise a ticket by hand."""
    form = incidents.NewTicket(**msgspec.structs.asdict(body))
    return show.incident(incidents.open_ticket(desk(), auth.current_actor(), form), 201)


@route(bp, "GET", "/incidents/<number:number>", scope="read", answer=shapes.IncidentOut)
def show_incident(number: int) -> Answer:
    """Show a ticket with its alerts, gates, playbooks and what may be done."""
    return show.incident(number)


@route(
    bp,
    "PATCH",
    "/incidents/<number:number>",
    scope="work",
    answer=shapes.IncidentOut,
    accepts=shapes.IncidentPatch,
    version=True,
)
def change_incident(number: int) -> Answer:
    """Change what describes a ticket; a status or gate field is refused with a pointer to its resource."""
    _refuse_gates(number)
    body = inputs.body(shapes.IncidentPatch, request)
    changes = {k: v for k, v in msgspec.structs.asdict(body).items() if v is not UNSET}
    if not changes:
        raise BadInput("Name at least one field to change.")
    incidents.edit(desk(), auth.current_actor(), number, changes, seen_version())
    return show.incident(number)


def _refuse_gates(number: int) -> None:
    data = inputs.json_object(request)
    gates = [name for name in data if name in ELSEWHERE]
    if not gates:
        return
    fields = {name: _said(name, data[name]) for name in gates}
    base = f"/api/v1/incidents/INC-{number}"
    resources = {name: _resource(name, data[name]) for name in gates}
    raise inputs.Elsewhere(fields, {name: f"{base}/{part}".rstrip("/") for name, part in resources.items()})


def _resource(name: str, value: Any) -> str:
    if name == "status":
        return STATUS_RESOURCES.get(str(value), "")
    return ELSEWHERE[name]


def _said(name: str, value: Any) -> str:
    if name == "status" and value == "closed":
        return "is never written: the desk closes by itself when the review is approved and every guard holds"
    if name == "status":
        known = f"; the states are {', '.join(STATES)}" if str(value) not in STATES else ""
        return f"is never written: it follows from what is done{known}"
    if name == "priority":
        return "follows from impact and urgency: change those"
    return "is not written here: it has a resource of its own"


@action(bp, "acknowledgement", shapes.Nothing)
def acknowledge(number: int, body: shapes.Nothing) -> Answer:
    """Take it (M2)."""
    incidents.take(desk(), auth.current_actor(), number, seen_version())
    return show.incident(number)


@action(bp, "assignment", shapes.AssignmentIn)
def assign(number: int, body: shapes.AssignmentIn) -> Answer:
    """Give it an owner, a team, or both."""
    if body.owner is None and body.team is None:
        raise BadInput({"owner": "name an owner, a team, or both", "team": "name an owner, a team, or both"})
    incidents.assign(desk(), auth.current_actor(), number, body.owner, body.team, seen_version())
    return show.incident(number)


@action(bp, "hold", shapes.HoldIn)
def hold(number: int, body: shapes.HoldIn) -> Answer:
    """Let it wait, with a reason (M3)."""
    actor, version = auth.current_actor(), seen_version()
    incidents.hold(desk(), actor, number, body.reason, body.until, body.question, body.note, version)
    return show.incident(number)


@route(bp, "DELETE", "/incidents/<number:number>/hold", scope="work", answer=shapes.IncidentOut, version=True)
def resume(number: int) -> Answer:
    """Work goes on (M3)."""
    incidents.resume(desk(), auth.current_actor(), number, seen_version())
    return show.incident(number)


@action(bp, "reopening", shapes.ReasonIn)
def reopen(number: int, body: shapes.ReasonIn) -> Answer:
    """Reopen with a reason: a new cycle (M7, M8, M10)."""
    incidents.reopen(desk(), auth.current_actor(), number, body.reason, seen_version())
    return show.incident(number)


@action(bp, "cancellation", shapes.CancellationIn)
def cancel(number: int, body: shapes.CancellationIn) -> Answer:
    """Cancel with a code and a reason (M9)."""
    target = other_ticket(body.target)
    try:
        incidents.cancel(desk(), auth.current_actor(), number, body.code, body.reason, target, seen_version())
    except NotFound as error:
        if target is None or str(target) not in str(error):
            raise
        raise BadInput({"target": str(error)}) from error
    return show.incident(number)

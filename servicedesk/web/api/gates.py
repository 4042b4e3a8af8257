"""The records that gates rest on: resolution, verification, confirmation, explanation, second-person requests."""

from __future__ import annotations

from typing import Literal

from flask import Blueprint

from servicedesk.errors import NotFound
from servicedesk.services import resolution, second_person
from servicedesk.store.views import gates, requests
from servicedesk.store.views.paging import Page
from servicedesk.store.views.requests import Request
from servicedesk.web import auth, inputs
from servicedesk.web.context import desk
from servicedesk.web.preconditions import seen_version
from servicedesk.web.route import STAFF, Answer, route

from . import shapes, show
from .common import action, other_ticket

bp = Blueprint("api_gates", __name__, url_prefix="/api/v1")


class RequestQuery(shapes.Paged, frozen=True, kw_only=True):
    """status "asked": those that can still be answered."""

    status: Literal["", "asked", "approved", "refused", "expired"] = ""


@action(bp, "resolution", shapes.ResolutionIn)
def resolve(number: int, body: shapes.ResolutionIn) -> Answer:
    """Say how it was solved (M4)."""
    with inputs.named(cause="cause_class"):
        resolution.resolve(
            desk(),
            auth.current_actor(),
            number,
            body.code,
            body.cause_class,
            body.notes,
            explanation=body.explanation,
            review_body=body.review,
            version=seen_version(),
        )
    return show.incident(number)


@route(bp, "GET", "/incidents/<number:number>/verifications", scope="read", role=STAFF, answer=Page[gates.Verification])
def list_verifications(number: int) -> Page[gates.Verification]:
    """List verifications of every cycle, the oldest first."""
    with desk().read() as tx:
        return Page(gates.verifications(tx, number))


@route(
    bp,
    "POST",
    "/incidents/<number:number>/verifications",
    scope="work",
    body=shapes.VerificationIn,
    answer=gates.Verification,
    status=201,
    version=True,
    once=True,
)
def verify(number: int, body: shapes.VerificationIn) -> Answer:
    """State what was tested, with evidence (G6)."""
    actor, version = auth.current_actor(), seen_version()
    resolution.verify(
        desk(), actor, number, body.verdict, body.tested, body.evidence, body.no_new_problem, version=version
    )
    with desk().read() as tx:
        spoken = [v for v in gates.verifications(tx, number) if v.kind == "person"]
    return Answer(spoken[-1], 201)


@route(bp, "GET", "/incidents/<number:number>/confirmation", scope="read", answer=Page[gates.Confirmation])
def list_confirmations(number: int) -> Page[gates.Confirmation]:
    """List confirmations and rejections of every cycle, the oldest first."""
    with desk().read() as tx:
        return Page(gates.confirmations(tx, number))


@action(bp, "confirmation", shapes.ConfirmationIn)
def confirm(number: int, body: shapes.ConfirmationIn) -> Answer:
    """Say whether the problem is solved (G7)."""
    resolution.confirm(desk(), auth.current_actor(), number, body.accepted, body.comment, seen_version(), body.silent)
    return show.incident(number)


@action(bp, "explanation", shapes.TextIn)
def explain(number: int, body: shapes.TextIn) -> Answer:
    """Write the closing explanation for the requester (G10)."""
    resolution.explain(desk(), auth.current_actor(), number, body.text, seen_version())
    return show.incident(number)


@route(bp, "GET", "/second-person-requests", scope="read", role=STAFF, query=RequestQuery, answer=Page[Request])
def list_requests(query: RequestQuery) -> Page[Request]:
    """List what waits, or waited, for another person."""
    with desk().read() as tx:
        return requests.requests(tx, status=query.status, cursor=query.cursor, limit=query.limit)


@route(bp, "GET", "/incidents/<number:number>/second-person-requests", scope="read", role=STAFF, answer=Page[Request])
def list_requests_of(number: int) -> Page[Request]:
    """List the second-person requests of a ticket."""
    with desk().read() as tx:
        return requests.requests(tx, incident_id=number, limit=500)


@route(
    bp,
    "POST",
    "/incidents/<number:number>/second-person-requests",
    scope="work",
    body=shapes.SecondPersonIn,
    answer=Request,
    status=201,
    once=True,
)
def ask(number: int, body: shapes.SecondPersonIn) -> Answer:
    """Ask a second person to decide."""
    target = other_ticket(body.target)
    new = second_person.ask(desk(), auth.current_actor(), number, body.kind, body.reason, body.code, target)
    return Answer(_request(new), 201, location=f"/api/v1/second-person-requests/{new}")


@route(bp, "GET", "/second-person-requests/<int:request_id>", scope="read", role=STAFF, answer=Request)
def show_request(request_id: int) -> Request:
    """Show a second-person request."""
    return _request(request_id)


@route(
    bp,
    "POST",
    "/second-person-requests/<int:request_id>/approval",
    scope="work",
    body=shapes.CommentText,
    answer=Request,
    once=True,
)
def approve_request(request_id: int, body: shapes.CommentText) -> Request:
    """Approve it as the second person."""
    second_person.approve(desk(), auth.current_actor(), request_id, body.comment)
    return _request(request_id)


@route(
    bp,
    "POST",
    "/second-person-requests/<int:request_id>/refusal",
    scope="work",
    body=shapes.CommentText,
    answer=Request,
    once=True,
)
def refuse_request(request_id: int, body: shapes.CommentText) -> Request:
    """Refuse it as the second person, with a reason."""
    second_person.refuse(desk(), auth.current_actor(), request_id, body.comment)
    return _request(request_id)


def _request(request_id: int) -> Request:
    with desk().read() as tx:
        found = requests.find(tx, request_id)
    if found is None:
        raise NotFound(f"There is no second-person request {request_id}.")
    return found

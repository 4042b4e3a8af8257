"""Silences in the Alertmanager, set from a ticket; what a sender's own automatic handling did to one."""

from __future__ import annotations

import msgspec
from flask import Blueprint

from servicedesk.domain.incident import AGENT, parse_number
from servicedesk.errors import BadInput, NotFound
from servicedesk.services import automation
from servicedesk.services import silences as service
from servicedesk.store.views import silences
from servicedesk.store.views.paging import Page
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.route import STAFF, Answer, route

from . import shapes

bp = Blueprint("api_silences", __name__, url_prefix="/api/v1")
_SILENCES = "/incidents/<number:number>/silences"


class SilenceIn(msgspec.Struct, frozen=True):
    """alert: silence this member alert alone; without, all that have the labels which the ticket's alerts share."""

    until: shapes.Time
    reason: str
    alert: int | None = None


class SilencePatch(msgspec.Struct, frozen=True):
    """reason: "" keeps the old one."""

    until: shapes.Time
    reason: str = ""


class ReportIn(msgspec.Struct, frozen=True):
    """What ran. outcome: started, succeeded, failed or skipped; url: where its log is."""

    name: str
    outcome: str
    summary: str = ""
    details: str = ""
    url: str = ""


class AlertReportIn(ReportIn, frozen=True):
    """The same for the open ticket of an alert: by its labels, or its fingerprint; or for a ticket with one of ours."""

    number: str = ""
    labels: dict[str, str] = {}
    fingerprint: str = ""


class PostedOut(msgspec.Struct, frozen=True):
    """seq: of the line on the ticket's timeline, null where the ticket was found by its alert."""

    number: str
    seq: int | None


@route(bp, "GET", _SILENCES, scope="read", role=STAFF, answer=Page[silences.Silence])
def list_silences(number: int) -> Page[silences.Silence]:
    """List the silences that were set from a ticket, those that hold first."""
    with desk().read() as tx:
        return Page(silences.of_ticket(tx, number))


@route(bp, "POST", _SILENCES, scope="work", body=SilenceIn, answer=silences.Silence, status=201, once=True)
def set_silence(number: int, body: SilenceIn) -> Answer:
    """Silence the ticket's alerts in the Alertmanager; its comment names author and ticket."""
    row = service.silence(desk(), auth.current_actor(), number, body.until, body.reason, body.alert)
    return Answer(_one(number, row), 201)


@route(bp, "PATCH", _SILENCES + "/<int:silence>", scope="work", body=SilencePatch, answer=silences.Silence)
def extend_silence(number: int, silence: int, body: SilencePatch) -> silences.Silence:
    """Let a silence end at another time."""
    service.extend(desk(), auth.current_actor(), number, silence, body.until, body.reason)
    return _one(number, silence)


@route(bp, "DELETE", _SILENCES + "/<int:silence>", scope="work", answer=silences.Silence)
def expire_silence(number: int, silence: int) -> silences.Silence:
    """End a silence now."""
    service.expire(desk(), auth.current_actor(), number, silence)
    return _one(number, silence)


@route(
    bp, "POST", "/incidents/<number:number>/automation", scope="work", role=AGENT, body=ReportIn,
    answer=PostedOut, status=201, once=True,
)  # fmt: skip
def report(number: int, body: ReportIn) -> Answer:
    """Write what automatic handling did to a ticket's timeline, as actor “automation”."""
    what = automation.Report(body.name, body.outcome, body.summary, body.details, body.url)
    seq = automation.report(desk(), auth.current_actor(), number, what)
    return Answer(PostedOut(f"INC-{number}", seq), 201)


@route(bp, "POST", "/automation", scope="ingest", body=AlertReportIn, answer=PostedOut, status=201, once=True)
def report_on_alert(body: AlertReportIn) -> Answer:
    """The same with a sender's token, for the open ticket of one of its alerts."""
    what = automation.Report(body.name, body.outcome, body.summary, body.details, body.url)
    if body.number:
        named = parse_number(body.number)
        if named is None:
            raise BadInput({"number": "Write the ticket’s number, for example INC-42."})
        return Answer(PostedOut(f"INC-{named}", automation.report(desk(), auth.current_actor(), named, what)), 201)
    number = automation.report_on_alert(desk(), auth.current_actor(), what, body.labels, body.fingerprint)
    return Answer(PostedOut(f"INC-{number}", None), 201)


def _one(number: int, row_id: int) -> silences.Silence:
    with desk().read() as tx:
        found = next((s for s in silences.of_ticket(tx, number) if s.id == row_id), None)
    if found is None:
        raise NotFound("The ticket has no such silence.")
    return found

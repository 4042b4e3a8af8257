"""Checks: asked of a ticket's playbooks and taken back, what was found, what would be asked, and the switch of all."""

from __future__ import annotations

from datetime import datetime

import msgspec
from flask import Blueprint, Response

from servicedesk.errors import NotFound
from servicedesk.services import checks as service
from servicedesk.services import playbooks
from servicedesk.services.shared.asking import Dry
from servicedesk.store.views import checks, observations
from servicedesk.store.views.paging import Page
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.route import STAFF, Answer, route

from . import shapes, whole

bp = Blueprint("api_checks", __name__, url_prefix="/api/v1")
_CHECKS = "/incidents/<number:number>/checks"
_RUN = "/incidents/<number:number>/playbook-runs/<int:run>"
_STEP = _RUN + "/steps/<step>"


class BranchIn(msgspec.Struct, frozen=True):
    """branch: its id in the decision."""

    branch: str


class FeedbackIn(msgspec.Struct, frozen=True):
    """step: the one that helped most."""

    helped: bool
    step: str = ""


class StopIn(msgspec.Struct, frozen=True):
    """reason: shown to everybody while no check begins."""

    reason: str


class StoppedOut(msgspec.Struct, frozen=True):
    """at: "" when the configuration stops them."""

    by: str
    at: str
    reason: str


class SwitchOut(msgspec.Struct, frozen=True):
    """stopped: null while checks run; hour: executions of the last hour, by verdict."""

    stopped: StoppedOut | None
    waiting: int
    queued: int
    running: int
    hour: dict[str, int]


class WatchedOut(msgspec.Struct, frozen=True):
    """A fix under observation. ends_at: of its soak window at the earliest; due_at: of the next look; soak: seconds."""

    number: str
    run_id: int
    playbook: str
    title: str
    cycle: int
    state: str
    begun_at: datetime
    ends_at: datetime
    soak: int
    due_at: datetime
    look: int
    failing: int
    reason: str


@route(bp, "GET", _CHECKS, scope="read", role=STAFF, query=shapes.Paged, answer=Page[shapes.CheckOut])
def list_checks(number: int, query: shapes.Paged) -> Page[shapes.CheckOut]:
    """List everything that was asked for a ticket, the newest first."""
    with desk().read() as tx:
        page = checks.listed(tx, number, query.cursor, query.limit)
    return Page(tuple(whole.check_out(one) for one in page.items), page.next)


@route(bp, "GET", _CHECKS + "/<int:ask>", scope="read", role=STAFF, answer=shapes.CheckOut)
def show_check(number: int, ask: int) -> shapes.CheckOut:
    """Show one asking of a check."""
    return whole.check_out(_one(number, ask))


@route(bp, "GET", _CHECKS + "/<int:ask>/output", scope="read", role=STAFF, media="text/plain")
def check_output(number: int, ask: int) -> Response:
    """The kept output of a check, as text."""
    found = _one(number, ask)
    with desk().read() as tx:
        text = checks.output(tx, found.check_run) if found.check_run is not None else ""
    return Response(text, content_type="text/plain; charset=utf-8")


@route(bp, "GET", _RUN + "/plan", scope="read", role=STAFF, answer=Page[Dry])
def plan_run(number: int, run: int) -> Page[Dry]:
    """Say exactly what each check of a playbook would ask, of whom; nothing is asked."""
    return Page(playbooks.plan(desk(), number, run)[1])


@route(bp, "POST", _STEP + "/check", scope="work", answer=shapes.CheckOut, status=202, once=True)
def ask_check(number: int, run: int, step: str) -> Answer:
    """Ask a step's check now, again or for the first time; `verify:` and an id names one of the verify section."""
    ask = playbooks.run_check(desk(), auth.current_actor(), number, run, step)
    return Answer(whole.check_out(_one(number, ask)), 202, location=f"/api/v1/incidents/INC-{number}/checks/{ask}")


@route(bp, "DELETE", _STEP + "/check", scope="work", status=204)
def cancel_check(number: int, run: int, step: str) -> Answer:
    """Take back a check that waits or runs; its answer is not told."""
    playbooks.cancel_check(desk(), auth.current_actor(), number, run, step)
    return Answer(status=204)


@route(bp, "POST", _STEP + "/branch", scope="work", body=BranchIn, status=204, once=True)
def take_branch(number: int, run: int, step: str, body: BranchIn) -> Answer:
    """Take a branch of a decision, also another than before."""
    playbooks.choose(desk(), auth.current_actor(), number, run, step, body.branch)
    return Answer(status=204)


@route(bp, "PUT", _RUN + "/feedback", scope="work", body=FeedbackIn, status=204)
def feedback(number: int, run: int, body: FeedbackIn) -> Answer:
    """Say whether a playbook helped, and which of its steps most."""
    playbooks.helped(desk(), auth.current_actor(), number, run, body.helped, body.step)
    return Answer(status=204)


@route(bp, "GET", "/observations", scope="read", role=STAFF, answer=Page[WatchedOut])
def list_observations() -> Page[WatchedOut]:
    """List the fixes that are under observation now, the next look first."""
    with desk().read() as tx:
        found = observations.watched(tx)
    names = WatchedOut.__struct_fields__
    return Page(tuple(WatchedOut(**{n: getattr(w, n) for n in names}) for w in found))


@route(bp, "GET", "/checks", scope="read", role=STAFF, answer=SwitchOut)
def show_switch() -> SwitchOut:
    """Say whether checks run, and how many wait."""
    stopped = service.stopped(desk())
    with desk().read() as tx:
        load = checks.load(tx)
    said = StoppedOut(stopped["by"], stopped["at"], stopped["reason"]) if stopped else None
    return SwitchOut(said, load.waiting, load.queued, load.running, load.hour)


@route(bp, "PUT", "/checks/stop", scope="work", body=StopIn, answer=SwitchOut)
def stop_checks(body: StopIn) -> SwitchOut:
    """Stop all checks until they are started again."""
    service.stop(desk(), auth.current_actor(), body.reason)
    return show_switch()


@route(bp, "DELETE", "/checks/stop", scope="work", answer=SwitchOut)
def start_checks() -> SwitchOut:
    """Let checks run again."""
    service.start(desk(), auth.current_actor())
    return show_switch()


def _one(number: int, ask: int) -> checks.Shown:
    with desk().read() as tx:
        found = checks.one(tx, number, ask)
    if found is None:
        raise NotFound(f"The ticket has no check {ask}.")
    return found

"""Playbooks: those that the desk knows, and their use on tickets."""

from __future__ import annotations

from typing import Literal

import msgspec
from flask import Blueprint

from servicedesk.domain.playbook import Playbook
from servicedesk.errors import NotFound
from servicedesk.services import playbooks
from servicedesk.store.views import ticket
from servicedesk.store.views.paging import Page
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.route import STAFF, Answer, route

from . import shapes, whole

bp = Blueprint("api_playbooks", __name__, url_prefix="/api/v1")
_RUNS = "/incidents/<number:number>/playbook-runs"


class PlaybookRow(msgspec.Struct, frozen=True):
    """hash: SHA-256 of its source text."""

    id: str
    title: str
    summary: str
    owner: str
    hash: str
    steps: int


class PlaybookOut(msgspec.Struct, frozen=True):
    id: str
    title: str
    summary: str
    owner: str
    hash: str
    estimated_minutes: int | None
    source: str


class RunIn(msgspec.Struct, frozen=True):
    """playbook: its id."""

    playbook: str


class StepIn(msgspec.Struct, frozen=True):
    """What became of a step; a skip needs a note that says why."""

    outcome: Literal["done", "skipped", "failed"]
    note: str = ""


@route(bp, "GET", "/playbooks", scope="read", role=STAFF, answer=Page[PlaybookRow])
def list_playbooks() -> Page[PlaybookRow]:
    """List the playbooks, by id."""
    found = desk().playbooks.all
    return Page(tuple(PlaybookRow(p.id, p.title, p.summary, p.owner, p.version, len(p.steps)) for p in found))


@route(bp, "GET", "/playbooks/<playbook>", scope="read", role=STAFF, answer=PlaybookOut)
def show_playbook(playbook: str) -> PlaybookOut:
    """Show a playbook with its source."""
    found: Playbook | None = desk().playbooks.get(playbook)
    if found is None:
        raise NotFound(f"There is no playbook {playbook!r}.")
    return PlaybookOut(
        found.id, found.title, found.summary, found.owner, found.version, found.estimated_minutes, found.source
    )


@route(bp, "GET", _RUNS, scope="read", role=STAFF, answer=Page[shapes.RunOut])
def list_runs(number: int) -> Page[shapes.RunOut]:
    """List the playbooks of a ticket with what was recorded of their steps."""
    with desk().read() as tx:
        return Page(tuple(whole.run_out(r) for r in ticket.runs(tx, number)))


@route(bp, "POST", _RUNS, scope="work", body=RunIn, answer=shapes.RunOut, status=201, once=True)
def attach(number: int, body: RunIn) -> Answer:
    """Attach a playbook by hand."""
    run = playbooks.attach_by_hand(desk(), auth.current_actor(), number, body.playbook)
    return Answer(_run(number, run), 201)


@route(bp, "POST", _RUNS + "/<int:run>/steps/<step>", scope="work", body=StepIn, answer=shapes.RunOut, once=True)
def record_step(number: int, run: int, step: str, body: StepIn) -> shapes.RunOut:
    """Record what became of a step."""
    actor = auth.current_actor()
    playbooks.record_step(desk(), actor, number, run, step, body.outcome, body.note)
    return _run(number, run)


def _run(number: int, run: int) -> shapes.RunOut:
    with desk().read() as tx:
        found = next((r for r in ticket.runs(tx, number) if r.id == run), None)
    if found is None:
        raise NotFound(f"The ticket has no playbook run {run}.")
    return whole.run_out(found)

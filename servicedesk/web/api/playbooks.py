"""Playbooks: those that the desk knows, and their use on tickets."""

from __future__ import annotations

from typing import Literal

import msgspec
from flask import Blueprint

from servicedesk.domain.playbook import Playbook
from servicedesk.errors import NotFound
from servicedesk.services import learning, playbooks, previews
from servicedesk.services.shared.asking import Dry
from servicedesk.store.views import checks, ticket
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


class Search(msgspec.Struct, frozen=True):
    """q: words that stand in its title, summary, owner, conditions or steps."""

    q: str = ""


class LabelsIn(msgspec.Struct, frozen=True):
    """Labels of an alert."""

    labels: dict[str, str] = {}


class PlanOut(msgspec.Struct, frozen=True):
    """values: what it takes from the labels; problems: of each other parameter, why not; checks: what they ask."""

    values: dict[str, str]
    problems: dict[str, str]
    checks: tuple[Dry, ...]


class PreviewOut(msgspec.Struct, frozen=True):
    """checks: as they stand now; `state` says which are under way."""

    preview: int
    checks: list[shapes.CheckOut]


class UseOut(msgspec.Struct, frozen=True):
    """runs: tickets that it was attached to; minutes: the median from attachment to resolved."""

    playbook: str
    runs: int
    worked_on: int
    helped: int
    in_vain: int
    minutes: float | None


class StepUseOut(msgspec.Struct, frozen=True):
    """helped: how often it was named as what helped most; seconds: the median that its check took."""

    step: str
    done: int
    skipped: int
    failed: int
    left_out: int
    helped: int
    verdicts: dict[str, int]
    minutes: float | None
    seconds: float | None


class WithoutOut(msgspec.Struct, frozen=True):
    """An alert name without a playbook; labels: of the newest, as an example."""

    name: str
    episodes: int
    alerts: int
    labels: dict[str, str]


class CoverageOut(msgspec.Struct, frozen=True):
    """Of the last 90 days. covered: names that have a playbook today; without: the most frequent first."""

    names: int
    covered: int
    episodes: int
    covered_episodes: int
    without: list[WithoutOut]
    unused: list[str]


class RunIn(msgspec.Struct, frozen=True):
    """playbook: its id."""

    playbook: str


class StepIn(msgspec.Struct, frozen=True):
    """What became of a step; a skip needs a note that says why."""

    outcome: Literal["done", "skipped", "failed"]
    note: str = ""


@route(bp, "GET", "/playbooks", scope="read", role=STAFF, query=Search, answer=Page[PlaybookRow])
def list_playbooks(query: Search) -> Page[PlaybookRow]:
    """List the playbooks, by id."""
    found = learning.search(desk().playbooks.all, query.q)
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


@route(bp, "POST", "/playbooks/<playbook>/plan", scope="read", role=STAFF, body=LabelsIn, answer=PlanOut)
def plan(playbook: str, body: LabelsIn) -> PlanOut:
    """Say exactly what a playbook would ask for an alert with these labels; nothing is asked."""
    _book, values, dry = previews.plan(desk(), playbook, body.labels)
    return PlanOut(dict(values.values), dict(values.problems), dry)


@route(
    bp, "POST", "/playbooks/<playbook>/previews", scope="work", body=LabelsIn, answer=PreviewOut, status=202, once=True
)
def begin_preview(playbook: str, body: LabelsIn) -> Answer:
    """Ask every check of a playbook for an alert with these labels, without a ticket."""
    number = previews.begin(desk(), auth.current_actor(), playbook, body.labels)
    return Answer(show_preview(playbook, number), 202, location=f"/api/v1/playbooks/{playbook}/previews/{number}")


@route(bp, "GET", "/playbooks/<playbook>/previews/<int:preview>", scope="read", role=STAFF, answer=PreviewOut)
def show_preview(playbook: str, preview: int) -> PreviewOut:
    """Show what a trial has found so far."""
    with desk().read() as tx:
        found = checks.previewed(tx, preview, playbook)
    if not found:
        raise NotFound("There is no such trial.")
    return PreviewOut(preview, [whole.check_out(one) for one in found])


@route(bp, "GET", "/playbook-statistics", scope="read", role=STAFF, answer=Page[UseOut])
def list_use() -> Page[UseOut]:
    """List how playbooks were used in the last 90 days, the most used first."""
    used = sorted(learning.used(desk()).items(), key=lambda pair: -pair[1].runs)
    return Page(tuple(UseOut(name, u.runs, u.worked_on, u.helped, u.in_vain, u.minutes) for name, u in used))


@route(bp, "GET", "/playbook-statistics/<playbook>", scope="read", role=STAFF, answer=Page[StepUseOut])
def list_step_use(playbook: str) -> Page[StepUseOut]:
    """List what became of the steps of a playbook in the last 90 days."""
    found = learning.steps(desk(), playbook)
    names = [n for n in StepUseOut.__struct_fields__ if n not in ("step", "verdicts")]
    return Page(
        tuple(
            StepUseOut(step=step, verdicts=dict(u.verdicts), **{n: getattr(u, n) for n in names})
            for step, u in found.items()
        )
    )


@route(bp, "GET", "/playbook-coverage", scope="read", role=STAFF, answer=CoverageOut)
def show_coverage() -> CoverageOut:
    """Say which alerts of the last 90 days have a playbook today, and which have none."""
    c = learning.coverage(desk())
    without = [WithoutOut(s.name, s.episodes, s.alerts, s.labels) for s in c.without]
    return CoverageOut(c.names, c.covered, c.episodes, c.covered_episodes, without, [p.id for p in c.unused])


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

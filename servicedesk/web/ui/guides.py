"""The playbooks of a ticket as its page shows them: steps with their texts, results beside them, branches, the fix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from servicedesk.config import Config
from servicedesk.domain.playbook import VERIFY, Decision, Step
from servicedesk.services import checks
from servicedesk.services.playbooks import RunState, with_texts
from servicedesk.services.shared.asking import not_possible
from servicedesk.store.views import checks as check_views
from servicedesk.store.views import observations, ticket
from servicedesk.store.views.checks import Shown
from servicedesk.store.views.observations import Watched
from servicedesk.web.context import desk

from .filters import zone
from .plots import plot

Found = Mapping[tuple[int, str, bool], Shown]


@dataclass(frozen=True, slots=True)
class StepShown:
    """A step: what the playbook says, what was recorded, what was found.

    asks: it has a check; barred: why that cannot be asked here; means: what to think of the verdict, in Markdown.
    """

    step: str
    title: str
    instruction: str
    mandatory: bool
    outcome: str
    note: str
    actor: str
    at: Any
    asks: bool
    auto: bool
    barred: str
    check: Shown | None
    means: str
    decision: Decision | None
    branch: str
    left_out: bool


@dataclass(frozen=True, slots=True)
class VerifyShown:
    """A check of the verify section: before: when the ticket opened; now: the newest look."""

    step: str
    title: str
    barred: str
    before: Shown | None
    now: Shown | None


@dataclass(frozen=True, slots=True)
class RunShown:
    """A playbook's use with the texts of the source that was attached. current: the step that is next."""

    id: int
    playbook: str
    title: str
    hash: str
    summary: str
    links: tuple[Any, ...]
    steps: tuple[StepShown, ...]
    verify: tuple[VerifyShown, ...]
    watched: Watched | None
    done: int
    current: str
    checks: int
    helped: bool | None
    helped_step: str


@dataclass(frozen=True, slots=True)
class Panel:
    """Everything that the playbook panel shows. stamp: changes with it; busy: a check is under way."""

    runs: tuple[RunShown, ...]
    stamp: str
    busy: bool
    stopped: dict[str, Any] | None


def panel(t: ticket.Ticket) -> Panel:
    """The panel of a ticket: few queries, whatever it carries."""
    with desk().read() as tx:
        found, mark = check_views.newest(tx, t.id), check_views.stamp(tx, t.id)
        watched = {(w.run_id, w.cycle): w for w in observations.of_ticket(tx, t.id)}
        attached = ticket.runs(tx, t.id)
    stopped = checks.stopped(desk())
    drawn = tuple(_run(run, found, watched.get((run.id, t.cycle))) for run in attached)
    return Panel(drawn, _mark(mark, stopped), any(one.under_way for one in found.values()), stopped)


def stamp(number: int) -> str:
    """Changes with the ticket's timeline, its checks, and the switch of all checks."""
    with desk().read() as tx:
        mark = check_views.stamp(tx, number)
    return _mark(mark, checks.stopped(desk()))


def _mark(mark: str, stopped: Mapping[str, Any] | None) -> str:
    return mark + ("-stopped" if stopped else "")


def _run(run: ticket.Run, found: Found, watched: Watched | None) -> RunShown:
    state = with_texts(run)
    config = desk().config
    steps = tuple(_steps(state, found, config))
    verify = tuple(_verify(state, found, config))
    done = sum(1 for s in steps if s.outcome in ("done", "skipped"))
    current = next((s.step for s in steps if not s.outcome), "")
    asks = sum(1 for s in steps if s.asks) + len(verify)
    book = state.playbook
    return RunShown(
        *(run.id, run.playbook, run.title, run.hash, book.summary, book.links, steps, verify, watched, done, current),
        *(asks, run.helped, run.helped_step),
    )


def _steps(state: RunState, found: Found, config: Config) -> Iterator[StepShown]:
    for text, recorded in state.steps:
        check = found.get((state.recorded.id, text.id, False)) if text.check else None
        yield StepShown(
            *(text.id, text.title, text.instruction, recorded.mandatory, recorded.outcome, recorded.note),
            *(recorded.actor, recorded.at, text.check is not None, text.auto, _barred(text, config), check),
            text.means.get(check.verdict, "") if check and not check.under_way else "",
            *(text.decision, recorded.branch, recorded.left_out),
        )


def _barred(step: Step, config: Config) -> str:
    return not_possible(step.check, config) if step.check else ""


def _verify(state: RunState, found: Found, config: Config) -> Iterator[VerifyShown]:
    run, book = state.recorded.id, state.playbook
    for one in book.verify.checks if book.verify else ():
        step = VERIFY + one.id
        before, now = found.get((run, step, True)), found.get((run, step, False))
        yield VerifyShown(step, one.title, not_possible(one.check, config), before, now)


def plotted(found: Mapping[str, Any], title: str) -> Markup:
    """The series of a check's result as SVG; empty where there is nothing to draw."""
    return plot(found.get("series") or (), found.get("unit") or "", zone(), title)

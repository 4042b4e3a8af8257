"""Working with the playbooks of a ticket: attach one by hand, record what became of a step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from alert_receivers.event import visible
from servicedesk import metrics
from servicedesk.desk import Desk
from servicedesk.domain.incident import AGENT, WORKING, Action, Actor
from servicedesk.domain.incident import number as shown
from servicedesk.domain.parameters import Values, fill_text, resolve
from servicedesk.domain.playbook import OUTCOMES, Playbook, Step
from servicedesk.errors import BadInput, Conflict, NotAllowed, NotFound
from servicedesk.files import playbooks as files
from servicedesk.services.shared import asking, facts, timeline
from servicedesk.services.shared import playbooks as shared
from servicedesk.services.shared.timeline import Line
from servicedesk.services.shared.transition import judged
from servicedesk.store import checks
from servicedesk.store import playbooks as store
from servicedesk.store.db import Tx
from servicedesk.store.playbooks import Attach
from servicedesk.store.views import ticket as ticket_views
from servicedesk.store.views.ticket import Run
from servicedesk.store.views.ticket import Step as RecordedStep

MAX_NOTE = 20_000


@dataclass(frozen=True, slots=True)
class RunState:
    """A playbook's use on a ticket, told from the source text that was attached, not from today's file.

    steps: each instruction with what was recorded of it (outcome "" while it is open), in their order.
    """

    recorded: Run
    playbook: Playbook
    steps: tuple[tuple[Step, RecordedStep], ...]


def runs(desk: Desk, number: int) -> tuple[RunState, ...]:
    """The playbooks of a ticket, in the order of attachment; none for a ticket that does not exist."""
    with desk.read() as tx:
        return tuple(with_texts(run) for run in ticket_views.runs(tx, number))


def with_texts(run: Run) -> RunState:
    """A run as the database has it, with the texts of its stored source."""
    playbook = files.stored(run.source)
    values = resolve(playbook.parameters, run.labels)
    texts = {s.id: _filled(s, playbook, values) for s in playbook.steps}
    return RunState(run, playbook, tuple((texts[s.step], s) for s in run.steps))


def _filled(step: Step, playbook: Playbook, values: Values) -> Step:
    """The step's texts with the values of the alert."""
    if not playbook.parameters:
        return step
    means = {v: fill_text(text, playbook.parameters, values) for v, text in step.means.items()}
    return replace(step, instruction=fill_text(step.instruction, playbook.parameters, values), means=means)


def attach_by_hand(desk: Desk, actor: Actor, number: int, playbook_id: str) -> int:
    """Attach a playbook that did not come by itself; answers the run's id.

    Raises NotFound (ticket), BadInput (no such playbook), Conflict (attached already), Refused.
    """
    playbook = desk.playbooks.get(playbook_id)
    if playbook is None:
        raise BadInput({"playbook": f"There is no playbook {playbook_id!r}: see `servicedesk playbook list`."})

    def change(tx: Tx) -> int:
        judged(facts.load(tx, desk, number), actor, Action("work_steps"))
        if (number, playbook.id) in store.attached(tx, [number]):
            raise Conflict(f"{shown(number)} has the playbook {playbook.id!r} already.")
        run_id = shared.put(tx, desk, [Attach(number, playbook, store.subject(tx, number))], actor)[number, playbook.id]
        tx.after_commit.append(lambda: desk.wake.notify("changes"))
        return run_id

    return desk.write(change)


def record_step(desk: Desk, actor: Actor, number: int, run_id: int, step_id: str, outcome: str, note: str = "") -> None:
    """Record that a step was done, skipped (with a reason) or failed. A later record replaces the outcome; the
    timeline keeps every one.

    Raises NotFound (ticket, run or step), BadInput (outcome; a skip without a reason), Refused.
    """
    note = _checked(outcome, note)

    def change(tx: Tx) -> None:
        judged(facts.load(tx, desk, number), actor, Action("work_steps"))
        run = _found(store.run_of(tx, number, run_id), number, run_id)
        try:
            before = store.record(tx, run_id, step_id, outcome, note, actor.id, tx.now)
        except KeyError:
            raise NotFound(f"The playbook {run.playbook!r} has no step {step_id!r}.") from None
        step = files.stored(run.source).step(step_id)
        content = {
            "event": outcome,
            "playbook": run.playbook,
            "version": run.hash,
            "run": run_id,
            "step": step_id,
            "title": step.title if step else step_id,
            "note": note,
        }
        if before is not None:
            content["before"] = before
        timeline.append(tx, desk, Line(number, "playbook_step", content, actor))
        tx.after_commit.append(lambda: metrics.playbook_step("manual", outcome))
        tx.after_commit.append(lambda: desk.wake.notify("changes"))

    desk.write(change)


def run_check(desk: Desk, actor: Actor, number: int, run_id: int, step_id: str) -> int:
    """Ask a step's check now, again or for the first time; "verify:" + id names one of the verify section.

    Answers the asking's id. Raises NotFound, BadInput (it cannot be asked here), Refused.
    """

    def change(tx: Tx) -> int:
        run = _run(tx, desk, actor, number, run_id)
        spec = files.stored(run.source).check(step_id)
        if spec is None:
            raise NotFound(f"The playbook {run.playbook!r} has no check {step_id!r}.")
        if why := _barred(tx, desk) or asking.not_possible(spec, desk.config):
            raise BadInput({"check": why})
        ask = {"incident_id": number, "run_id": run_id, "hash": run.hash, "step": step_id, "asked_by": actor.id}
        tx.after_commit.append(lambda: desk.wake.notify("changes"))
        return asking.add_one(tx, desk, ask | {"purpose": asking.PERSON, "priority": asking.URGENT})

    return desk.write(change)


def plan(desk: Desk, number: int, run_id: int) -> tuple[RunState, tuple[asking.Dry, ...]]:
    """What each check of a playbook on a ticket would ask, exactly; nothing is asked. Raises NotFound."""
    state = next((run for run in runs(desk, number) if run.recorded.id == run_id), None)
    if state is None:
        raise NotFound(f"{shown(number)} has no playbook run {run_id}.")
    values = resolve(state.playbook.parameters, state.recorded.labels)
    return state, asking.dry_run(state.playbook, values, desk.config)


def cancel_check(desk: Desk, actor: Actor, number: int, run_id: int, step_id: str) -> None:
    """Take back a check that waits or runs; its answer is not told. Raises NotFound, Refused."""

    def change(tx: Tx) -> None:
        run = _run(tx, desk, actor, number, run_id)
        if checks.cancel(tx, number, run_id, step_id):
            said = {"event": "cancelled", "playbook": run.playbook, "run": run_id, "step": step_id}
            timeline.append(tx, desk, Line(number, "check", said, actor))
            tx.after_commit.append(lambda: desk.wake.notify("changes"))

    desk.write(change)


def choose(desk: Desk, actor: Actor, number: int, run_id: int, step_id: str, branch_id: str) -> None:
    """Take a branch of a decision, also another than before. Raises NotFound, BadInput, Refused."""

    def change(tx: Tx) -> None:
        judged(facts.load(tx, desk, number), actor, Action("work_steps"))
        run = _found(store.run_of(tx, number, run_id), number, run_id)
        step = files.stored(run.source).step(step_id)
        if step is None or step.decision is None:
            raise NotFound(f"The playbook {run.playbook!r} has no decision {step_id!r}.")
        branch = step.decision.branch(branch_id)
        if branch is None:
            raise BadInput({"branch": f"One of {', '.join(b.id for b in step.decision.branches)}."})
        before = store.outcomes(tx, run_id)[step_id][1]
        left = step.decision.left_out(branch.id)
        store.record(tx, run_id, step_id, "done", branch.title, actor.id, tx.now)
        store.branch(tx, run_id, step_id, branch.id, left, f"Another way was taken: {branch.title}")
        said = {"event": "branch", "playbook": run.playbook, "run": run_id, "step": step_id, "title": step.title}
        said |= {"branch": branch.id, "answer": branch.title, "left_out": list(left)}
        said |= {"before": before} if before else {}
        timeline.append(tx, desk, Line(number, "playbook_step", said, actor))
        tx.after_commit.append(lambda: desk.wake.notify("changes"))

    desk.write(change)


def helped(desk: Desk, actor: Actor, number: int, run_id: int, yes: bool, step_id: str = "") -> None:
    """Whether the playbook helped, and which of its steps most: asked on resolving. Raises NotFound, NotAllowed."""
    if not actor.has(AGENT):
        raise NotAllowed("Only agents say whether a playbook helped.")

    def change(tx: Tx) -> None:
        facts.load(tx, desk, number)
        run = _found(store.run_of(tx, number, run_id), number, run_id)
        if step_id and files.stored(run.source).step(step_id) is None:
            raise NotFound(f"The playbook {run.playbook!r} has no step {step_id!r}.")
        store.feedback(tx, run_id, yes, step_id, actor.id)
        said = {"event": "helped" if yes else "did_not_help", "playbook": run.playbook, "run": run_id, "step": step_id}
        timeline.append(tx, desk, Line(number, "playbook", said, actor))
        tx.after_commit.append(lambda: desk.wake.notify("changes"))

    desk.write(change)


def _run(tx: Tx, desk: Desk, actor: Actor, number: int, run_id: int) -> Any:
    """The run, for somebody who may ask its checks: while it is worked on, or verified. Raises NotFound, Refused."""
    f = facts.load(tx, desk, number)
    judged(f, actor, Action("work_steps" if f.status in WORKING else "verify"))
    return _found(store.run_of(tx, number, run_id), number, run_id)


def _found(run: Any, number: int, run_id: int) -> Any:
    if run is None:
        raise NotFound(f"{shown(number)} has no playbook run {run_id}.")
    return run


def _barred(tx: Tx, desk: Desk) -> str:
    """Why no check begins now; "": they run."""
    if not desk.config.checks.enabled:
        return "Checks are switched off in the configuration (checks.enabled)."
    stop = asking.stopped(tx)
    return f"All checks are stopped by {stop['by']}: {stop['reason']}" if stop else ""


def _checked(outcome: str, note: str) -> str:
    note = visible(note.strip())
    if outcome not in OUTCOMES:
        raise BadInput({"outcome": f"Say what became of the step: one of {', '.join(OUTCOMES)}."})
    if outcome == "skipped" and not note:
        raise BadInput({"note": "Say why the step is skipped."})
    if len(note) > MAX_NOTE:
        raise BadInput({"note": f"Keep it under {MAX_NOTE} characters; attach longer output as a file."})
    return note

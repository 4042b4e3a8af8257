"""Working with the playbooks of a ticket: attach one by hand, record what became of a step."""

from __future__ import annotations

from dataclasses import dataclass

from alert_receivers.event import visible
from servicedesk import metrics
from servicedesk.desk import Desk
from servicedesk.domain.incident import Action, Actor
from servicedesk.domain.incident import number as shown
from servicedesk.domain.playbook import OUTCOMES, Playbook, Step
from servicedesk.errors import BadInput, Conflict, NotFound
from servicedesk.files import playbooks as files
from servicedesk.services.shared import facts, timeline
from servicedesk.services.shared import playbooks as shared
from servicedesk.services.shared.timeline import Line
from servicedesk.services.shared.transition import judged
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
    texts = {s.id: s for s in playbook.steps}
    return RunState(run, playbook, tuple((texts[s.step], s) for s in run.steps))


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
        run = store.run_of(tx, number, run_id)
        if run is None:
            raise NotFound(f"{shown(number)} has no playbook run {run_id}.")
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


def _checked(outcome: str, note: str) -> str:
    note = visible(note.strip())
    if outcome not in OUTCOMES:
        raise BadInput({"outcome": f"Say what became of the step: one of {', '.join(OUTCOMES)}."})
    if outcome == "skipped" and not note:
        raise BadInput({"note": "Say why the step is skipped."})
    if len(note) > MAX_NOTE:
        raise BadInput({"note": f"Keep it under {MAX_NOTE} characters; attach longer output as a file."})
    return note

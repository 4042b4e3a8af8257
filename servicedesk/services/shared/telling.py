"""What was found is told: the step is done, a decision taken, a line on the timeline, an observation concluded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from servicedesk import metrics
from servicedesk.desk import Desk
from servicedesk.domain import incident as words
from servicedesk.domain.checks import INCONCLUSIVE
from servicedesk.domain.playbook import Playbook, Step
from servicedesk.files import playbooks as files
from servicedesk.services.shared import asking, observing, timeline
from servicedesk.services.shared.timeline import Line
from servicedesk.store import checks as store
from servicedesk.store import playbooks as books
from servicedesk.store.checks import Answered
from servicedesk.store.db import Tx

NOTE = 500


def tell(tx: Tx, desk: Desk, batch: Sequence[Answered]) -> int:
    """Tell these answers; what another node told meanwhile is left alone. Answers how many were told."""
    tickets = store.lock_incidents(tx, {a.incident_id for a in batch if a.incident_id is not None})
    ours = store.settle(tx, [a.id for a in batch])
    told = [a for a in batch if a.id in ours]
    lines: list[Line] = []
    for answer in told:
        ticket = tickets.get(answer.incident_id) if answer.incident_id is not None else None
        if ticket is not None and answer.purpose in (asking.OPENING, asking.PERSON):
            lines += _step(tx, answer, working=ticket.status in words.WORKING, open_=ticket.status in words.UNCLOSED)
    timeline.append_many(tx, desk, lines)
    for observation_id in dict.fromkeys(a.observation_id for a in told if a.observation_id is not None):
        observing.conclude(tx, desk, observation_id)
    if told:
        tx.after_commit.append(lambda: desk.wake.notify("changes"))
    return len(told)


def _step(tx: Tx, answer: Answered, working: bool, open_: bool) -> list[Line]:
    """A diagnosis: its line, and what it settles while the ticket is worked on."""
    playbook = files.stored(answer.source)
    step = playbook.step(answer.step)
    if step is None or answer.run_id is None or answer.incident_id is None or not open_:
        return []
    said: dict[str, Any] = {
        "event": "checked",
        "playbook": playbook.id,
        "run": answer.run_id,
        "step": step.id,
        "title": step.title,
        "check": answer.type,
        "check_run": answer.check_run_id,
        "verdict": answer.verdict,
        "summary": answer.summary,
    }
    if answer.asked_by is not None:
        said["asked_by"] = answer.asked_by
    lines = [Line(answer.incident_id, "check", said)]
    kind, verdict = answer.type, answer.verdict
    tx.after_commit.append(lambda: metrics.playbook_step(kind, verdict))
    if working and answer.verdict != INCONCLUSIVE:
        done = books.outcomes(tx, answer.run_id)
        if done.get(step.id, ("", None))[0] is None:
            note = f"{answer.verdict}: {answer.summary}"[:NOTE]
            books.record(tx, answer.run_id, step.id, "done", note, answer.asked_by, tx.now)
        lines += _decisions(tx, answer, playbook, step, done)
    return lines


def _decisions(
    tx: Tx, answer: Answered, playbook: Playbook, step: Step, done: dict[str, tuple[str | None, str | None]]
) -> list[Line]:
    """Branches that this verdict takes by itself, where nobody has taken one yet."""
    lines = []
    for fork in playbook.steps:
        if fork.decision is None or fork.decision.by != step.id or done.get(fork.id, ("", ""))[0] is not None:
            continue
        branch = fork.decision.taken_on(answer.verdict)
        if branch is None or answer.run_id is None or answer.incident_id is None:
            continue
        note = f"{branch.title} ({step.title}: {answer.verdict})"
        books.record(tx, answer.run_id, fork.id, "done", note[:NOTE], None, tx.now)
        left = fork.decision.left_out(branch.id)
        books.branch(tx, answer.run_id, fork.id, branch.id, left, f"Another way was taken: {branch.title}")
        said = {"event": "branch", "playbook": playbook.id, "run": answer.run_id, "step": fork.id}
        said |= {"title": fork.title, "branch": branch.id, "answer": branch.title, "left_out": list(left)}
        lines.append(Line(answer.incident_id, "playbook_step", said))
    return lines

"""Fixes that verify themselves: the verify section of a ticket's playbooks, watched from “resolved” through its soak.

The rules are in domain.verification. Each look asks every check of the section, and the source of the alerts; when all
have answered, what follows is written in one transaction with the ticket's lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain import incident as words
from servicedesk.domain import verification as rules
from servicedesk.domain.checks import FAIL, PASS, CheckSpec
from servicedesk.domain.incident import SYSTEM, Facts
from servicedesk.domain.matchers import matcher
from servicedesk.domain.playbook import VERIFY, Playbook
from servicedesk.domain.verification import Compared, Decision, Finding, Window
from servicedesk.files import playbooks as files
from servicedesk.services.shared import asking, setback, timeline
from servicedesk.services.shared import facts as loader
from servicedesk.services.shared.judge import judge
from servicedesk.services.shared.timeline import Line
from servicedesk.store import checks as asks
from servicedesk.store import gates
from servicedesk.store import observations as store
from servicedesk.store.checks import Answered
from servicedesk.store.db import Tx

SOURCE = "source"  # the step by which the source of the alerts is asked
MEMBERS = 50  # alerts that the source is asked about
EVIDENCE = 15_000


def source_spec(tx: Tx, incident_id: int) -> CheckSpec | None:
    """Is any of the ticket's alerts still in the Alertmanager, silenced or not? None: it has none."""
    labels = [found for found in store.member_labels(tx, incident_id, MEMBERS) if found.get("alertname")]
    if not labels:
        return None
    name = labels[0]["alertname"]
    exact = [one for one in labels if one["alertname"] == name]
    quoted = str(matcher("alertname", "=", name)).replace("${", "$${")
    return CheckSpec("alertmanager", {"matchers": [quoted], "exact": exact, "expect": "gone"})


def look(tx: Tx, desk: Desk, observation_id: int) -> None:
    """Begin the next look; an observation whose ticket has moved on ends. The caller holds the ticket's lock."""
    row = store.one(tx, observation_id)
    ticket = asks.lock_incidents(tx, [row.incident_id])[row.incident_id]
    if row.state != rules.WATCHING or row.looking:
        return
    if ticket.status not in (words.RESOLVED, words.REVIEW) or ticket.cycle != row.cycle:
        store.change(tx, row.id, {"state": rules.VOID, "ended_at": tx.now})
        return
    playbook = files.stored(row.source)
    number = row.look + 1
    steps = list(asking.in_force(playbook, desk.config))
    if desk.config.alertmanager.url and source_spec(tx, row.incident_id) is not None:
        steps.append(VERIFY + SOURCE)
    base = {"incident_id": row.incident_id, "run_id": row.run_id, "hash": row.hash, "cycle": row.cycle}
    base |= {"observation_id": row.id, "look": number, "purpose": asking.VERIFICATION, "priority": asking.VERIFYING}
    asking.add(tx, desk, [base | {"step": step} for step in steps])
    store.change(tx, row.id, {"look": number, "looking": bool(steps), "looked_at": tx.now})
    if not steps:  # what it would ask is not configured any more
        store.change(tx, row.id, {"state": rules.VOID, "ended_at": tx.now, "reason": "Nothing can be asked any more."})
        judge(tx, desk, row.incident_id)


def conclude(tx: Tx, desk: Desk, observation_id: int) -> None:
    """What follows from a look, once every question of it is answered. The caller holds the ticket's lock."""
    row = store.one(tx, observation_id)
    if row.state != rules.WATCHING or not row.looking or asks.open_asks(tx, row.id, row.look):
        return
    f = loader.load(tx, desk, row.incident_id)
    if f.status not in (words.RESOLVED, words.REVIEW) or f.cycle != row.cycle:
        store.change(tx, row.id, {"state": rules.VOID, "ended_at": tx.now, "looking": False})
        return
    playbook = files.stored(row.source)
    compared = _compared(tx, playbook, row)
    begun = max(t for t in (row.begun_at, f.quiet_from) if t is not None)
    decision = rules.judge(Window(begun, timedelta(seconds=row.soak), row.look, row.failing), compared, tx.now)
    _write(tx, row, decision)
    if decision.state in (rules.PASSED, rules.FAILED, rules.UNCLEAR) or (decision.unclear and not row.told):
        _record(tx, desk, f, row, playbook, compared, decision)
    elif decision.failing or row.failing:
        _tell(tx, desk, row, playbook, decision)


def _compared(tx: Tx, playbook: Playbook, row: Any) -> list[Compared]:
    before = asks.baselines(tx, row.run_id)
    texts = {VERIFY + c.id: (c.title, c.baseline) for c in (playbook.verify.checks if playbook.verify else ())}
    texts[VERIFY + SOURCE] = ("The Alertmanager has none of the alerts any more", None)
    found = []
    for answer in asks.of_look(tx, row.id, row.look):
        title, baseline = texts.get(answer.step, (answer.step, None))
        old = before.get(answer.step)
        found.append(rules.compare(_finding(title, answer), None if old is None else _finding(title, old), baseline))
    return found


def _finding(title: str, answer: Answered) -> Finding:
    return Finding(title, answer.verdict, answer.summary, answer.value)


def _write(tx: Tx, row: Any, decision: Decision) -> None:
    values: dict[str, Any] = {"looking": False, "failing": decision.failing, "reason": decision.reason[:1000]}
    values |= {"told": row.told or decision.unclear, "state": decision.state}
    values |= {"due_at": decision.next} if decision.next else {"ended_at": tx.now}
    store.change(tx, row.id, values)


def _record(
    tx: Tx, desk: Desk, f: Facts, row: Any, playbook: Playbook, compared: Sequence[Compared], decision: Decision
) -> None:
    """The record that guard G6 reads, its line on the timeline, and the move that follows."""
    verdict = {rules.PASSED: PASS, rules.FAILED: FAIL}.get(decision.state, "inconclusive")
    told = {
        "verdict": verdict,
        "tested": rules.tested(playbook.title, timedelta(seconds=row.soak), row.look),
        "evidence": "\n".join(c.evidence for c in compared)[:EVIDENCE] or decision.reason,
        "no_new_problem": verdict == PASS,
    }
    key = {"incident_id": f.id, "cycle": f.cycle, "kind": "playbook", "at": tx.now}
    gates.add_verification(tx, key | told)
    content = {"cycle": f.cycle, "kind": "playbook", "playbook": playbook.id, "run": row.run_id} | told
    timeline.append(tx, desk, Line(f.id, "verification", content, SYSTEM, "G6"))
    tx.after_commit.append(lambda: desk.wake.notify("changes"))
    if verdict == FAIL:
        setback.back_to_work(tx, desk, f, SYSTEM, "verification", f"Verification failed: {decision.reason}"[:2000])
    else:
        judge(tx, desk, f.id)


def _tell(tx: Tx, desk: Desk, row: Any, playbook: Playbook, decision: Decision) -> None:
    """A look that failed once, and what the second one found."""
    content = {"event": "observed", "playbook": playbook.id, "run": row.run_id, "title": playbook.title}
    content |= {"verdict": FAIL if decision.failing else PASS, "summary": decision.reason[:1000]}
    timeline.append(tx, desk, Line(row.incident_id, "check", content))
    tx.after_commit.append(lambda: desk.wake.notify("changes"))

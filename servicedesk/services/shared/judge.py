"""The system's own moves M5 and M6, judged in the transaction of every record that a guard reads."""

from __future__ import annotations

from datetime import datetime

from servicedesk.desk import Desk
from servicedesk.domain import incident as words
from servicedesk.domain.guards import blank
from servicedesk.domain.incident import SYSTEM, Action, Facts
from servicedesk.domain.lifecycle import decide
from servicedesk.errors import Refused
from servicedesk.services.shared import facts as loader
from servicedesk.services.shared import notify, timeline, transition
from servicedesk.services.shared.notify import Notice
from servicedesk.services.shared.timeline import Line
from servicedesk.store import gates, tickets
from servicedesk.store.db import Tx


def judge(tx: Tx, desk: Desk, incident_id: int) -> str:
    """Record a quiet window that has passed, then take M5 and M6 as far as every guard holds; answers the status."""
    facts = loader.load(tx, desk, incident_id)
    while facts.status in (words.RESOLVED, words.REVIEW):
        if _record_quiet(tx, desk, facts):
            facts = loader.load(tx, desk, incident_id)
        if not _step(tx, desk, facts):
            break
        facts = loader.load(tx, desk, incident_id)
    _schedule(tx, facts, loader.due_at(facts))
    return facts.status


def _record_quiet(tx: Tx, desk: Desk, f: Facts) -> bool:
    """The monitor's own evidence: a verification, and the confirmation where there is no requester."""
    if not f.alert_born or not f.quiet or loader.due_at(f) is None or f.quiet_from is None:
        return False
    minutes = int(f.quiet_window.total_seconds() // 60)
    tested = f"No alert of the ticket fired for {minutes} minutes"
    count = "1 alert" if len(f.alerts) == 1 else f"{len(f.alerts)} alerts"
    evidence = f"{count} quiet from {f.quiet_from:%Y-%m-%d %H:%M:%S} to {f.now:%Y-%m-%d %H:%M:%S} UTC"
    record = {"incident_id": f.id, "cycle": f.cycle, "kind": "quiet_window", "at": tx.now}
    passed = {"verdict": "pass", "tested": tested, "evidence": evidence, "no_new_problem": True}
    gates.add_verification(tx, record | passed)
    said = {"cycle": f.cycle, "kind": "quiet_window"}
    timeline.append(tx, desk, Line(f.id, "verification", said | passed, SYSTEM, "G6"))
    if f.requester_id is None:
        gates.add_confirmation(tx, record | {"accepted": True, "comment": tested})
        timeline.append(
            tx, desk, Line(f.id, "confirmation", said | {"accepted": True, "comment": tested}, SYSTEM, "G7")
        )
    return True


def _step(tx: Tx, desk: Desk, f: Facts) -> bool:
    action = Action("advance" if f.status == words.RESOLVED else "close")
    try:
        decide(f, SYSTEM, action)
    except Refused:
        return False
    if action.name == "advance":
        transition.perform(tx, desk, f, SYSTEM, action)
    else:
        _close(tx, desk, f, action)
    return True


def _close(tx: Tx, desk: Desk, f: Facts, action: Action) -> None:
    if f.requester_id is not None and not blank(f.explanation):
        said = {"text": f.explanation, "public": True, "closing": True}
        timeline.append(tx, desk, Line(f.id, "message", said, SYSTEM, "G10"))
        notify.enqueue(tx, desk, [Notice("closed", f.id, str(f.cycle), {"text": f.explanation})])
    transition.perform(tx, desk, f, SYSTEM, action, {"closed_at": tx.now, "due_at": None})


def _schedule(tx: Tx, f: Facts, due: datetime | None) -> None:
    """The instant at which the worker judges again."""
    if f.status in words.UNCLOSED:
        tickets.change(tx, f.id, {"due_at": due, "quiet_from": f.quiet_from})

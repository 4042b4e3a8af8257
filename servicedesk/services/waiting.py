"""The worker of waiting: rungs of the reminder ladder, dates to look again, tickets that nobody touches.

Each ticket in a transaction of its own; what was late is done once and keeps its distance to what follows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain import incident as words
from servicedesk.domain import waiting as rules
from servicedesk.domain.business_time import add_days
from servicedesk.domain.guards import blank
from servicedesk.domain.incident import SYSTEM, Action, Facts
from servicedesk.domain.policy import Days
from servicedesk.domain.waiting import END, REMIND, Attempt, Rung
from servicedesk.services.shared import facts as loader
from servicedesk.services.shared import notify, timeline, transition
from servicedesk.services.shared.judge import judge
from servicedesk.services.shared.notify import Notice
from servicedesk.services.shared.timeline import Line
from servicedesk.services.shared.waiting import OVER, STOPPED, next_look
from servicedesk.store import gates, tickets
from servicedesk.store import waiting as store
from servicedesk.store.db import Priority, Tx

DAILY = Days(1, business=True)


def run_due(desk: Desk) -> int:
    """Do every rung, look and alarm of ageing that is due; answers how many tickets were looked at. Raises Busy."""
    with desk.read() as tx:
        work: list[tuple[Callable[[Tx, Desk, Any], None], list[int]]] = [
            (_rung, store.due_rungs(tx)),
            (_look, store.due_looks(tx)),
            (_stale, store.stale(tx, desk.policy.ageing.stale)),
        ]
    for act, numbers in work:
        for number in numbers:
            desk.write(lambda tx, a=act, n=number: _locked(tx, desk, a, n), Priority.SLICE)  # type: ignore[misc]
    return sum(len(numbers) for _, numbers in work)


def _locked(tx: Tx, desk: Desk, act: Callable[[Tx, Desk, Any], None], number: int) -> None:
    row = store.lock(tx, number)
    if row is not None:
        act(tx, desk, row)


# --- the ladder -----------------------------------------------------------------------------------------------------


def _rung(tx: Tx, desk: Desk, row: Any) -> None:
    if row.ladder_due_at is None or row.ladder_due_at > tx.now:
        return  # another node did it, or somebody answered
    f = loader.of_row(tx, desk, row)
    if f.confirmations and f.confirmations[-1].accepted:  # confirmed, but not verified yet: nobody is asked again
        tickets.change(tx, row.id, STOPPED)
        return
    made = store.attempts(tx, row.id, row.ladder_from)
    if row.ladder_step >= OVER:
        _lead_decides(tx, desk, f, made, "Still undecided.")
        return
    ladder = _ladder(desk, f)
    step: int = row.ladder_step
    rung = ladder[min(step, len(ladder) - 1)]
    due = rules.next_due(desk.policy.calendar, ladder, step, row.ladder_from, tx.now)
    tickets.change(tx, row.id, {"ladder_step": step + 1, "ladder_due_at": due})
    if rung.act == REMIND:
        _remind(tx, desk, row, f, step + 1)
    elif rung.act == END:
        _end(tx, desk, f, made)
    else:
        _tell_lead(tx, desk, row, f, made)


def _ladder(desk: Desk, f: Facts) -> tuple[Rung, ...]:
    ageing = desk.policy.ageing
    return (
        rules.silence(ageing.silence)
        if f.status == words.RESOLVED
        else rules.question(ageing.waiting_reminders, f.urgency)
    )


def _key(row: Any, step: int) -> str:
    return f"{row.ladder_from.isoformat()}:{step}"


def _remind(tx: Tx, desk: Desk, row: Any, f: Facts, count: int) -> None:
    resolved = f.status == words.RESOLVED
    event = "remind" if resolved else "question_reminder"
    text = row.explanation if resolved else store.last_question(tx, f.id)
    _line(tx, desk, f.id, "reminder", event, f"Reminder {count} to the requester.")
    notify.enqueue(tx, desk, [Notice(event, f.id, _key(row, count), {"text": text or ""})])


def _tell_lead(tx: Tx, desk: Desk, row: Any, f: Facts, made: tuple[Attempt, ...]) -> None:
    event = "silent" if f.status == words.RESOLVED else "no_answer"
    text = _attempted(desk, made)
    _line(tx, desk, f.id, "alarm", event, f"The requester does not answer. {text}")
    to = [f.owner_id] if f.owner_id is not None and event == "no_answer" else []
    notify.enqueue(tx, desk, [Notice(event, f.id, _key(row, OVER), {"text": text, "to": to})])


def _attempted(desk: Desk, made: tuple[Attempt, ...]) -> str:
    sent = rules.listed(made, desk.policy.calendar.timezone)
    return f"Sent: {sent}." if sent else "No message has reached the requester."


def _end(tx: Tx, desk: Desk, f: Facts, made: tuple[Attempt, ...]) -> None:
    """D+7: silence confirms where the policy lets it and the requester was really asked; else the lead decides."""
    why_not = rules.bars_silence(desk.policy.ageing.silence, f, made)
    if why_not:
        _lead_decides(tx, desk, f, made, why_not)
        return
    zone, window = desk.policy.calendar.timezone, f.reopen_window
    language = store.requester_language(tx, f.requester_id or 0)
    asked, taken = (rules.explained(key, made, zone, language, window) for key in ("asked", "taken"))
    parts = [f.explanation] if not blank(f.explanation, f.template_notes) else []
    explanation = "\n\n".join([*parts, f"{asked} {taken}"])
    tickets.change(tx, f.id, STOPPED | {"explanation": explanation})
    _line(tx, desk, f.id, "explanation", "silence", explanation, "G10")
    record = {"cycle": f.cycle, "accepted": True, "kind": "implicit", "comment": asked}
    gates.add_confirmation(tx, record | {"incident_id": f.id, "at": tx.now})
    timeline.append(tx, desk, Line(f.id, "confirmation", record, SYSTEM, "G7"))
    notify.enqueue(tx, desk, [Notice("silence_confirmed", f.id, str(f.cycle), {"text": explanation})])
    judge(tx, desk, f.id)


def _lead_decides(tx: Tx, desk: Desk, f: Facts, made: tuple[Attempt, ...], why: str) -> None:
    """Asked again every business day until the lead has decided or the requester has answered."""
    due = add_days(desk.policy.calendar, tx.now, DAILY)
    tickets.change(tx, f.id, {"ladder_step": OVER, "ladder_due_at": due})
    text = f"{why} {_attempted(desk, made)}"
    _line(tx, desk, f.id, "alarm", "lead_decides", f"The requester does not answer: the lead decides. {text}")
    notify.enqueue(tx, desk, [Notice("lead_decides", f.id, tx.now.isoformat(), {"text": text})])


def attach_automatic(desk: Desk, number: int, text: str, why: str) -> int:
    """Mail that a machine wrote (domain.automatic): kept on the ticket, and nothing else: no move, no clock, no notice.

    Answers its seq in the timeline. Raises NotFound.
    """

    def change(tx: Tx) -> int:
        loader.lock(tx, number)
        said = {"event": "automatic_mail", "text": text[:20_000], "why": why, "public": False}
        return timeline.append(tx, desk, Line(number, "automatic", said, SYSTEM))

    return desk.write(change)


# --- looking again, and ageing --------------------------------------------------------------------------------------


def _look(tx: Tx, desk: Desk, row: Any) -> None:
    """The date has come: a ticket that waited until now goes on, of any other the owner is told to look."""
    if row.status != words.PENDING or row.next_look_at is None or row.next_look_at > tx.now:
        return
    if row.hold_until is not None and row.hold_until <= tx.now:
        action = Action("resume", reason="The date has come until which it waited.")
        transition.perform(tx, desk, loader.of_row(tx, desk, row), SYSTEM, action, {"waiting_on": "none"})
        notify.enqueue(tx, desk, [Notice("resumed", row.id, row.hold_until.isoformat())])
        return
    tickets.change(tx, row.id, {"next_look_at": next_look(desk, row.hold_reason or "", tx.now)})
    _line(tx, desk, row.id, "alarm", "look", "It still waits: somebody looks again.")
    notify.enqueue(tx, desk, [Notice("look", row.id, row.next_look_at.isoformat())])


def _stale(tx: Tx, desk: Desk, row: Any) -> None:
    """No person has acted for long: the owner is told, then the leads, then both again and again."""
    if row.status not in words.UNCLOSED or (row.stale_due_at is not None and row.stale_due_at > tx.now):
        return
    ageing, step, since = desk.policy.ageing, row.stale_step, row.activity_at or row.created_at
    if since > tx.now - ageing.stale:
        return  # somebody acted meanwhile
    due = tx.now + rules.stale_after(ageing, step + 1)
    store.set_stale(tx, [{"ticket": row.id, "step": step + 1, "due": due}])
    days = (tx.now - since).days
    _line(tx, desk, row.id, "alarm", "stale", f"Nobody has worked on it for {days} days.")
    event = "stale" if step == 0 and row.owner_id is not None else "stale_lead"
    to = [row.owner_id] if event == "stale_lead" and row.owner_id is not None else []
    notify.enqueue(tx, desk, [Notice(event, row.id, f"{since.isoformat()}:{step}", {"days": days, "to": to})])


def _line(tx: Tx, desk: Desk, number: int, kind: str, event: str, text: str, rule: str = "") -> None:
    timeline.append(tx, desk, Line(number, kind, {"event": event, "text": text}, SYSTEM, rule))

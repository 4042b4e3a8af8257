"""The way of a ticket: MOVES between states and ACTS within them, who may do them, and what bars them. Pure.

`decide` answers the move or raises Refused with every unmet guard; `allowed` draws buttons and the API's `actions`;
`checklist` says what is missing before closing. There is no move to `closed` that a person can ask for: M6 belongs
to the system, which takes it when the last guard holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from servicedesk.errors import Refusal, Refused

from .guards import G1, G1_IF_OWNED, G2, G3, G4, G5, G6, G7, G8, G9, G10, G11, G12, Guard
from .incident import (
    AGENT,
    CANCEL_REASONS,
    CANCELLED,
    CLOSED,
    HOLD_REASONS,
    IN_PROGRESS,
    LEAD,
    NEW,
    PENDING,
    RESOLVED,
    REVIEW,
    REVIEWER,
    TAKEN_BY_ANOTHER,
    UNCLOSED,
    WORKING,
    Action,
    Actor,
    Facts,
    number,
)

Who = Callable[[Facts, Action, Actor], str | None]  # None: may; else the sentence why not


@dataclass(frozen=True, slots=True)
class Move:
    """One line of the table: rule id, from, action, to, who, guards, and its sentence."""

    id: str
    sources: tuple[str, ...]
    action: str
    target: str
    who: Who
    guards: tuple[Guard, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Act:
    """Something done within a state: no move, but the same rights, guards and refusals."""

    action: str
    states: tuple[str, ...]
    who: Who
    guards: tuple[Guard, ...]
    text: str


def _agent(_f: Facts, _a: Action, w: Actor) -> str | None:
    return None if w.has(AGENT) else "Only agents may do this."


def _agent_or_desk(f: Facts, a: Action, w: Actor) -> str | None:
    """The desk itself too: automatic assignment, and tickets of who is not there."""
    return None if w.system else _agent(f, a, w)


def _lead(_f: Facts, _a: Action, w: Actor) -> str | None:
    return None if w.has(LEAD) else "Only a lead may do this."


def _system(_f: Facts, _a: Action, w: Actor) -> str | None:
    return None if w.system else "Only the desk itself does this, when every guard holds."


def _owner_or_lead(f: Facts, _a: Action, w: Actor) -> str | None:
    if w.has(LEAD) or (w.has(AGENT) and w.id == f.owner_id and w.id is not None):
        return None
    return "Only its owner or a lead may do this."


def _is_requester(f: Facts, w: Actor) -> bool:
    return w.id is not None and w.id == f.requester_id and w.may("work")


def _resume(f: Facts, a: Action, w: Actor) -> str | None:
    return None if w.system or _is_requester(f, w) else _owner_or_lead(f, a, w)


def _reopen(f: Facts, a: Action, w: Actor) -> str | None:
    return None if w.system or _is_requester(f, w) else _owner_or_lead(f, a, w)


def _reopen_closed(f: Facts, _a: Action, w: Actor) -> str | None:
    if w.has(LEAD):
        return None
    if not _is_requester(f, w):
        return "Only a lead, or the requester within the reopening window, may reopen a closed ticket."
    if f.closed_at is not None and f.now <= f.closed_at + f.reopen_window:
        return None
    return f"The requester may reopen within {f.reopen_window.days} days after closing: open a new ticket instead."


def _person(f: Facts, _a: Action, w: Actor) -> str | None:
    return None if w.has(AGENT) or w.has(REVIEWER) or _is_requester(f, w) else "This ticket is not yours."


def _confirm(f: Facts, _a: Action, w: Actor) -> str | None:
    if _is_requester(f, w):
        return None
    if f.requester_id is None:
        if f.alert_born:
            return "The monitor confirms it when the quiet window has passed."
        return None if w.has(LEAD) else "Without a requester the team's lead confirms."
    if not w.has(AGENT):
        return "Only the requester confirms, or an agent who asked the requester by phone."
    if w.id == f.resolver_id:
        return "The resolver cannot record the requester's confirmation: another agent does."
    return None


def _verify(f: Facts, _a: Action, w: Actor) -> str | None:
    return None if w.system or (w.has(AGENT) and w.id is not None) else "Only agents verify a fix."


def _submit(_f: Facts, _a: Action, w: Actor) -> str | None:
    return None if w.has(AGENT) or w.has(AGENT, "review") else "Only agents hand a review in."


def _approve(f: Facts, _a: Action, w: Actor) -> str | None:
    if w.id is None:
        return "Only a person with an account approves."
    r = f.review
    depth = f.review_depth if r is None else max((r.depth, f.review_depth), key=("micro", "lite", "full").index)
    if depth == "micro":
        return None if w.has(AGENT, "review") or w.has(REVIEWER) else "Only agents approve a micro review."
    role = REVIEWER if depth == "full" else AGENT
    if not (w.has(role, "review") or (role == AGENT and w.has(REVIEWER))):
        return f"A {depth} review is approved by {'a reviewer' if role == REVIEWER else 'another agent'}."
    if f.solo_mode:
        return None
    if r is not None and w.id in r.authors:
        return "Who wrote in a review cannot approve it."
    if w.id == f.resolver_id:
        return "The resolver cannot approve the review."
    if r is not None and w.id in r.approvals:
        return "You approved it already: a P1 needs a second approver."
    return None


def _waive(f: Facts, _a: Action, w: Actor) -> str | None:
    if not w.has(LEAD):
        return "Only a lead may waive a review."
    if f.ever(1):
        return "The review of a P1 cannot be waived."
    if not {f.top_priority or 3, f.priority or 3} <= set(f.waivable):
        return f"By the policy only the review of {_listed(f.waivable)} may be waived."
    authors = f.review.authors if f.review else ()
    if w.id in (f.owner_id, f.resolver_id, *authors):
        return "A review is waived by a lead who is neither owner, resolver nor author."
    return None


def _unblock(_f: Facts, _a: Action, w: Actor) -> str | None:
    return None if w.has(LEAD) or w.has(REVIEWER) else "Only a lead or a reviewer takes “blocking” off a follow-up."


def _cancel(f: Facts, a: Action, w: Actor) -> str | None:
    if w.system and a.code == "merged":  # alerts that turned out to belong to another untouched ticket
        return None
    if a.code in ("false_positive", "not_an_incident"):
        return _lead(f, a, w)
    return _agent(f, a, w)


def _cancel_code(f: Facts, a: Action, _w: Actor) -> str | None:
    if a.code not in CANCEL_REASONS:
        return f"Say why it is cancelled: one of {', '.join(CANCEL_REASONS)}."
    if a.code in ("spam", "withdrawn", "declined") and (f.requester_id is None or f.alert_born):
        return f"“{a.code}” is only for tickets with a requester and without alerts."
    if a.code in TAKEN_BY_ANOTHER and (a.target is None or a.target == f.id):
        return "Name the open ticket that takes its alerts."
    if a.code in ("false_positive", "not_an_incident") and any(x.status == "firing" for x in f.alerts):
        return "An alert of it fires right now: silence or fix it first."
    return None


def _second_person(f: Facts, a: Action, w: Actor) -> str | None:
    if w.system or not f.ever(*f.cancelled_by_two) or f.solo_mode:
        return None
    agreed = f.cancellations_approved
    if not agreed:
        return f"A {_listed(f.cancelled_by_two)} is cancelled by two people: ask a second person."
    asked = (a.code, a.target if a.code in TAKEN_BY_ANOTHER else None)
    if not a.code or asked in agreed:  # without a code: a dialog that is about to ask for it
        return None
    shown = " or ".join(f"“{code}”" + (f" into {number(target)}" if target else "") for code, target in agreed)
    return f"The second person agreed to {shown}: cancel it so, or ask again."


def _listed(priorities: tuple[int, ...]) -> str:
    return " or ".join(f"P{p}" for p in priorities) or "no priority"


def _hold(f: Facts, a: Action, _w: Actor) -> str | None:
    if a.code not in HOLD_REASONS:
        return f"Say what it waits for: one of {', '.join(HOLD_REASONS)}."
    if a.code == "requester" and not a.public_question:
        return "Waiting for the requester needs a public question to them."
    if a.code == "requester" and f.requester_id is None:
        return "There is no requester to wait for."
    if a.code == "postponed" and (a.until is None or a.until <= f.now):
        return "Postponing needs a date in the future."
    return None


CANCEL_CODE = Guard("M9", "A cancellation reason that fits", "cancellation", _cancel_code, asks=True)
SECOND_PERSON = Guard("M9", "A second person for P1 and P2", "second-person-requests", _second_person)
HOLD_CODE = Guard("M3", "What it waits for", "hold", _hold, asks=True)

MOVES: tuple[Move, ...] = (
    Move("M2", (NEW,), "take", IN_PROGRESS, _agent_or_desk, (G1, G11), "An owner begins to work on it."),
    Move("M3", (IN_PROGRESS,), "hold", PENDING, _owner_or_lead, (HOLD_CODE, G11), "It waits for something outside."),
    Move("M3", (PENDING,), "resume", IN_PROGRESS, _resume, (G11,), "Work goes on."),
    Move(
        "M4",
        (IN_PROGRESS, PENDING),
        "resolve",
        RESOLVED,
        _owner_or_lead,
        (G1, G2, G3, G4, G5, G11),
        "The fix is documented; verification and confirmation begin.",
    ),
    Move("M4a", (NEW,), "auto_resolve", RESOLVED, _system, (G2, G5), "It recovered by itself before anybody looked."),
    Move("M5", (RESOLVED,), "advance", REVIEW, _system, (G5, G6, G7), "Verified and confirmed: the review is due."),
    Move(
        "M6",
        (REVIEW,),
        "close",
        CLOSED,
        _system,
        (G1_IF_OWNED, G2, G3, G4, G5, G6, G7, G8, G9, G10),
        "Every gate has passed.",
    ),
    Move("M7", (RESOLVED, REVIEW), "reopen", IN_PROGRESS, _reopen, (G11, G12), "Not solved: a new cycle begins."),
    Move("M8", (CLOSED,), "reopen", IN_PROGRESS, _reopen_closed, (G11, G12), "Reopened: a new cycle begins."),
    Move(
        "M9",
        WORKING,
        "cancel",
        CANCELLED,
        _cancel,
        (CANCEL_CODE, G12, SECOND_PERSON, G11),
        "Not handled as an incident.",
    ),
    Move("M10", (CANCELLED,), "reopen", IN_PROGRESS, _lead, (G11, G12), "Cancelled by mistake: a new cycle begins."),
)

_REVIEWABLE = (RESOLVED, REVIEW, CANCELLED)
ACTS: tuple[Act, ...] = (
    Act("assign", WORKING, _agent_or_desk, (G11,), "Give it an owner or a team."),
    Act("acknowledge", UNCLOSED, _agent, (), "Say that somebody is on it."),
    Act("edit", UNCLOSED, _agent, (G11,), "Change title, category, impact, urgency, service, tags."),
    Act("comment", (*UNCLOSED, CLOSED, CANCELLED), _person, (), "Add a note or a public message."),
    Act("work_steps", WORKING, _agent, (), "Record playbook steps and sub-tasks."),
    Act("verify", (RESOLVED, REVIEW), _verify, (G11,), "State what was tested, with evidence."),
    Act("confirm", (RESOLVED,), _confirm, (G11,), "Say whether the problem is solved."),
    Act("explain", (RESOLVED, REVIEW), _owner_or_lead, (G11,), "Write the closing explanation for the requester."),
    Act("write_review", _REVIEWABLE, _agent, (), "Write the review."),
    Act("submit_review", _REVIEWABLE, _submit, (), "Hand the review in."),
    Act("approve_review", (REVIEW, CANCELLED), _approve, (), "Approve the review."),
    Act("request_changes", (RESOLVED, REVIEW, CANCELLED), _approve, (), "Ask for changes to the review."),
    Act("waive_review", (REVIEW,), _waive, (G12,), "Waive the review, visibly in the reports."),
    Act("add_action", _REVIEWABLE, _agent, (), "Add or change follow-up actions."),
    Act("unblock_action", _REVIEWABLE, _unblock, (G12,), "Let it close before a blocking follow-up is done."),
    Act("ask_second_person", WORKING, _agent, (), "Ask a second person to decide."),
)
ACTIONS = tuple(dict.fromkeys([m.action for m in MOVES] + [a.action for a in ACTS]))
CLOSING = next(m for m in MOVES if m.id == "M6")


def decide(facts: Facts, actor: Actor, action: Action) -> Move | Act:
    """The move or act that is asked for; raises Refused with every unmet guard and where to fix it."""
    found = _find(facts.status, action.name)
    if found is None:
        raise Refused([Refusal("A", "state", _not_now(facts.status, action.name), "status")])
    refusals = _refusals(found, facts, actor, action, dialog=False)
    if refusals:
        raise Refused(refusals)
    return found


def allowed(facts: Facts, actor: Actor) -> dict[str, tuple[Refusal, ...] | None]:
    """Every action that exists in this state: None when it may be tried, else why not.

    What a dialog asks for (reason, code, notes) does not bar it here: `decide` judges that when it is sent.
    """
    answer: dict[str, tuple[Refusal, ...] | None] = {}
    for name in ACTIONS:
        found = _find(facts.status, name)
        if found is not None and found.who is not _system:
            refusals = _refusals(found, facts, actor, Action(name), dialog=True)
            answer[name] = tuple(refusals) or None
    return answer


def checklist(facts: Facts, actor: Actor) -> tuple[tuple[Guard, str | None], ...]:
    """Guards G1–G10 in order, each with what is missing (None: it holds): what stands between it and `closed`."""
    action, guards = Action("close"), CLOSING.guards
    if facts.status in WORKING:  # resolving comes first, and needs an owner
        guards = tuple(G1 if g is G1_IF_OWNED else g for g in guards)
    return tuple((g, g.judge(facts, action, actor)) for g in guards)


def _find(status: str, name: str) -> Move | Act | None:
    for move in MOVES:
        if move.action == name and status in move.sources:
            return move
    return next((act for act in ACTS if act.action == name and status in act.states), None)


def _refusals(found: Move | Act, facts: Facts, actor: Actor, action: Action, dialog: bool) -> list[Refusal]:
    rule = found.id if isinstance(found, Move) else "A"
    refusals: list[Refusal] = []
    bar = None if dialog and found.action == "cancel" and actor.has(AGENT) else found.who(facts, action, actor)
    if bar:
        refusals.append(Refusal(rule, "role", bar, "role"))
    for guard in found.guards:
        if dialog and (guard.asks or (found.action == "take" and guard is G1)):
            continue
        missing = guard.judge(facts, action, actor)
        if missing:
            refusals.append(Refusal(rule, guard.id, missing, guard.where))
    return refusals


def _not_now(status: str, name: str) -> str:
    states = [s for m in MOVES if m.action == name for s in m.sources]
    states += [s for a in ACTS if a.action == name for s in a.states]
    if not states:
        return f"There is no action {name!r}."
    return f"It is {status.replace('_', ' ')}; this is possible only in: {', '.join(dict.fromkeys(states))}."

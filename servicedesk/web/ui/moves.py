"""What can be done with a ticket on the pages: for every action its name, its form and the service that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import url_for

from servicedesk.desk import Desk
from servicedesk.domain.incident import REVIEW, Actor, Facts, parse_number
from servicedesk.errors import BadInput, NotFound, Refusal
from servicedesk.services import incidents, playbooks, resolution, second_person
from servicedesk.store.views.ticket import Ticket
from servicedesk.web.i18n import gettext as _
from servicedesk.web.i18n import marked

from .forms import Form

Run = Callable[[Desk, Actor, int, Form], Any]


@dataclass(frozen=True, slots=True)
class PageMove:
    """name: of the lifecycle; form: it has fields (template incident/act_<name>.html); danger: it takes away."""

    name: str
    label: str
    icon: str
    run: Run
    form: bool = True
    danger: bool = False
    begin: Callable[[Ticket], Mapping[str, Any]] = lambda _t: {}

    @property
    def title(self) -> str:
        return _(self.label)


def _take(desk: Desk, actor: Actor, number: int, f: Form) -> None:
    incidents.take(desk, actor, number, f.version)


def _assign(desk: Desk, actor: Actor, number: int, f: Form) -> None:
    incidents.assign(desk, actor, number, f.value("owner"), f.value("team"), f.version)


def _hold(desk: Desk, actor: Actor, number: int, f: Form) -> None:
    incidents.hold(
        desk, actor, number, f.value("reason"), f.at("until"), f.value("question"), f.value("note"), f.version
    )


def _resume(desk: Desk, actor: Actor, number: int, f: Form) -> None:
    incidents.resume(desk, actor, number, f.version)


def _resolve(desk: Desk, actor: Actor, number: int, f: Form) -> None:
    code, cause, notes = f.value("code"), f.value("cause"), f.value("notes")
    body = None
    if f.value("summary"):
        tuning = f.value("alert_tuning") or "no"
        body = {"summary": f.value("summary"), "cause_class": cause, "alert_tuning": tuning}
    said = _said(desk, number, f.value("helped"))
    resolution.resolve(desk, actor, number, code, cause, notes, f.value("explanation"), body, f.version)
    for run, step, yes in said:
        playbooks.helped(desk, actor, number, run, yes, step)


def _said(desk: Desk, number: int, text: str) -> list[tuple[int, str, bool]]:
    """What was answered to "what helped most": (run, step, did it help); nothing when nobody answered."""
    runs = [state.recorded.id for state in playbooks.runs(desk, number)] if text else []
    if text == "none":
        return [(run, "", False) for run in runs]
    run, _colon, step = text.partition(":")
    return [(one, step, True) for one in runs if str(one) == run]


def _verify(desk: Desk, actor: Actor, number: int, f: Form) -> None:
    resolution.verify(
        desk,
        actor,
        number,
        f.value("verdict"),
        f.value("tested"),
        f.value("evidence"),
        f.flag("no_new_problem"),
        f.version,
    )


def _confirm(desk: Desk, actor: Actor, number: int, f: Form) -> None:
    if f.value("accepted") not in ("yes", "no"):
        raise BadInput({"accepted": "Say whether it is solved."})
    accepted, silent = f.value("accepted") == "yes", f.flag("silent")
    resolution.confirm(desk, actor, number, accepted, f.value("comment"), f.version, silent)


def _explain(desk: Desk, actor: Actor, number: int, f: Form) -> None:
    resolution.explain(desk, actor, number, f.value("text"), f.version)


def _reopen(desk: Desk, actor: Actor, number: int, f: Form) -> None:
    incidents.reopen(desk, actor, number, f.value("reason"), f.version)


def _target(f: Form) -> int | None:
    text = f.value("target").strip()
    target = parse_number(text) if text else None
    if text and target is None:
        raise BadInput({"target": "Write the ticket’s number, for example INC-42."})
    return target


def _cancel(desk: Desk, actor: Actor, number: int, f: Form) -> None:
    incidents.cancel(desk, actor, number, f.value("code"), f.value("reason"), _target(f), f.version)


def _ask(desk: Desk, actor: Actor, number: int, f: Form) -> None:
    second_person.ask(desk, actor, number, f.value("kind"), f.value("reason"), f.value("code"), _target(f))


def _edit(desk: Desk, actor: Actor, number: int, f: Form) -> None:
    changes: dict[str, Any] = {name: f.value(name) for name in ("title", "description", "category", "service")}
    changes |= {name: f.number(name) for name in ("impact", "urgency") if f.value(name)}
    changes["tags"] = [word for word in f.value("tags").replace(",", " ").split() if word]
    changes["major"] = f.flag("major")
    incidents.edit(desk, actor, number, changes, f.version)


def _of_assignment(t: Ticket) -> dict[str, Any]:
    return {"team": t.team}


def _of_resolution(t: Ticket) -> dict[str, Any]:
    return {"explanation": t.explanation, "cause": t.cause_class, "code": t.resolution_code}


def _of_facts(t: Ticket) -> dict[str, Any]:
    service = t.service if t.service_id is not None else "unknown"
    same = {name: getattr(t, name) for name in ("title", "description", "category", "impact", "urgency")}
    return same | {"service": service, "tags": " ".join(t.tags), "major": "1" if t.major else ""}


MOVES: dict[str, PageMove] = {
    m.name: m
    for m in (
        PageMove("take", marked("Take it"), "hand", _take, form=False),
        PageMove("resolve", marked("Resolve"), "circle-check", _resolve, begin=_of_resolution),
        PageMove("verify", marked("Verify the fix"), "shield-check", _verify),
        PageMove("confirm", marked("Confirm or reject"), "user-check", _confirm),
        PageMove("explain", marked("Write the explanation"), "mail", _explain, begin=lambda t: {"text": t.explanation}),
        PageMove("resume", marked("Resume work"), "play", _resume, form=False),
        PageMove("hold", marked("Put on hold"), "pause", _hold),
        PageMove("assign", marked("Assign"), "user-plus", _assign, begin=_of_assignment),
        PageMove("edit", marked("Edit the facts"), "pencil", _edit, begin=_of_facts),
        PageMove("ask_second_person", marked("Ask a second person"), "users", _ask),
        PageMove("reopen", marked("Not solved: back to work"), "rotate-ccw", _reopen, danger=True),
        PageMove("cancel", marked("Cancel the ticket"), "ban", _cancel, danger=True),
    )
}
"""In the order of the buttons."""
_NEVER_FIRST = {"waive_review", "cancel", "reopen", "hold", "ask_second_person", "explain"}
_ELSEWHERE = {
    "assign",
    "edit",
    "comment",
    "work_steps",
    "submit_review",
    "request_changes",
    "add_action",
    "unblock_action",
}
_REVIEW_LABELS = {
    "write_review": (marked("Write the review"), "pencil"),
    "approve_review": (marked("Read and approve the review"), "clipboard-check"),
    "waive_review": (marked("Waive the review"), "ban"),
}


def find(name: str) -> PageMove:
    """Raises NotFound."""
    if name not in MOVES:
        raise NotFound("There is no such action.")
    return MOVES[name]


@dataclass(frozen=True, slots=True)
class Button:
    """An action as drawn: possible (no reasons) or barred, with every reason."""

    name: str
    label: str
    icon: str
    href: str
    kind: str = ""
    form: bool = False
    link: bool = False
    reasons: tuple[Refusal, ...] = ()


def buttons(facts: Facts, actions: Mapping[str, tuple[Refusal, ...] | None]) -> tuple[list[Button], list[Button]]:
    """(possible, barred) in the order of the table; the first that is possible is the thing to do."""
    drawn = [_button(facts, m, actions[m.name]) for m in MOVES.values() if _drawn(facts, m.name, actions)]
    review = url_for("ui.review", number=facts.id)
    links = [
        Button(name, _(label), icon, review, link=True, reasons=actions[name] or ())
        for name, (label, icon) in _REVIEW_LABELS.items()
        if name in actions and _review_drawn(facts, name)
    ]
    drawn = links + drawn if facts.status == REVIEW else drawn + links
    possible = [b for b in drawn if not b.reasons]
    first = next((b for b in possible if b.name not in _NEVER_FIRST), None)
    possible = [_first(b) if b is first else b for b in possible]
    return possible, [b for b in drawn if b.reasons]


def _drawn(facts: Facts, name: str, actions: Mapping[str, Any]) -> bool:
    if name not in actions or name in _ELSEWHERE:
        return False
    if name == "explain":
        return facts.requester_id is not None
    if name == "ask_second_person":
        return facts.severe or any(a.status == "unconfirmed" for a in facts.alerts)
    return True


def _review_drawn(facts: Facts, name: str) -> bool:
    status = facts.review.status if facts.review and facts.review.cycle == facts.cycle else ""
    if status in ("approved", "waived"):
        return False
    if name == "write_review":
        return status in ("", "draft", "changes_requested")
    return name == "waive_review" or status == "in_review"


def _button(facts: Facts, move: PageMove, reasons: tuple[Refusal, ...] | None) -> Button:
    href = url_for("ui.act", number=facts.id, action=move.name)
    kind = "danger" if move.danger else ""
    return Button(move.name, move.title, move.icon, href, kind, move.form, reasons=reasons or ())


def _first(b: Button) -> Button:
    return Button(b.name, b.label, b.icon, b.href, "first", b.form, b.link)

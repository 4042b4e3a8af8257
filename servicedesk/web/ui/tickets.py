"""The page of one ticket, the forms of its actions, and what is written or ticked on the page itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import request, url_for

from servicedesk.domain import lifecycle
from servicedesk.domain.incident import CANCELLED, CLOSED, WORKING, Actor, Facts
from servicedesk.errors import NotFound
from servicedesk.services import incidents
from servicedesk.store.views import gates as gate_views
from servicedesk.store.views import nav, oncall, recurrence, reviews, silences, ticket, timeline, told
from servicedesk.store.views.ticket import Ticket
from servicedesk.web import auth, i18n
from servicedesk.web.context import desk
from servicedesk.web.i18n import gettext as _

from . import guides, moves
from .blueprint import get, post
from .entries import Book
from .forms import Form, filled
from .links import Link, where
from .options import hours, options, persons
from .page import shell, speak, submit, ticket_url
from .sentences import say
from .words import Words

SHOWN_LINES = 100


@get("/incidents/<number:number>")
def ticket_page(number: int) -> str:
    """Everything about one ticket."""
    return show(number)


def load(number: int) -> tuple[Actor, Ticket, Facts]:
    """The ticket for whoever asks. Raises NotFound, also for a requester who did not raise it."""
    actor = auth.current_actor()
    facts = incidents.facts(desk(), number)
    with desk().read() as tx:
        found = ticket.find(tx, number)
    if found is None or not (auth.sees_everything(actor) or facts.requester_id == actor.id):
        raise NotFound(f"There is no ticket INC-{number}.")
    return actor, found, facts


def show(number: int, **forms: Any) -> str:
    """The page, with forms on it that were sent and refused."""
    actor, t, facts = load(number)
    if not auth.sees_everything(actor):
        return shell("my/ticket.html", "my", **(_requester_data(actor, t, facts) | forms))
    actions = lifecycle.allowed(facts, actor)
    possible, barred = moves.buttons(facts, actions)
    data = _records(t) | guide(t) | _timeline(t.id)
    shown = gates(facts, actor, actions)
    return shell(
        "incident/page.html",
        "queue",
        t=t,
        facts=facts,
        open_moves=possible,
        barred_moves=barred,
        locked=_locked(t),
        can_silence=bool(desk().config.alertmanager.url),
        silence_hours=hours(),
        may=may(actions),
        gates=shown,
        missing=sum(1 for g in shown if g.mark == "open"),
        stations=stations(facts, actor),
        people=persons(),
        **(data | {"typed_notes": {}} | forms | _placed(forms)),
    )


def _placed(forms: Mapping[str, Any]) -> dict[str, Form]:
    """The forms that stand on the page itself: dialogs over it have fields of the same names."""
    placed = {"comment_form": "write-", "task_form": "task-"}
    return {name: replace(forms.get(name) or filled(), place=place) for name, place in placed.items()}


def _records(t: Ticket) -> dict[str, Any]:
    with desk().read() as tx:
        members = ticket.members(tx, t.id)
        counts = ticket.member_counts(tx, t.id)
        versions = reviews.versions(tx, t.id)
        notices = told.told(tx, t.id)
        return {
            "members": members,
            "member_counts": counts,
            "flapping_since": ticket.flapping_since(tx, t.id),
            "more_members": sum(counts.values()) - len(members),
            "verifications": gate_views.verifications(tx, t.id),
            "confirmations": gate_views.confirmations(tx, t.id),
            "newest_review": versions[0] if versions else None,
            "notices": notices,
            "failed_notices": any(n.state == "failed" for n in notices),
            "my_address": nav.address(tx, auth.current_actor().id),
            "related": ticket.related(tx, t),
            "before": recurrence.before(tx, t.recurrence_of),
            "often": recurrence.often(tx, t.id, t.service_id, desk().policy.alerts),
            "tasks": gate_views.tasks(tx, t.id),
            "silences": silences.of_ticket(tx, t.id),
            "handed": oncall.where_we_are(tx, t.id),
        }


def guide(t: Ticket) -> dict[str, Any]:
    """What the playbook panel needs."""
    panel = guides.panel(t)
    return {"panel": panel, "attachable": _attachable(t, panel.runs)}


def _timeline(number: int) -> dict[str, Any]:
    newest = request.args.get("order") != "old"
    with desk().read() as tx:
        page = timeline.entries(tx, number, newest=newest, cursor=request.args.get("after", ""), limit=SHOWN_LINES)
        names = nav.names(tx)
    following = url_for(
        "ui.ticket_page", number=number, order="new" if newest else "old", after=page.next, _anchor="timeline"
    )
    return {
        "timeline": page.items,
        "timeline_next": following if page.next else "",
        "newest_first": newest,
        "book": Book(speak(), names),
    }


def _attachable(t: Ticket, attached: tuple[guides.RunShown, ...]) -> list[Any]:
    if t.status not in WORKING:
        return []
    have = {run.playbook for run in attached}
    return [p for p in desk().playbooks.catalogue().all if p.id not in have]


def _locked(t: Ticket) -> str:
    if t.status == CLOSED:
        return _("It is closed and locked.")
    return _("It is cancelled and locked.") if t.status == CANCELLED else ""


def may(actions: Mapping[str, Any]) -> dict[str, bool]:
    """What the page itself offers besides the buttons: True where the action is open."""
    return {name: name in actions and actions[name] is None for name in lifecycle.ACTIONS}


@dataclass(frozen=True, slots=True)
class Gate:
    """A guard of closing. mark: met | open | na."""

    id: str
    title: str
    mark: str
    missing: str = ""
    link: Link | None = None
    explain: str = ""


def gates(facts: Facts, actor: Actor, actions: Mapping[str, Any]) -> list[Gate]:
    """What is missing before the desk closes the ticket, guard by guard."""
    drawn = []
    for guard, missing in lifecycle.checklist(facts, actor):
        bare = guard.id == "G10" and facts.requester_id is None
        mark = "open" if missing else "na" if bare else "met"
        link = where(facts.id, guard.where, actions) if missing else None
        drawn.append(Gate(guard.id, _(guard.title), mark, missing or "", link, speak().rule("", guard.id)))
    return drawn


@dataclass(frozen=True, slots=True)
class Station:
    """A lamp on the line. mark: done | now | "" | off."""

    name: str
    mark: str
    explain: str


def stations(facts: Facts, actor: Actor) -> list[Station]:
    """Where the ticket stands on its way; the first station that is not passed is where it is now."""
    lacking = {guard.id: missing for guard, missing in lifecycle.checklist(facts, actor)}
    resolved = facts.resolved_at is not None
    passed = (
        (_("Record"), True, ""),
        (_("Owner"), facts.owner_id is not None or resolved, lacking["G1"]),
        (_("Fix"), resolved, lacking["G3"]),
        (_("Verification"), resolved and not lacking["G6"], lacking["G6"]),
        (_("Confirmation"), resolved and not lacking["G7"], lacking["G7"]),
        (_("Review"), resolved and not lacking["G8"], lacking["G8"]),
        (_("Closing"), facts.status == CLOSED, ""),
    )
    if facts.status == CANCELLED:
        return [Station(name, "off", "") for name, _done, _missing in passed]
    now = next((i for i, (_n, done, _m) in enumerate(passed) if not done), len(passed))
    return [
        Station(name, "now" if i == now else "done" if done else "", say(missing or ""))
        for i, (name, done, missing) in enumerate(passed)
    ]


def _requester_data(actor: Actor, t: Ticket, facts: Facts) -> dict[str, Any]:
    """What a requester sees of a ticket of their own: no notes, no alerts, no review."""
    with desk().read() as tx:
        page = timeline.entries(tx, t.id, newest=True, limit=500)
        names = nav.names(tx)
    public = ("created", "status", "message", "explanation", "confirmation")
    actions = lifecycle.allowed(facts, actor)
    return {
        "t": t,
        "timeline": [e for e in page.items if e.kind in public],
        "book": Book(Words(desk().policy, i18n.language(), agent=False), names),
        "may": may(actions),
        "comment_form": filled(),
        "confirm_form": filled(version=t.version, ticket=t.number),
    }


@get("/incidents/<number:number>/do/<action>")
def act(number: int, action: str) -> str:
    """The form of an action on a page of its own; with JavaScript it is shown in the dialog."""
    _actor, t, _facts = load(number)
    move = moves.find(action)
    form = filled(move.begin(t), t.version, t.number)
    return _act_page(number, move, form)


@post("/incidents/<number:number>/do/<action>")
def do(number: int, action: str) -> Any:
    """Carry out an action, or show its form again with what is missing."""
    actor, t, _facts = load(number)
    move = moves.find(action)
    return submit(
        lambda form: move.run(desk(), actor, number, form),
        lambda _result: ticket_url(number, move.name),
        lambda form: _act_page(number, move, form),
        t.number,
    )


def _act_page(number: int, move: moves.PageMove, form: Form) -> str:
    actor, t, facts = load(number)
    _check_offered(actor, move)
    actions = lifecycle.allowed(facts, actor)
    reasons = actions.get(move.name) if move.name in actions else ()
    template = f"incident/act_{move.name}.html" if move.form else "incident/act.html"
    return shell(
        template, "queue", t=t, facts=facts, move=move, form=form, reasons=reasons or (), **options(t, move.name)
    )


def _check_offered(actor: Actor, move: moves.PageMove) -> None:
    """A requester has few forms; the others would show them the desk's people and teams. Raises NotFound."""
    if not auth.sees_everything(actor) and move.name not in ("confirm", "reopen"):
        raise NotFound("There is no such action.")


@post("/incidents/<number:number>/comments")
def comment(number: int) -> Any:
    """Add a note or a public message."""
    actor, t, _facts = load(number)
    return submit(
        lambda form: incidents.comment(desk(), actor, number, form.value("text"), form.value("visibility") == "public"),
        lambda _seq: ticket_url(number, anchor="timeline"),
        lambda form: show(number, comment_form=form),
        t.number,
    )

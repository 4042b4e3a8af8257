"""Checks on the page of a ticket: the live panel, asking and taking back, branches, what was found, what it asks."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from servicedesk.domain.lifecycle import allowed
from servicedesk.errors import BadInput, NotFound
from servicedesk.services import playbooks
from servicedesk.store.views import checks, gates
from servicedesk.web.context import desk

from . import guides, tickets
from .blueprint import get, post
from .forms import typed
from .page import go, need_staff, shell, ticket_url

RUN = "/incidents/<number:number>/runs/<int:run_id>"
ENOUGH = 4000  # characters of an output that stand on the page; the rest is in the file


@get("/incidents/<number:number>/playbooks")
def panel(number: int) -> Any:
    """The playbook panel alone, for a page that follows along; 204 while nothing changed since `stamp`."""
    need_staff()
    if request.args.get("stamp") == guides.stamp(number):
        return Response(status=204)
    actor, t, facts = tickets.load(number)
    with desk().read() as tx:
        tasks = gates.tasks(tx, number)
    return shell("incident/panel.html", t=t, may=tickets.may(allowed(facts, actor)), tasks=tasks, **tickets.guide(t))


@post(f"{RUN}/steps/<step>/check")
def check(number: int, run_id: int, step: str) -> Any:
    """Ask a step's check now, or take it back."""
    actor, _t, _facts = tickets.load(number)
    act = playbooks.cancel_check if request.form.get("do") == "cancel" else playbooks.run_check
    return _at_step(number, run_id, step, lambda _form: act(desk(), actor, number, run_id, step))


@post(f"{RUN}/steps/<step>/branch")
def branch(number: int, run_id: int, step: str) -> Any:
    """Take a branch of a decision."""
    actor, _t, _facts = tickets.load(number)
    return _at_step(
        number, run_id, step, lambda form: playbooks.choose(desk(), actor, number, run_id, step, form.value("branch"))
    )


@post(f"{RUN}/helped")
def helped(number: int, run_id: int) -> Any:
    """Whether a playbook helped, in one click."""
    actor, _t, _facts = tickets.load(number)
    form = typed(request.form)
    playbooks.helped(desk(), actor, number, run_id, form.value("helped") == "yes", form.value("step"))
    return go(ticket_url(number, "saved", f"playbook-{run_id}"))


def _at_step(number: int, run_id: int, step: str, act: Any) -> Any:
    """Do it and show the step again; what is wrong stands at the step."""
    try:
        act(typed(request.form))
    except BadInput as error:
        message = next(iter(error.fields.values()))
        return tickets.show(number, step_error=(run_id, step), step_message=message), 422
    return go(ticket_url(number, anchor=f"step-{run_id}-{step}"))


@get("/incidents/<number:number>/checks")
def checks_page(number: int) -> str:
    """Everything that was asked for a ticket, newest first."""
    need_staff()
    _actor, t, _facts = tickets.load(number)
    with desk().read() as tx:
        page = checks.listed(tx, number, request.args.get("cursor", ""))
    return shell("check/list.html", "queue", t=t, checks=page.items, next=page.next)


@get("/incidents/<number:number>/checks/<int:ask_id>")
def check_page(number: int, ask_id: int) -> str:
    """One asking of a check: who, when, what exactly, and what was found; opens in the dialog, too."""
    need_staff()
    _actor, t, _facts = tickets.load(number)
    found, text = _found(number, ask_id)
    return shell("check/page.html", "queue", t=t, c=found, output=text[:ENOUGH], more=len(text) > ENOUGH)


@get("/incidents/<number:number>/checks/<int:ask_id>/output")
def check_output(number: int, ask_id: int) -> Response:
    """The whole kept output of a check as a file."""
    need_staff()
    found, text = _found(number, ask_id)
    answer = Response(text, content_type="text/plain; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="INC-{number}-check-{found.id}.txt"'
    return answer


def _found(number: int, ask_id: int) -> tuple[checks.Shown, str]:
    with desk().read() as tx:
        found = checks.one(tx, number, ask_id)
        if found is None:
            raise NotFound("The ticket has no such check.")
        return found, checks.output(tx, found.check_run) if found.check_run is not None else ""


@get(f"{RUN}/plan")
def plan(number: int, run_id: int) -> str:
    """Exactly what each check of a playbook would ask, of whom; nothing is asked."""
    need_staff()
    _actor, t, _facts = tickets.load(number)
    state, dry = playbooks.plan(desk(), number, run_id)
    return shell("check/plan.html", "queue", t=t, book=state.playbook, dry=dry, labels=state.recorded.labels)

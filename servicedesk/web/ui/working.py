"""Work on the ticket's page: playbook steps, playbooks by hand, sub-tasks."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from servicedesk.errors import BadInput, NotFound
from servicedesk.services import followups, playbooks
from servicedesk.store.views import ticket
from servicedesk.web.context import desk

from . import tickets
from .blueprint import get, post
from .forms import typed
from .page import need_staff, submit, ticket_url


@post("/incidents/<number:number>/runs/<int:run_id>/steps/<step>")
def step(number: int, run_id: int, step: str) -> Any:
    """Record what became of a playbook step; a skip without a reason is shown at the step."""
    actor, _t, _facts = tickets.load(number)
    form = typed(request.form)
    try:
        playbooks.record_step(desk(), actor, number, run_id, step, form.value("outcome"), form.value("note"))
    except BadInput as error:
        place = (run_id, step)
        message = next(iter(error.fields.values()))
        notes = {place: form.value("note")}
        return tickets.show(number, step_error=place, step_message=message, typed_notes=notes), 422
    return submit(lambda _form: None, lambda _none: ticket_url(number, anchor=f"step-{run_id}-{step}"), lambda _f: "")


@post("/incidents/<number:number>/runs")
def attach(number: int) -> Any:
    """Attach a playbook by hand."""
    actor, t, _facts = tickets.load(number)
    return submit(
        lambda form: playbooks.attach_by_hand(desk(), actor, number, form.value("playbook")),
        lambda run_id: ticket_url(number, anchor=f"playbook-{run_id}"),
        lambda form: tickets.show(number, comment_form=form),
        t.number,
    )


@get("/incidents/<number:number>/runs/<int:run_id>/source")
def run_source(number: int, run_id: int) -> Response:
    """The source text of a playbook as it was attached."""
    need_staff()
    with desk().read() as tx:
        run = next((r for r in ticket.runs(tx, number) if r.id == run_id), None)
    if run is None:
        raise NotFound("There is no such run.")
    return Response(run.source, content_type="text/plain; charset=utf-8")


@post("/incidents/<number:number>/tasks")
def add_task(number: int) -> Any:
    """Add a sub-task."""
    actor, t, _facts = tickets.load(number)
    return submit(
        lambda form: followups.add_task(
            desk(), actor, number, form.value("title"), form.value("assignee"), form.at("due"), form.flag("mandatory")
        ),
        lambda _id: ticket_url(number, anchor="tasks"),
        lambda form: tickets.show(number, task_form=form),
        t.number,
    )


@post("/incidents/<number:number>/tasks/<int:task_id>")
def task_done(number: int, task_id: int) -> Any:
    """Tick a sub-task, or skip it with a reason."""
    actor, t, _facts = tickets.load(number)
    return submit(
        lambda form: followups.update_task(
            desk(),
            actor,
            number,
            task_id,
            {"status": form.value("status") or "done", "reason": form.value("reason")},
        ),
        lambda _none: ticket_url(number, anchor="tasks"),
        lambda form: tickets.show(number, task_form=form),
        t.number,
    )

"""`servicedesk incident …`, the second half: from the fix to the approved review, and what hangs on a ticket."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from servicedesk.cli.common import emit, opened
from servicedesk.cli.tickets import MOMENT, NUMBER, act, acting, person
from servicedesk.domain import incident as words
from servicedesk.errors import BadInput, NotFound


@click.command()
@click.argument("number", type=NUMBER)
@click.option("--code", required=True, type=click.Choice(words.RESOLUTION_CODES))
@click.option("--cause", default="", help="Cause class of the policy.")
@click.option("--notes", default="", help="What was done, and why it helped.")
@click.option("--explanation", default="", help="Public, for the requester.")
@acting
def resolve(number: int, name: str, code: str, cause: str, notes: str, explanation: str) -> None:
    """Say how it was solved (M4)."""
    from servicedesk.services import resolution

    act(number, name, lambda desk, actor: resolution.resolve(desk, actor, number, code, cause, notes, explanation))


@click.command()
@click.argument("number", type=NUMBER)
@click.option("--verdict", required=True, type=click.Choice(["pass", "fail", "inconclusive"]))
@click.option("--tested", required=True, help="What was tested.")
@click.option("--evidence", default="", help="What shows it.")
@click.option("--no-new-problem", is_flag=True, help="State that no new problem appeared.")
@acting
def verify(number: int, name: str, verdict: str, tested: str, evidence: str, no_new_problem: bool) -> None:
    """State what was tested (G6)."""
    from servicedesk.services import resolution

    act(
        number,
        name,
        lambda desk, actor: resolution.verify(desk, actor, number, verdict, tested, evidence, no_new_problem),
    )


@click.command()
@click.argument("number", type=NUMBER)
@click.option("--accepted/--rejected", required=True, default=None)
@click.option("--comment", default="")
@click.option("--silent", is_flag=True, help="A lead decides: the requester did not answer any reminder.")
@acting
def confirm(number: int, name: str, accepted: bool, comment: str, silent: bool) -> None:
    """Say whether the problem is solved (G7)."""
    from servicedesk.services import resolution

    act(number, name, lambda desk, actor: resolution.confirm(desk, actor, number, accepted, comment, silent=silent))


@click.command()
@click.argument("number", type=NUMBER)
@click.argument("text")
@acting
def explain(number: int, name: str, text: str) -> None:
    """Write the closing explanation for the requester (G10)."""
    from servicedesk.services import resolution

    act(number, name, lambda desk, actor: resolution.explain(desk, actor, number, text))


@click.group()
def review() -> None:
    """The post-incident review: show, save, submit, approve, changes, waive."""


@review.command()
@click.argument("number", type=NUMBER)
def show(number: int) -> None:
    """The newest version as Markdown (with --json: as stored)."""
    import msgspec

    from servicedesk.store.views import gates, reviews, ticket
    from servicedesk.web.review_text import markdown

    with opened() as desk, desk.read() as tx:
        found, about = reviews.versions(tx, number), ticket.find(tx, number)
        if not found or about is None:
            raise NotFound("There is no review yet.")
        text = markdown(found[0], about.title, gates.action_items(tx, number))
    emit(msgspec.to_builtins(found[0]), text.rstrip())


@review.command()
@click.argument("number", type=NUMBER)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True))
@acting
def save(number: int, name: str, file: Path) -> None:
    """Save fields from a JSON file (- for standard input); those that are absent stay."""
    from servicedesk.services import reviews

    body = _json_object(file)
    act(number, name, lambda desk, actor: reviews.save(desk, actor, number, body))


def _json_object(file: Path) -> dict[str, Any]:
    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    try:
        body = json.loads(text)
    except ValueError as error:
        raise BadInput({str(file): f"is not JSON: {error}"}) from error
    if not isinstance(body, dict):
        raise BadInput({str(file): "must hold one JSON object with the fields of the review"})
    return body


@review.command()
@click.argument("number", type=NUMBER)
@acting
def submit(number: int, name: str) -> None:
    """Hand it in."""
    from servicedesk.services import reviews

    act(number, name, lambda desk, actor: reviews.submit(desk, actor, number))


@review.command()
@click.argument("number", type=NUMBER)
@click.option("--comment", default="")
@acting
def approve(number: int, name: str, comment: str) -> None:
    """Approve it; when every guard holds, the desk closes the ticket."""
    from servicedesk.services import reviews

    act(number, name, lambda desk, actor: reviews.approve(desk, actor, number, comment))


@review.command()
@click.argument("number", type=NUMBER)
@click.argument("text")
@acting
def changes(number: int, name: str, text: str) -> None:
    """Send it back with what is to be changed."""
    from servicedesk.services import reviews

    act(number, name, lambda desk, actor: reviews.request_changes(desk, actor, number, text))


@review.command()
@click.argument("number", type=NUMBER)
@click.option("--reason", default="")
@acting
def waive(number: int, name: str, reason: str) -> None:
    """Waive it, visibly in the reports."""
    from servicedesk.services import reviews

    act(number, name, lambda desk, actor: reviews.waive(desk, actor, number, reason))


@click.command()
@click.argument("number", type=NUMBER)
@click.argument("run", type=int)
@click.argument("step")
@click.option("--outcome", required=True, type=click.Choice(["done", "skipped", "failed"]))
@click.option("--note", default="")
@acting
def step(number: int, name: str, run: int, step: str, outcome: str, note: str) -> None:
    """Record what became of a playbook step (RUN and STEP as `show` tells them)."""
    from servicedesk.services import playbooks

    act(number, name, lambda desk, actor: playbooks.record_step(desk, actor, number, run, step, outcome, note))


@click.command()
@click.argument("number", type=NUMBER)
@click.argument("title")
@click.option("--assignee", default="")
@click.option("--due", type=MOMENT, default=None)
@click.option("--mandatory", is_flag=True)
@acting
def task(number: int, name: str, title: str, **form: Any) -> None:
    """Add a sub-task."""
    from servicedesk.services import followups

    act(number, name, lambda desk, actor: followups.add_task(desk, actor, number, title, **form))


@click.command()
@click.argument("number", type=NUMBER)
@click.argument("task_id", type=int)
@click.option("--status", required=True, type=click.Choice(["open", "done", "skipped"]))
@click.option("--reason", default=None)
@acting
def task_set(number: int, name: str, task_id: int, status: str, reason: str | None) -> None:
    """Change a sub-task's status; a skip needs a reason."""
    from servicedesk.services import followups

    given = {"status": status} | ({"reason": reason} if reason is not None else {})
    act(number, name, lambda desk, actor: followups.update_task(desk, actor, number, task_id, given))


@click.command()
@click.argument("number", type=NUMBER)
@click.argument("title")
@click.option("--type", "type", default="", help="prevent, detect, mitigate, process or document.")
@click.option("--owner", default="")
@click.option("--due", type=MOMENT, default=None)
@click.option("--blocking", is_flag=True, help="Bars closing until done.")
@click.option("--tracking", default="")
@acting
def action(number: int, name: str, title: str, **form: Any) -> None:
    """Add a follow-up action."""
    from servicedesk.services import followups

    act(number, name, lambda desk, actor: followups.add_action(desk, actor, number, title, **form))


@click.command()
@click.argument("number", type=NUMBER)
@click.argument("action_id", type=int)
@click.option("--status", default=None, type=click.Choice(["open", "in_progress", "done", "wont_do"]))
@click.option("--type", "type", default=None)
@click.option("--owner", default=None)
@click.option("--due", type=MOMENT, default=None)
@click.option("--blocking/--not-blocking", default=None)
@click.option("--reason", default=None)
@click.option("--proof", default=None)
@acting
def action_set(number: int, name: str, action_id: int, **form: Any) -> None:
    """Change a follow-up action; done needs a proof, wont_do a reason."""
    from servicedesk.services import followups

    given = {key: value for key, value in form.items() if value is not None}
    if not given:
        raise click.UsageError("Name at least one thing to change.")
    act(number, name, lambda desk, actor: followups.update_action(desk, actor, number, action_id, given))


@click.group()
def second_person() -> None:
    """Ask a second person; approve or refuse what was asked."""


@second_person.command()
@click.argument("number", type=NUMBER)
@click.option("--kind", required=True, type=click.Choice(["override_unconfirmed", "cancellation"]))
@click.option("--reason", required=True)
@click.option("--code", default="", help="Of a cancellation: why it is cancelled.")
@click.option("--target", type=NUMBER, help="Of a duplicate or a merge: the ticket that takes the alerts.")
@acting
def ask(number: int, name: str, kind: str, reason: str, code: str, target: int | None) -> None:
    """Ask for another person's decision."""
    from servicedesk.services import second_person as requests

    with opened() as desk:
        new = requests.ask(desk, person(desk, name), number, kind, reason, code, target)
    emit({"request": new}, f"Asked: request {new}.")


@second_person.command()
@click.argument("request", type=int)
@click.option("--approve/--refuse", "approve_it", required=True, default=None)
@click.option("--comment", default="")
@acting
def decide(request: int, name: str, approve_it: bool, comment: str) -> None:
    """Approve or refuse a request."""
    from servicedesk.services import second_person as requests

    with opened() as desk:
        (requests.approve if approve_it else requests.refuse)(desk, person(desk, name), request, comment)
    status = "approved" if approve_it else "refused"
    emit({"request": request, "status": status}, f"Request {request} is {status}.")


COMMANDS: dict[str, click.Command] = {
    "resolve": resolve,
    "verify": verify,
    "confirm": confirm,
    "explain": explain,
    "review": review,
    "step": step,
    "task": task,
    "task-set": task_set,
    "action": action,
    "action-set": action_set,
    "second-person": second_person,
}

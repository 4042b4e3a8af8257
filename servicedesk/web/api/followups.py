"""Follow-ups: action items of the review (G9) and sub-tasks (G4)."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from flask import Blueprint
from msgspec import UNSET, UnsetType

from servicedesk.errors import BadInput, NotFound
from servicedesk.services import followups
from servicedesk.store.views import gates
from servicedesk.store.views.paging import Page
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.route import STAFF, Answer, route

from . import shapes

bp = Blueprint("api_followups", __name__, url_prefix="/api/v1")
Row = TypeVar("Row", gates.ActionItem, gates.Task)


class ActionIn(msgspec.Struct, frozen=True):
    """title: begin with a verb; type: prevent, detect, mitigate, process or document; owner: sign-in name."""

    title: str
    type: str = ""
    owner: str = ""
    due: shapes.Time | None = None
    blocking: bool = False
    tracking: str = ""


class ActionPatch(msgspec.Struct, frozen=True):
    """status: open, in_progress, done (with a proof) or wont_do (with a reason)."""

    title: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    owner: str | UnsetType = UNSET
    due: shapes.Time | UnsetType | None = UNSET
    blocking: bool | UnsetType = UNSET
    tracking: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    proof: str | UnsetType = UNSET


class TaskIn(msgspec.Struct, frozen=True):
    """assignee: sign-in name; mandatory: bars resolving until done, or skipped with a reason."""

    title: str
    assignee: str = ""
    due: shapes.Time | None = None
    mandatory: bool = False


class TaskPatch(msgspec.Struct, frozen=True):
    """status: open, done or skipped (with a reason)."""

    title: str | UnsetType = UNSET
    assignee: str | UnsetType = UNSET
    due: shapes.Time | UnsetType | None = UNSET
    mandatory: bool | UnsetType = UNSET
    status: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


def changes(body: msgspec.Struct) -> dict[str, Any]:
    """What a PATCH names. Raises BadInput when it names nothing."""
    named = {k: v for k, v in msgspec.structs.asdict(body).items() if v is not UNSET}
    if not named:
        raise BadInput("Name at least one field to change.")
    return named


def _one(rows: tuple[Row, ...], row_id: int) -> Row:
    found = next((r for r in rows if r.id == row_id), None)
    if found is None:
        raise NotFound(f"The ticket has none with the id {row_id}.")
    return found


def _action(number: int, action_id: int) -> gates.ActionItem:
    with desk().read() as tx:
        return _one(gates.action_items(tx, number), action_id)


def _task(number: int, task_id: int) -> gates.Task:
    with desk().read() as tx:
        return _one(gates.tasks(tx, number), task_id)


_ACTIONS, _TASKS = "/incidents/<number:number>/action-items", "/incidents/<number:number>/tasks"


@route(bp, "GET", _ACTIONS, scope="read", role=STAFF, answer=Page[gates.ActionItem])
def list_actions(number: int) -> Page[gates.ActionItem]:
    """List the follow-ups of a ticket."""
    with desk().read() as tx:
        return Page(gates.action_items(tx, number))


@route(bp, "POST", _ACTIONS, scope="work", body=ActionIn, answer=gates.ActionItem, status=201, once=True)
def add_action(number: int, body: ActionIn) -> Answer:
    """Add a follow-up; it may be incomplete, which bars closing."""
    new = followups.add_action(desk(), auth.current_actor(), number, **msgspec.structs.asdict(body))
    return Answer(_action(number, new), 201)


@route(bp, "PATCH", _ACTIONS + "/<int:action_id>", scope="work", body=ActionPatch, answer=gates.ActionItem)
def change_action(number: int, action_id: int, body: ActionPatch) -> gates.ActionItem:
    """Change a follow-up; the last blocking one that is done may close the ticket."""
    followups.update_action(desk(), auth.current_actor(), number, action_id, changes(body))
    return _action(number, action_id)


@route(bp, "GET", _TASKS, scope="read", role=STAFF, answer=Page[gates.Task])
def list_tasks(number: int) -> Page[gates.Task]:
    """List the sub-tasks of a ticket."""
    with desk().read() as tx:
        return Page(gates.tasks(tx, number))


@route(bp, "POST", _TASKS, scope="work", body=TaskIn, answer=gates.Task, status=201, once=True)
def add_task(number: int, body: TaskIn) -> Answer:
    """Add a sub-task."""
    new = followups.add_task(desk(), auth.current_actor(), number, **msgspec.structs.asdict(body))
    return Answer(_task(number, new), 201)


@route(bp, "PATCH", _TASKS + "/<int:task_id>", scope="work", body=TaskPatch, answer=gates.Task)
def change_task(number: int, task_id: int, body: TaskPatch) -> gates.Task:
    """Change a sub-task."""
    followups.update_task(desk(), auth.current_actor(), number, task_id, changes(body))
    return _task(number, task_id)

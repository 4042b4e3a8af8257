"""Action items of the review (G9) and sub-tasks (G4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain.guards import blank
from servicedesk.domain.incident import Action, Actor
from servicedesk.domain.review import ACTION_TYPES
from servicedesk.errors import BadInput, NotFound
from servicedesk.services.shared import facts as loader
from servicedesk.services.shared import lookup, timeline, transition
from servicedesk.services.shared.judge import judge
from servicedesk.services.shared.timeline import Line
from servicedesk.store import gates
from servicedesk.store.db import Tx

ACTION_STATES = ("open", "in_progress", "done", "wont_do")
TASK_STATES = ("open", "done", "skipped")
_ACTION_KEYS = {"title", "type", "owner", "due", "blocking", "tracking", "status", "reason", "proof"}
_TASK_KEYS = {"title", "assignee", "due", "mandatory", "status", "reason"}


def add_action(
    desk: Desk,
    actor: Actor,
    number: int,
    title: str,
    type: str = "",  # noqa: A002 - the field's name everywhere
    owner: str = "",
    due: datetime | None = None,
    blocking: bool = False,
    tracking: str = "",
) -> int:
    """A follow-up; it may be incomplete (G9 then bars closing). Answers its id."""
    given = {"title": title, "type": type, "owner": owner, "due": due, "blocking": blocking, "tracking": tracking}
    _check(given, _ACTION_KEYS, ACTION_STATES)
    return _add(desk, actor, number, gates.ACTIONS, "add_action", "action", given)


def update_action(desk: Desk, actor: Actor, number: int, action_id: int, changes: Mapping[str, Any]) -> None:
    """Done needs a proof, wont_do a reason; taking `blocking` off needs a lead or a reviewer, and a reason.

    Judged at once: the last blocking action may close the ticket.
    """
    _check(changes, _ACTION_KEYS, ACTION_STATES)
    _change(desk, actor, number, gates.ACTIONS, action_id, "add_action", "action", changes)


def add_task(
    desk: Desk,
    actor: Actor,
    number: int,
    title: str,
    assignee: str = "",
    due: datetime | None = None,
    mandatory: bool = False,
) -> int:
    """A piece of work on the ticket; mandatory ones bar M4 until done or skipped with a reason. Answers its id."""
    given = {"title": title, "assignee": assignee, "due": due, "mandatory": mandatory}
    _check(given, _TASK_KEYS, TASK_STATES)
    return _add(desk, actor, number, gates.TASKS, "work_steps", "task", given)


def update_task(desk: Desk, actor: Actor, number: int, task_id: int, changes: Mapping[str, Any]) -> None:
    """status: open, done, or skipped with a reason."""
    _check(changes, _TASK_KEYS, TASK_STATES)
    _change(desk, actor, number, gates.TASKS, task_id, "work_steps", "task", changes)


def _check(given: Mapping[str, Any], known: set[str], states: tuple[str, ...]) -> None:
    wrong = dict.fromkeys(set(given) - known, "There is no such field.")
    if "title" in given and (blank(str(given["title"])) or len(str(given["title"])) > 300):
        wrong["title"] = "Begin with a verb, in at most 300 characters."
    if given.get("type") and given["type"] not in ACTION_TYPES:
        wrong["type"] = f"One of {', '.join(ACTION_TYPES)}."
    if "status" in given and given["status"] not in states:
        wrong["status"] = f"One of {', '.join(states)}."
    if given.get("due") is not None and given["due"].tzinfo is None:
        wrong["due"] = "A time with its zone (RFC 3339)."
    if wrong:
        raise BadInput(wrong)


def _columns(tx: Tx, given: Mapping[str, Any]) -> dict[str, Any]:
    """Names become ids."""
    values = {k: v for k, v in given.items() if k not in ("owner", "assignee", "due")}
    if "due" in given:
        values["due_at"] = given["due"]
    for name in ("owner", "assignee"):
        if name in given:
            values[f"{name}_id"] = lookup.person(tx, given[name], name).id if given[name] else None
    return values


def _add(desk: Desk, actor: Actor, number: int, table: Any, act: str, kind: str, given: Mapping[str, Any]) -> int:
    def change(tx: Tx) -> int:
        f = loader.load(tx, desk, number)
        transition.judged(f, actor, Action(act))
        new_id = gates.add_followup(tx, table, _columns(tx, given) | {"incident_id": number})
        timeline.append(tx, desk, Line(number, kind, {"id": new_id} | _told(given), actor))
        return new_id

    return desk.write(change)


def _change(
    desk: Desk,
    actor: Actor,
    number: int,
    table: Any,
    row_id: int,
    act: str,
    kind: str,
    changes: Mapping[str, Any],
) -> None:
    def change(tx: Tx) -> None:
        f = loader.load(tx, desk, number)
        transition.judged(f, actor, Action(act))
        row = gates.followup(tx, table, row_id, number)
        if row is None:
            raise NotFound(f"The ticket has no {kind} {row_id}.")
        if kind == "action" and row.blocking and not changes.get("blocking", True):
            transition.judged(f, actor, Action("unblock_action", reason=str(changes.get("reason") or "")))
        values = _columns(tx, changes)
        _check_end(dict(row._mapping) | values)
        gates.change_followup(tx, table, row_id, values)
        timeline.append(tx, desk, Line(number, kind, {"id": row_id, "title": row.title} | _told(changes), actor))
        judge(tx, desk, number)

    desk.write(change)


def _check_end(after: Mapping[str, Any]) -> None:
    if after["status"] in ("wont_do", "skipped") and blank(after["reason"]):
        raise BadInput({"reason": "Say why it is not done."})
    if "proof" in after and after["status"] == "done" and blank(after["proof"]):
        raise BadInput({"proof": "Say what shows that it is done: a link, a change number, a measurement."})


def _told(given: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in given.items() if v not in ("", None)}

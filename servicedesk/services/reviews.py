"""Writing and approving the post-incident review (G8); approval in state `review` is what closes, by way of M6."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain import incident as words
from servicedesk.domain import review as rules
from servicedesk.domain.guards import blank
from servicedesk.domain.incident import Action, Actor, Facts
from servicedesk.errors import BadInput, Refusal, Refused, Stale
from servicedesk.services.shared import drafts, notify, timeline, transition
from servicedesk.services.shared import facts as loader
from servicedesk.services.shared.judge import judge
from servicedesk.services.shared.notify import Notice
from servicedesk.services.shared.timeline import Line
from servicedesk.store import gates, tickets
from servicedesk.store import reviews as store
from servicedesk.store.db import Tx

MAX_BODY = 200_000  # characters of all fields together
EDITABLE = ("draft", "changes_requested")


def save(desk: Desk, actor: Actor, number: int, body: Mapping[str, Any], row_version: int | None = None) -> int:
    """Store the draft's text, complete or not; answers its new row version. Raises BadInput, Refused, Stale."""
    unknown = rules.unknown_fields(body)
    if unknown:
        raise BadInput(dict.fromkeys(unknown, "There is no such field in a review."))
    if len(str(body)) > MAX_BODY:
        raise BadInput({"": f"A review holds at most {MAX_BODY:,} characters."})

    def change(tx: Tx) -> int:
        f = loader.load(tx, desk, number)
        transition.judged(f, actor, Action("write_review"))
        row = _current(tx, desk, f, actor)
        if row_version is not None and row_version != row.row_version:
            raise Stale("A", "Somebody else saved the review meanwhile: reload, compare, then save again.")
        if row.status not in EDITABLE:
            raise Refused([Refusal("A", "G8", f"The review is {_said(row.status)}: ask for changes first.", "review")])
        values = {
            "body": dict(row.body) | dict(body),
            "row_version": row.row_version + 1,
            "author_id": row.author_id or actor.id,
            "authors": list(dict.fromkeys([*row.authors, actor.id])),
        }
        store.change(tx, row.id, values)
        timeline.append(tx, desk, Line(number, "review", {"version": row.version, "status": "saved"}, actor))
        return int(row.row_version) + 1

    return desk.write(change)


def submit(desk: Desk, actor: Actor, number: int) -> None:
    """Hand it in: every field that its depth needs must be written. Raises BadInput naming the fields, Refused."""

    def change(tx: Tx) -> None:
        f = loader.load(tx, desk, number)
        transition.judged(f, actor, Action("submit_review"))
        row = _current(tx, desk, f, actor)
        if row.status not in EDITABLE:
            raise Refused([Refusal("A", "G8", f"The review is {_said(row.status)} already.", "review")])
        depth = rules.deepest([row.depth, f.review_depth])
        lacking = rules.missing(row.body, depth, gates.action_types(tx, number), loader.TEMPLATE_NOTES)
        cause = row.body.get("cause_class")
        if "cause_class" not in lacking and cause and cause not in desk.policy.cause_classes:
            lacking["cause_class"] = f"Cause class: one of {', '.join(desk.policy.cause_classes)}."
        if lacking:
            raise BadInput(lacking)
        values = {"status": "in_review", "depth": depth, "submitted_at": tx.now, "row_version": row.row_version + 1}
        _record(tx, desk, f, actor, row, values)
        notify.enqueue(
            tx, desk, [Notice("review_submitted", number, f"{row.id}:{row.row_version}", {"from": actor.id})]
        )

    desk.write(change)


def approve(desk: Desk, actor: Actor, number: int, comment: str = "") -> None:
    """G8: the last approval that is needed lets the desk close (M6) in the same transaction, if every gate holds."""

    def change(tx: Tx) -> None:
        f = loader.load(tx, desk, number)
        transition.judged(f, actor, Action("approve_review"))
        row = _current(tx, desk, f, actor)
        _check_approvable(f, row)
        alone = f.solo_mode and f.review is not None and actor.id in (*f.review.authors, f.resolver_id)
        self_reviewed = alone and row.depth != rules.MICRO
        approvals = set(f.review.approvals if f.review else ()) | {actor.id}
        if f.review is None or actor.id not in f.review.approvals:
            store.add_vote(tx, row.id, actor.id, self_reviewed)
        needed = rules.approvals_needed(desk.policy, row.depth, f.top_priority, f.solo_mode)
        solo_second = f.solo_mode and rules.approvals_needed(desk.policy, row.depth, f.top_priority, False) > 1
        if len(approvals) < needed:
            said = {"version": row.version, "approval": len(approvals), "needed": needed, "comment": comment}
            timeline.append(tx, desk, Line(number, "review", said, actor, "G8"))
            return
        marked = self_reviewed or row.self_reviewed or solo_second
        values = {"status": "approved", "decided_at": tx.now, "self_reviewed": marked, "reviewer_id": actor.id}
        if marked:
            tickets.change(tx, number, {"self_reviewed": True})
        _record(tx, desk, f, actor, row, values, {"comment": comment, "self_reviewed": marked})
        judge(tx, desk, number)

    desk.write(change)


def _check_approvable(f: Facts, row: Any) -> None:
    if row.status != "in_review":
        raise Refused([Refusal("A", "G8", f"The review is {_said(row.status)}: it must be submitted first.", "review")])
    if rules.deepest([row.depth, f.review_depth]) != row.depth:
        text = f"A {f.review_depth} review is due now, this one is {row.depth}: ask for changes."
        raise Refused([Refusal("A", "G8", text, "review")])


def request_changes(desk: Desk, actor: Actor, number: int, text: str) -> None:
    """Send it back to its author with what is to be changed."""
    if blank(text) or len(text) > 20_000:
        raise BadInput({"text": "Say what is to be changed (at most 20,000 characters)."})

    def change(tx: Tx) -> None:
        f = loader.load(tx, desk, number)
        transition.judged(f, actor, Action("request_changes"))
        row = _current(tx, desk, f, actor)
        if row.status != "in_review":
            raise Refused([Refusal("A", "G8", f"The review is {_said(row.status)}: nothing to send back.", "review")])
        if f.review is not None and f.review.approvals:
            row = _anew(tx, row)
        values = {"status": "changes_requested", "change_request": text, "row_version": row.row_version + 1}
        _record(tx, desk, f, actor, row, values, {"text": text})
        notify.enqueue(
            tx,
            desk,
            [Notice("review_changes", number, f"{row.id}:{row.row_version}", {"text": text, "to": row.authors})],
        )

    desk.write(change)


def _anew(tx: Tx, row: Any) -> Any:
    """Votes are for the text as it was: the next version begins with none of them."""
    kept = ("incident_id", "cycle", "depth", "body", "author_id", "authors", "reviewer_id", "due_at", "reminded_at")
    copy = {name: getattr(row, name) for name in kept}
    store.supersede(tx, row.incident_id)
    return store.get(tx, store.add(tx, copy | {"version": row.version + 1, "status": "draft", "created_at": tx.now}))


def waive(desk: Desk, actor: Actor, number: int, reason: str) -> None:
    """A lead who is neither owner, resolver nor author lets a P2–P5 close without a review; kept and shown."""

    def change(tx: Tx) -> None:
        f = loader.load(tx, desk, number)
        transition.judged(f, actor, Action("waive_review", reason=reason))
        row = _current(tx, desk, f, actor)
        if row.status in ("approved", "waived"):
            raise Refused([Refusal("A", "G8", f"The review is {_said(row.status)} already.", "review")])
        values = {"status": "waived", "decided_at": tx.now, "waived_by": actor.id, "waiver_reason": reason}
        _record(tx, desk, f, actor, row, values, {"reason": reason})
        judge(tx, desk, number)

    desk.write(change)


def _current(tx: Tx, desk: Desk, f: Facts, actor: Actor) -> Any:
    """The review of this cycle, drafted now if the cycle has none yet. In `cancelled` only where one is due."""
    if f.status == words.CANCELLED and (f.review is None or f.review.cycle != f.cycle):
        raise Refused([Refusal("A", "G8", "No review is due for this cancelled ticket.", "review")])
    review_id = drafts.ensure(tx, desk, f, actor)
    return store.get(tx, review_id)


def _record(
    tx: Tx,
    desk: Desk,
    f: Facts,
    actor: Actor,
    row: Any,
    values: Mapping[str, Any],
    said: Mapping[str, Any] | None = None,
) -> None:
    store.change(tx, row.id, values)
    told = {"version": row.version, "depth": values.get("depth", row.depth), "status": values["status"]}
    timeline.append(tx, desk, Line(f.id, "review", told | dict(said or {}), actor, "G8"))
    tx.after_commit.append(lambda: desk.wake.notify("changes"))


def _said(status: str) -> str:
    return status.replace("_", " ")

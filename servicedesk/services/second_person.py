"""Requests that another person decides: an override of an unconfirmed alert (G5), cancelling a P1 or P2 (M9)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain import incident as words
from servicedesk.domain.guards import blank
from servicedesk.domain.incident import Action, Actor
from servicedesk.errors import BadInput, NotAllowed, NotFound, Refusal, Refused
from servicedesk.services.shared import facts as loader
from servicedesk.services.shared import notify, timeline, transition
from servicedesk.services.shared.judge import judge
from servicedesk.services.shared.notify import Notice
from servicedesk.services.shared.settings import solo_mode
from servicedesk.services.shared.timeline import Line
from servicedesk.store import gates, tickets
from servicedesk.store.db import Tx

KINDS = {  # kind → what the first person must be, what the second must be
    "override_unconfirmed": (words.LEAD, words.AGENT),
    "cancellation": (words.AGENT, words.AGENT),
}
LIFETIME = timedelta(hours=72)


def ask(
    desk: Desk, actor: Actor, number: int, kind: str, reason: str, code: str = "", target: int | None = None
) -> int:
    """Ask; answers the request's id. It expires after three days.

    A cancellation is asked for with its reason's code, and for a duplicate or a merge with the ticket that takes the
    alerts: what is agreed to is that and nothing else.
    """
    if kind not in KINDS:
        raise BadInput({"kind": f"One of {', '.join(KINDS)}."})
    if blank(reason) or len(reason) > 2_000:
        raise BadInput({"reason": "Say why, in at most 2,000 characters."})
    payload = _cancellation(code, target) if kind == "cancellation" else {}
    if not actor.has(KINDS[kind][0]):
        raise NotAllowed(f"Only a {KINDS[kind][0]} asks for this.")

    def change(tx: Tx) -> int:
        f = loader.load(tx, desk, number)
        transition.judged(f, actor, Action("ask_second_person"))
        if "target" in payload and not tickets.known(tx, payload["target"]):
            raise BadInput({"target": f"There is no ticket {words.number(payload['target'])}."})
        row = {
            "incident_id": number,
            "cycle": f.cycle,
            "kind": kind,
            "reason": reason,
            "payload": payload,
            "asked_by": actor.id,
            "asked_at": tx.now,
            "expires_at": tx.now + LIFETIME,
        }
        new_id = gates.add_request(tx, row)
        said = {"request": new_id, "kind": kind, "reason": reason, "status": "asked"} | payload
        timeline.append(tx, desk, Line(number, "second_person", said, actor))
        notify.enqueue(tx, desk, [Notice("second_person", number, str(new_id), {"text": reason, "from": actor.id})])
        return new_id

    return desk.write(change)


def _cancellation(code: str, target: int | None) -> dict[str, Any]:
    if code not in words.CANCEL_REASONS:
        raise BadInput({"code": f"Say how it is to be cancelled: one of {', '.join(words.CANCEL_REASONS)}."})
    if code not in words.TAKEN_BY_ANOTHER:
        return {"code": code}
    if target is None:
        raise BadInput({"target": "Name the open ticket that takes its alerts."})
    return {"code": code, "target": target}


def approve(desk: Desk, actor: Actor, request_id: int, comment: str = "") -> None:
    """The second person agrees; the first may, only in solo mode, and it is then shown as self-reviewed."""
    _decide(desk, actor, request_id, "approved", comment)


def refuse(desk: Desk, actor: Actor, request_id: int, comment: str) -> None:
    if blank(comment):
        raise BadInput({"comment": "Say why you refuse."})
    _decide(desk, actor, request_id, "refused", comment)


def _decide(desk: Desk, actor: Actor, request_id: int, status: str, comment: str) -> None:
    def change(tx: Tx) -> None:
        asked = gates.request(tx, request_id)
        if asked is None:
            raise NotFound(f"There is no second-person request {request_id}.")
        number = asked.incident_id
        f = loader.load(tx, desk, number)
        row = gates.request(tx, request_id) or asked  # again, now that the ticket is locked
        _check(row, f.cycle, f.status, tx.now)
        alone = _alone(tx, desk, actor, row)
        decided = {"status": status, "decided_by": actor.id, "comment": comment, "self_reviewed": alone}
        gates.decide_request(tx, request_id, decided)
        if alone:
            tickets.change(tx, number, {"self_reviewed": True})
        said = {"request": request_id, "kind": row.kind, "status": status, "comment": comment, "self_reviewed": alone}
        timeline.append(tx, desk, Line(number, "second_person", said, actor))
        judge(tx, desk, number)

    desk.write(change)


def _check(row: Any, cycle: int, status: str, now: datetime) -> None:
    standing = "expired" if row.status == "asked" and row.expires_at <= now else row.status
    if standing != "asked":
        raise Refused([Refusal("A", "second_person", f"It is {standing} already.", "second-person-requests")])
    if row.cycle != cycle or status not in words.UNCLOSED:
        text = "The ticket has moved on since: ask again if it is still needed."
        raise Refused([Refusal("A", "second_person", text, "second-person-requests")])


def _alone(tx: Tx, desk: Desk, actor: Actor, row: Any) -> bool:
    if not actor.has(KINDS[row.kind][1]):
        raise NotAllowed("Only an agent decides this.")
    if actor.id != row.asked_by:
        return False
    if not solo_mode(tx, desk):
        raise Refused([Refusal("A", "second_person", "Another person than the one who asked must decide.", "role")])
    return True

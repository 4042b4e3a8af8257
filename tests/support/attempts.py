"""Everything that anybody can try on a ticket through the services, with input that is good in itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.services import followups, incidents, judgement, resolution, reviews, second_person
from servicedesk.store.tables import second_person_request
from tests.support.reviews import body

Attempt = Callable[[Desk, Actor, int], object]


def _request(desk: Desk, number: int) -> int:
    with desk.read() as tx:
        r = second_person_request.c
        return tx.run(select(r.id).where(r.incident_id == number).order_by(r.id.desc()).limit(1)).scalar() or 0


def attempts(other: int) -> dict[str, Attempt]:
    """name → call. other: the number of another open ticket (for merging)."""
    return {
        "take": incidents.take,
        "assign": lambda d, a, n: incidents.assign(d, a, n, owner="owner"),
        "unassign": lambda d, a, n: incidents.assign(d, a, n, owner=""),
        "hold": lambda d, a, n: incidents.hold(d, a, n, "vendor"),
        "ask": lambda d, a, n: incidents.hold(d, a, n, "requester", question="Which one?"),
        "resume": incidents.resume,
        "edit up": lambda d, a, n: incidents.edit(d, a, n, {"impact": 1, "urgency": 1}),
        "edit down": lambda d, a, n: incidents.edit(d, a, n, {"impact": 3, "urgency": 3}),
        "note": lambda d, a, n: incidents.comment(d, a, n, "looked at it", public=False),
        "message": lambda d, a, n: incidents.comment(d, a, n, "we are on it", public=True),
        "resolve": lambda d, a, n: resolution.resolve(d, a, n, "fixed", "capacity", "cleaned up", "It works again."),
        "verify": lambda d, a, n: resolution.verify(d, a, n, "pass", "used it", "seen", True),
        "verify fail": lambda d, a, n: resolution.verify(d, a, n, "fail", "used it", "error", False),
        "confirm": lambda d, a, n: resolution.confirm(d, a, n, True, "by phone, 10:15"),
        "deny": lambda d, a, n: resolution.confirm(d, a, n, False, "still broken"),
        "explain": lambda d, a, n: resolution.explain(d, a, n, "It works again."),
        "save review": lambda d, a, n: reviews.save(d, a, n, body("full")),
        "submit review": reviews.submit,
        "approve review": reviews.approve,
        "request changes": lambda d, a, n: reviews.request_changes(d, a, n, "say more"),
        "waive review": lambda d, a, n: reviews.waive(d, a, n, "known"),
        "reopen": lambda d, a, n: incidents.reopen(d, a, n, "not solved"),
        "cancel spam": lambda d, a, n: incidents.cancel(d, a, n, "spam", "advertisement"),
        "cancel false": lambda d, a, n: incidents.cancel(d, a, n, "false_positive", "rule is wrong"),
        "merge": lambda d, a, n: incidents.cancel(d, a, n, "merged", "same cause", target=other),
        "ask cancellation": lambda d, a, n: second_person.ask(
            d, a, n, "cancellation", "asked to drop it", "false_positive"
        ),
        "ask override": lambda d, a, n: second_person.ask(d, a, n, "override_unconfirmed", "sender is gone"),
        "agree": lambda d, a, n: second_person.approve(d, a, _request(d, n)),
        "task": lambda d, a, n: followups.add_task(d, a, n, "call vendor", mandatory=True),
        "action": lambda d, a, n: followups.add_action(
            d, a, n, "add disk", "prevent", "owner", d.now() + timedelta(days=9), blocking=True
        ),
        "judge": lambda d, _a, _n: judgement.run_due(d),
    }

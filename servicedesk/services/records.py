"""Records without a ticket: a person marks them or makes a ticket of one; those that wait too long raise an alarm."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from servicedesk.channels import registry
from servicedesk.desk import Desk
from servicedesk.domain.correlation import Decision
from servicedesk.domain.correlation_rules import MARKS
from servicedesk.domain.incident import AGENT, CANCELLED, CLOSED, Actor
from servicedesk.domain.notification import Person
from servicedesk.errors import BadInput, NotAllowed, NotFound
from servicedesk.services.shared import attach, observe, timeline
from servicedesk.services.shared.observe import Judged
from servicedesk.services.shared.timeline import Line
from servicedesk.store import alerts, correlations, outbox, records
from servicedesk.store.db import Priority, Tx

MOST = 500  # records in one go
PAGE = "/alerts?view=check"


@dataclass(frozen=True, slots=True)
class Made:
    """incident_id: the alert's open ticket; new: it was made just now."""

    incident_id: int
    new: bool


def open_ticket(desk: Desk, actor: Actor, alert_id: int) -> Made:
    """One click makes a ticket of a recorded alert; one that has an open ticket keeps it.

    Raises NotFound, NotAllowed (agents do it).
    """
    _agent(actor)
    return desk.write(lambda tx: _open(tx, desk, actor, alert_id))


def _agent(actor: Actor) -> None:
    if not actor.has(AGENT):
        raise NotAllowed("Only agents decide about records.")


def _open(tx: Tx, desk: Desk, actor: Actor, alert_id: int) -> Made:
    row = alerts.lock_by_id(tx, [alert_id]).get(alert_id)
    if row is None:
        raise NotFound("There is no such alert.")
    correlations.lock_digests(tx, [row.correlation])
    before = correlations.lock_tickets(tx, [row.incident_id] if row.incident_id else []).get(row.incident_id or 0)
    if before is not None and before.status not in (CLOSED, CANCELLED):
        return Made(before.id, new=False)
    (one,) = observe.judge_anew(tx, desk, [row])
    _carry(one)
    why = f"{actor.name} made a ticket of the recorded alert."
    decision = Decision("open" if before is None else "recur", "by_hand", why, before.id if before else None)
    (incident_id,) = attach.finish(tx, desk, [one], {}, [[(one, decision)]])
    line = Line(incident_id, "from_record", {"alert": alert_id, "rule": row.rule, "name": row.name}, actor)
    timeline.append(tx, desk, line)
    tx.after_commit.append(lambda: desk.wake.notify("changes"))
    return Made(incident_id, new=True)


def _carry(one: Judged) -> None:
    """Its newest episode goes to the ticket, though it may be over, or never have been seen firing."""
    if not one.fresh:
        one.fresh = [max(one.episodes, key=lambda e: e.starts_at)]
    one.row.waits = one.row.waits_until = one.row.window_id = None


def mark(desk: Desk, actor: Actor, alert_ids: Collection[int], word: str) -> int:
    """Mark records as misuse, malfunction, noise or known; "" takes the mark away. Answers how many there were.

    Raises BadInput, NotAllowed (agents do it).
    """
    _agent(actor)
    if word and word not in MARKS:
        raise BadInput({"mark": f"Use one of {', '.join(MARKS)}."})
    if not alert_ids or len(alert_ids) > MOST:
        raise BadInput({"alerts": f"Choose 1 to {MOST} records."})
    return desk.write(lambda tx: _mark(tx, desk, actor, alert_ids, word))


def _mark(tx: Tx, desk: Desk, actor: Actor, alert_ids: Collection[int], word: str) -> int:
    alerts.lock_by_id(tx, alert_ids)
    found = records.mark(tx, alert_ids, word or None)
    if found:
        timeline.append(
            tx, desk, Line(timeline.ADMIN_LOG, "records_marked", {"mark": word, "alerts": found[:50]}, actor)
        )
        tx.after_commit.append(lambda: desk.wake.notify("changes"))
    return len(found)


def run_due(desk: Desk) -> int:
    """Tell the leads once a day that records wait for longer than the policy allows; answers how many are told."""
    with desk.read() as tx:
        if records.overdue(tx, desk.now() - desk.policy.alerts.to_check_after) is None:
            return 0
    return desk.write(lambda tx: _alarm(tx, desk), Priority.SLICE)


def _alarm(tx: Tx, desk: Desk) -> int:
    found = records.overdue(tx, tx.now - desk.policy.alerts.to_check_after)
    if found is None:
        return 0
    reach, leads = registry.reach(desk.config), outbox.everybody_who_leads(tx)
    to = [(channel, lead.email, lead) for channel in reach.personal for lead in leads]
    to += [(name, name, Person(0, name)) for name in reach.broadcast]
    more = "+" if found.count >= records.LIMIT else ""
    told = {"event": "to_check", "staff": True, "number": f"{found.count}{more}", "title": f"{found.count}{more}"}
    told |= {"where": "", "since": found.oldest.isoformat(), "priority": None, "owner": "", "extra": {}, "link": None}
    told |= {"path": PAGE}
    day = tx.now.date().isoformat()
    outbox.add(tx, [_row(tx, f"to_check:{day}:{c}:{address}", c, address, told, lead) for c, address, lead in to])
    tx.after_commit.append(lambda: desk.wake.notify("outbox"))
    return len(to)


def _row(tx: Tx, dedup: str, channel: str, address: str, told: dict[str, Any], to: Person) -> dict[str, Any]:
    return {
        "dedup": dedup,
        "incident_id": None,
        "event": "to_check",
        "channel": channel,
        "target": address,
        "payload": told | {"to": to.name, "language": to.language},
        "state": "pending",
        "created_at": tx.now,
        "due_at": tx.now,
        "error": None,
    }

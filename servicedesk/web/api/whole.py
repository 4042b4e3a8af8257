"""A ticket as the API and the command line tell it: read models and what the rules allow, put into one shape."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from servicedesk.desk import Desk
from servicedesk.domain.incident import REVIEW, Actor, Facts, number
from servicedesk.domain.lifecycle import allowed, checklist
from servicedesk.errors import NotFound
from servicedesk.services.playbooks import with_texts
from servicedesk.store.views import api_incidents as look
from servicedesk.store.views import gates, reviews, ticket
from servicedesk.store.views.checks import Shown
from servicedesk.store.views.queue import Row

from . import shapes

S = TypeVar("S", bound=msgspec.Struct)


def full(desk: Desk, incident_id: int, facts: Facts, actor: Actor) -> shapes.IncidentOut:
    """Everything that stands on the ticket."""
    with desk.read() as tx:
        t = ticket.find(tx, incident_id)
        if t is None:
            raise NotFound(f"There is no ticket {number(incident_id)}.")
        members = ticket.members(tx, incident_id)
        counts = ticket.member_counts(tx, incident_id)
        flapping_since = ticket.flapping_since(tx, incident_id)
        runs = ticket.runs(tx, incident_id)
        verifications = gates.verifications(tx, incident_id)
        confirmations = gates.confirmations(tx, incident_id)
        versions = reviews.versions(tx, incident_id)
        people = (t.owner, t.requester, t.resolver)
        names = look.sign_in_names(tx, [p.id for p in people if p])
    return shapes.IncidentOut(
        **_plain(t),
        owner=names.get(t.owner.id) if t.owner else None,
        requester=names.get(t.requester.id) if t.requester else None,
        tags=list(t.tags),
        alerts=[_same(shapes.AlertOut, m) for m in members],
        alerts_total=sum(counts.values()),
        flapping_since=flapping_since,
        quiet_from=facts.quiet_from,
        quiet_until=facts.quiet_from + facts.quiet_window if facts.quiet_from and facts.alerts else None,
        sla=None,
        hold=_hold(t),
        resolution=_resolution(t, names),
        playbooks=[run_out(r) for r in runs],
        verification=_newest(shapes.VerificationOut, verifications, t.cycle),
        confirmation=_newest(shapes.ConfirmationOut, confirmations, t.cycle),
        review=_same(shapes.ReviewSummary, versions[0]) if versions else None,
        recurrence_of=_number(t.recurrence_of),
        merged_into=_number(t.merged_into),
        parent=_number(t.parent_id),
        checklist=[shapes.GuardOut(g.id, g.title, missing, g.where) for g, missing in checklist(facts, actor)],
        actions=_actions(facts, actor),
        url=f"{desk.config.base_url}/incidents/{t.number}",
    )


def for_requester(out: shapes.IncidentOut) -> shapes.IncidentOut:
    """What a requester sees of their ticket: "resolved" while the review is written, nothing of the inside."""
    return msgspec.structs.replace(
        out,
        status="resolved" if out.status == REVIEW else out.status,
        labels={},
        alerts=[],
        flapping_since=None,
        playbooks=[],
        review=None,
        verification=None,
        creation={},
        checklist=[],
        actions={name: barred for name, barred in out.actions.items() if not _inside(barred)},
        resolution=msgspec.structs.replace(out.resolution, notes="", cause_class="") if out.resolution else None,
    )


def _inside(barred: list[shapes.RefusalOut] | None) -> bool:
    """Only the desk's people may do it: what else bars it would tell of alerts, steps and people."""
    return any(refusal.guard == "role" for refusal in barred or ())


def row(r: Row, names: dict[int | None, str]) -> shapes.IncidentRow:
    """A line of the list."""
    made = {"owner": names.get(r.owner_id), "requester": names.get(r.requester_id)}
    return _same(shapes.IncidentRow, r, **made, recurrence_of=_number(r.recurrence_of))


def run_out(run: ticket.Run) -> shapes.RunOut:
    """A playbook's use on a ticket with the texts of its stored source."""
    state = with_texts(run)
    steps = [_same(shapes.StepOut, recorded, title=step.title, text=step.instruction) for step, recorded in state.steps]
    return _same(shapes.RunOut, run, steps=steps)


def check_out(one: Shown) -> shapes.CheckOut:
    """One asking of a check."""
    return _same(shapes.CheckOut, one)


_MADE = frozenset(
    (
        *("owner", "requester", "tags", "alerts", "alerts_total", "quiet_from", "quiet_until", "sla", "hold"),
        *("resolution", "playbooks", "verification", "confirmation", "review", "recurrence_of", "merged_into"),
        *("parent", "checklist", "actions", "url", "flapping_since"),
    )
)  # what is not a column of the ticket


def _plain(t: ticket.Ticket) -> dict[str, Any]:
    return {name: getattr(t, name) for name in shapes.IncidentOut.__struct_fields__ if name not in _MADE}


def _same(kind: type[S], source: Any, **made: Any) -> S:
    """A shape from the attributes of the same names; `made` goes before them."""
    return kind(**{n: getattr(source, n) for n in kind.__struct_fields__ if n not in made}, **made)


def _number(incident_id: int | None) -> str | None:
    return number(incident_id) if incident_id is not None else None


def _hold(t: ticket.Ticket) -> shapes.HoldOut | None:
    return shapes.HoldOut(t.hold_reason, t.hold_until, t.next_look_at) if t.hold_reason else None


def _resolution(t: ticket.Ticket, names: dict[int | None, str]) -> shapes.ResolutionOut | None:
    if t.resolved_at is None:
        return None
    by = names.get(t.resolver.id, "") if t.resolver else "system"
    return shapes.ResolutionOut(t.resolution_code, t.cause_class, t.resolution_notes, t.explanation, by, t.resolved_at)


def _newest(kind: type[S], records: tuple[Any, ...], cycle: int) -> S | None:
    """The last record of this cycle: those of earlier cycles count no more."""
    current = [r for r in records if r.cycle == cycle]
    return _same(kind, current[-1]) if current else None


def _actions(facts: Facts, actor: Actor) -> shapes.Refusals:
    return {
        name: None if refusals is None else [_same(shapes.RefusalOut, r) for r in refusals]
        for name, refusals in allowed(facts, actor).items()
    }

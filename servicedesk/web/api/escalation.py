"""Escalation policies and their simulator, people's own rules, automatic assignment, hand-over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from flask import Blueprint

from servicedesk.domain.assignment import TeamRules
from servicedesk.domain.escalation import Planned
from servicedesk.domain.escalation_policy import Policy
from servicedesk.domain.incident import parse_number
from servicedesk.domain.people_rules import PersonRules
from servicedesk.errors import BadInput, NotFound
from servicedesk.services import assignment, escalation_policies, handover, people_rules
from servicedesk.store.views import oncall as look
from servicedesk.store.views import people
from servicedesk.store.views.paging import Page
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.preconditions import seen_version
from servicedesk.web.route import STAFF, Answer, route

from . import show
from .common import action

bp = Blueprint("api_escalation", __name__, url_prefix="/api/v1")
_POLICY = "/escalation-policies/<name>"


class PolicyIn(msgspec.Struct, frozen=True):
    """teams, services: whose tickets it is for; targets are found by kind and name (their id is not read)."""

    policy: Policy
    teams: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    version: int | None = None


class SimulationIn(msgspec.Struct, frozen=True):
    """What would happen to a ticket of this priority and service (else team) at this time; policy: one to try."""

    priority: Annotated[int, msgspec.Meta(ge=1, le=5)]
    service: str = ""
    team: str = ""
    at: datetime | None = None
    policy: Policy | None = None


class TellOut(msgspec.Struct, frozen=True):
    """person "": nobody, or a channel; state: queued (is told), skipped (is not, see reason)."""

    target: str
    person: str
    channel: str
    at: datetime
    state: str
    reason: str


class StepOut(msgspec.Struct, frozen=True):
    """step 0: the leads, because nobody answered."""

    at: datetime
    round: int
    step: int
    tells: tuple[TellOut, ...]


class SimulationOut(msgspec.Struct, frozen=True):
    """policy "": none is for such a ticket: owner, else the team's address, else the leads are told."""

    policy: str
    steps: tuple[StepOut, ...]


class HandOverIn(msgspec.Struct, frozen=True):
    """known, tried, next: where we are."""

    to: str
    known: str = ""
    tried: str = ""
    next: str = ""


class ShiftIn(HandOverIn, frozen=True):
    """numbers: of the tickets; absent: everything that who asks owns in work."""

    numbers: tuple[str, ...] | None = None


class ReleaseIn(msgspec.Struct, frozen=True):
    reason: str = ""


class ItemOut(msgspec.Struct, frozen=True):
    """problem "": done."""

    number: str
    problem: str


@route(bp, "GET", "/escalation-policies", scope="read", role=STAFF, answer=Page[look.EscalationPolicy])
def list_policies() -> Page[look.EscalationPolicy]:
    """List escalation policies, by name."""
    with desk().read() as tx:
        return Page(look.policies(tx))


@route(bp, "GET", _POLICY, scope="read", role=STAFF, answer=look.EscalationPolicy)
def show_escalation_policy(name: str) -> look.EscalationPolicy:
    """Show an escalation policy."""
    with desk().read() as tx:
        found = look.policy(tx, name)
    if found is None:
        raise NotFound(f"There is no escalation policy {name!r}.")
    return found


@route(bp, "PUT", _POLICY, scope="work", body=PolicyIn, answer=look.EscalationPolicy)
def put_policy(name: str, body: PolicyIn) -> look.EscalationPolicy:
    """Write an escalation policy, new or the next version (a lead's act)."""
    actor = auth.current_actor()
    escalation_policies.save(desk(), actor, name, body.policy, body.teams, body.services, body.version)
    return show_escalation_policy(name)


@route(bp, "DELETE", _POLICY, scope="work")
def drop_policy(name: str) -> Answer:
    """Take a policy out of use (a lead's act); what it did stays."""
    escalation_policies.drop(desk(), auth.current_actor(), name)
    return Answer()


@route(bp, "POST", "/escalation-simulations", scope="read", role=STAFF, body=SimulationIn, answer=SimulationOut)
def simulate(body: SimulationIn) -> SimulationOut:
    """Say who would be told when; nothing is written."""
    at = body.at or desk().now()
    if at.tzinfo is None:
        raise BadInput({"at": "A time needs its offset."})
    at = at.astimezone(UTC)
    if body.policy is not None:
        name, found = "", escalation_policies.simulate(desk(), body.policy, body.priority, body.team, at)
    else:
        name, found = escalation_policies.simulate_for(desk(), body.priority, body.service, body.team, at)
    with desk().read() as tx:
        names = look.names(tx)
    return SimulationOut(name, tuple(_step(p, names) for p in found))


def _step(p: Planned, names: look.Names) -> StepOut:
    tells = [
        TellOut(
            r.name if r.kind == "leads" else f"{r.kind}: {r.name}",
            names.sign_in.get(r.user_id or 0, ""),
            r.channel,
            r.digest_at or r.due_at,
            r.state,
            r.reason,
        )
        for r in p.rows
    ]
    return StepOut(p.at, p.round, p.step, tuple(tells))


@route(bp, "GET", "/users/<name>/notification-rules", scope="read", role=STAFF, answer=PersonRules)
def show_rules(name: str) -> PersonRules:
    """Show somebody's working hours, quiet hours, channels and skills; "me" is who asks."""
    wanted = auth.current_actor().name if name == "me" else name
    with desk().read() as tx:
        found = next((u for u in people.users(tx) if u.name == wanted), None)
        if found is None:
            raise NotFound(f"There is no user {wanted!r}.")
        return look.rules(tx, found.id)


@route(bp, "PUT", "/users/<name>/notification-rules", scope="work", body=PersonRules, answer=PersonRules)
def put_rules(name: str, body: PersonRules) -> PersonRules:
    """Write one's own rules, or anybody's as a lead."""
    actor = auth.current_actor()
    people_rules.save(desk(), actor, actor.name if name == "me" else name, body)
    return show_rules(name)


@route(bp, "PUT", "/teams/<name>/assignment-rules", scope="work", body=TeamRules, answer=TeamRules)
def put_team_rules(name: str, body: TeamRules) -> TeamRules:
    """Switch automatic assignment of a team's new tickets (a lead's act)."""
    assignment.set_team_rules(desk(), auth.current_actor(), name, body)
    return body


@action(bp, "hand-over", HandOverIn)
def hand_over(number: int, body: HandOverIn) -> Answer:
    """Give a ticket to somebody, with where we are."""
    handover.hand_over(desk(), auth.current_actor(), number, body.to, _where(body), seen_version())
    return show.incident(number)


@action(bp, "release", ReleaseIn)
def release(number: int, body: ReleaseIn) -> Answer:
    """Give a ticket back to the queue."""
    handover.release(desk(), auth.current_actor(), number, body.reason, seen_version())
    return show.incident(number)


@route(bp, "POST", "/hand-overs", scope="work", body=ShiftIn, answer=Page[ItemOut], once=True)
def hand_over_shift(body: ShiftIn) -> Page[ItemOut]:
    """Hand over a whole shift; one result an item."""
    actor = auth.current_actor()
    if body.numbers is None:
        with desk().read() as tx:
            numbers = [t.id for t in look.open_of(tx, actor.id or -1)]
    else:
        numbers = [_number(text) for text in body.numbers]
    found = handover.hand_over_all(desk(), actor, body.to, numbers, _where(body))
    return Page(tuple(ItemOut(r.number, r.problem) for r in found))


def _number(text: str) -> int:
    found = parse_number(text)
    if found is None:
        raise BadInput({"numbers": f"{text!r} is no number of a ticket."})
    return found


def _where(body: HandOverIn) -> dict[str, str]:
    return {"known": body.known, "tried": body.tried, "next": body.next}

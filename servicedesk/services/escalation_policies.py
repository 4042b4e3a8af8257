"""Escalation policies: written by leads, kept by version, tried before they count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from servicedesk.channels import registry
from servicedesk.desk import Desk
from servicedesk.domain import escalation, escalation_policy
from servicedesk.domain.escalation import Planned
from servicedesk.domain.escalation_policy import Policy, Step, Target
from servicedesk.domain.incident import LEAD, Actor
from servicedesk.domain.reaching import World
from servicedesk.errors import BadInput, Conflict, NotAllowed, NotFound
from servicedesk.services.shared import identity, lookup, world
from servicedesk.store import escalations, oncall, outbox
from servicedesk.store.db import Tx


def need_lead(actor: Actor) -> None:
    """Schedules and policies are a lead's work. Raises NotAllowed."""
    if not actor.has(LEAD):
        raise NotAllowed("Only a lead may do this.")


def save(
    desk: Desk,
    actor: Actor,
    name: str,
    policy: Policy,
    teams: Iterable[str] = (),
    services: Iterable[str] = (),
    version: int | None = None,
) -> int:
    """Write a policy (a new one, or the next version) and say whose tickets it is for; answers its version.

    Targets are found by their names. A run that is under way goes on with the version that it began with.
    Raises NotAllowed, BadInput, Conflict (somebody changed it since `version`).
    """
    need_lead(actor)
    name = identity.clean_text(name, "name", 100, required=True)
    if "/" in name:
        raise BadInput({"name": "A name without a slash."})
    escalation_policy.check(policy)

    def change(tx: Tx) -> int:
        body = _resolved(tx, desk, policy)
        row = escalations.policy_named(tx, name, lock=True)
        if row is not None and version is not None and row.version != version:
            raise Conflict(f"The policy {name!r} was changed meanwhile: load it again.")
        team_ids = [lookup.team_named(tx, t, "teams").id for t in teams]
        service_ids = [found.id for s in services if (found := lookup.service_named(tx, s, "services")) is not None]
        said = {"policy": msgspec.to_builtins(body), "teams": sorted(teams), "services": sorted(services)}
        if row is None:
            number, values = 1, {"name": name, "version": 1, "body": said["policy"], "made_by": actor.id}
            policy_id = escalations.add_policy(tx, values)
        else:
            number, policy_id = row.version + 1, row.id
            escalations.change_policy(tx, policy_id, {"version": number, "body": said["policy"]})
        escalations.put_uses(tx, policy_id, team_ids, service_ids)
        before = {"policy": row.body} if row is not None else None
        identity.record(tx, desk, actor, "escalation_policy", name, before, said)
        return number

    return desk.write(change)


def drop(desk: Desk, actor: Actor, name: str) -> None:
    """It is for nobody any more; its version stays for the proof. Raises NotAllowed, NotFound."""
    need_lead(actor)

    def change(tx: Tx) -> None:
        row = escalations.policy_named(tx, name, lock=True)
        if row is None:
            raise NotFound(f"There is no escalation policy {name!r}.")
        escalations.put_uses(tx, row.id, (), ())
        identity.record(tx, desk, actor, "escalation_policy", name, {"in use": True}, {"in use": False})

    desk.write(change)


def _resolved(tx: Tx, desk: Desk, policy: Policy) -> Policy:
    """The policy with the ids of its targets. Raises BadInput naming each target that does not exist."""
    wrong: dict[str, str] = {}
    steps = []
    for n, step in enumerate(policy.steps, 1):
        targets = []
        for target in step.targets:
            try:
                targets.append(_target(tx, desk, target, f"step_{n}"))
            except BadInput as error:
                wrong |= error.fields
        steps.append(Step(tuple(targets), step.wait))
    if wrong:
        raise BadInput(wrong)
    return msgspec.structs.replace(policy, steps=tuple(steps))


def _target(tx: Tx, desk: Desk, target: Target, field: str) -> Target:
    if target.kind == "schedule":
        row = oncall.schedule_named(tx, target.name)
        if row is None:
            raise BadInput({field: f"There is no schedule {target.name!r}."})
        return Target("schedule", row.name, row.id)
    if target.kind == "person":
        found = lookup.person(tx, target.name, field)
        return Target("person", found.name, found.id)
    if target.kind == "team":
        team = lookup.team_named(tx, target.name, field)
        return Target("team", team.name, team.id)
    if target.name not in registry.reach(desk.config).broadcast:
        known = ", ".join(registry.reach(desk.config).broadcast) or "none"
        raise BadInput({field: f"The channel {target.name!r} is not configured; there is: {known}."})
    return Target("channel", target.name)


def simulate(desk: Desk, policy: Policy, priority: int | None, team: str, at: datetime) -> tuple[Planned, ...]:
    """Who would be told when, if a ticket of this priority came at `at` and nobody answered. Nothing is written.

    team: whose leads are the last resort ("": everybody who holds the role). Raises BadInput.
    """
    escalation_policy.check(policy)
    with desk.read() as tx:
        known = _world_at(tx, desk, at)
        team_id = lookup.team_named(tx, team).id if team else None
        body = _resolved(tx, desk, policy)
        known = replace(known, leads=outbox.leads(tx, {team_id})[team_id], pages={})
    return escalation.simulate(body, priority, known, at)


def simulate_for(
    desk: Desk, priority: int | None, service: str, team: str, at: datetime
) -> tuple[str, tuple[Planned, ...]]:
    """The policy that a ticket of this service (else team) gets ("" for none), and what it would do."""
    with desk.read() as tx:
        found = lookup.service_named(tx, service)
        team_id = found.team_id if found else (lookup.team_named(tx, team).id if team else lookup.default_team(tx))
        row = escalations.applicable(tx, team_id, found.id if found else None)
        if row is None:
            return "", ()
        known = replace(_world_at(tx, desk, at), leads=outbox.leads(tx, {team_id})[team_id], pages={})
    return row.name, escalation.simulate(msgspec.convert(row.body, Policy), priority, known, at)


def _world_at(tx: Tx, desk: Desk, at: datetime) -> World:
    """With the overrides and absences that still count then: also a past instant can be asked."""
    return world.load(tx, desk, min(at, tx.now))


def form_of(row: Any) -> Policy:
    """The policy of a stored row."""
    return msgspec.convert(row.body, Policy)

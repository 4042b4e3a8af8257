"""What a person chose for being told and assigned: working hours, quiet hours, channels, skills (N5)."""

from __future__ import annotations

import msgspec

from servicedesk.channels import registry
from servicedesk.desk import Desk
from servicedesk.domain import people_rules
from servicedesk.domain.incident import AGENT, LEAD, Actor
from servicedesk.domain.people_rules import PersonRules
from servicedesk.errors import NotAllowed
from servicedesk.services.shared import identity, lookup
from servicedesk.store import oncall
from servicedesk.store.db import Tx


def save(desk: Desk, actor: Actor, user: str, rules: PersonRules) -> None:
    """One's own, or anybody's by a lead. Raises NotAllowed, BadInput naming every wrong field."""
    if not (actor.has(LEAD) or (actor.has(AGENT) and actor.name == user)):
        raise NotAllowed("Only a lead changes somebody else's rules.")
    people_rules.check(rules, personal_channels())

    def change(tx: Tx) -> None:
        person = lookup.person(tx, user, "user")
        before = oncall.rules_of(tx, [person.id]).get(person.id, PersonRules())
        oncall.put_rules(tx, person.id, rules)
        known, new = msgspec.to_builtins(before), msgspec.to_builtins(rules)
        identity.record(tx, desk, actor, "person_rules", person.name, known, new)

    desk.write(change)


def personal_channels() -> tuple[str, ...]:
    """Names of the channels that reach one person, configured or not."""
    return tuple(c.name for c in registry.CHANNELS.values() if c.personal)

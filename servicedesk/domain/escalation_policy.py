"""An escalation policy: who is told of a ticket, in which order, and what waits for the morning. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from servicedesk.domain.people_rules import Priority
from servicedesk.domain.rota import check_zone, read_windows
from servicedesk.errors import BadInput

Kind = Literal["schedule", "person", "team", "channel"]
MOST_STEPS, MOST_TARGETS, MOST_REPEATS, LONGEST = 20, 20, 20, 7 * 24 * 60
Minutes = Annotated[int, msgspec.Meta(ge=0, le=LONGEST)]


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """id: of the schedule, person or team (0 for a channel); name: what it was called when the policy was written."""

    kind: Kind
    name: str
    id: int = 0


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """wait: minutes after the step before (the first: after the ticket)."""

    targets: tuple[Target, ...]
    wait: Minutes = 0


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """repeat: further rounds after the first; repeat_after: minutes from the last step to the next round, or to the
    leads; expires: minutes without a sign of life after which an acknowledgement counts no more (0: never).

    quiet_hours: windows as `rota` writes them, in timezone ("": the policy's calendar), in which the priorities of
    `waits` go into a digest for their end; silent: priorities that page nobody.
    """

    steps: tuple[Step, ...]
    repeat: Annotated[int, msgspec.Meta(ge=0, le=MOST_REPEATS)] = 1
    repeat_after: Annotated[int, msgspec.Meta(ge=1, le=LONGEST)] = 10
    expires: Minutes = 60
    quiet_hours: str = ""
    timezone: str = ""
    waits: tuple[Priority, ...] = (4, 5)
    silent: tuple[Priority, ...] = ()


def check(policy: Policy) -> Policy:
    """Raises BadInput naming every wrong field."""
    wrong: dict[str, str] = {}
    if not 1 <= len(policy.steps) <= MOST_STEPS:
        wrong["steps"] = f"At least one and at most {MOST_STEPS} steps."
    for n, step in enumerate(policy.steps, 1):
        if not 1 <= len(step.targets) <= MOST_TARGETS:
            wrong[f"step_{n}"] = "Somebody to tell: at least one target."
    for reading in (lambda: read_windows(policy.quiet_hours, "quiet_hours"), lambda: _zone(policy.timezone)):
        try:
            reading()
        except BadInput as error:
            wrong |= error.fields
    if wrong:
        raise BadInput(wrong)
    return policy


def _zone(name: str) -> str:
    return check_zone(name) if name else name

"""Escalation: what is due now, what is left out, and why. Pure.

A run is one attempt to find somebody for a ticket: the policy's steps in order, some rounds of them, until somebody
acknowledges (a person acts on a ticket that has an owner). `look` says what a run needs at this instant, `expand` of
`reaching` turns a step into rows (one a target, person and channel), `hold_back` judges a row that waited. `simulate`
runs the same functions over an imagined ticket.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from servicedesk.domain.escalation_policy import Policy
from servicedesk.domain.incident import IN_PROGRESS, NEW, PENDING
from servicedesk.domain.reaching import QUEUED, TOLD_BEFORE, Facts, Row, World, expand, to_leads

PAGING, ACKNOWLEDGED, RECOVERED, EXHAUSTED, OVER = "paging", "acknowledged", "recovered", "exhausted", "over"


@dataclass(frozen=True, slots=True)
class Run:
    """Where an attempt stands. round from 1; step: the next one, from 0; len(steps): the end of the round."""

    policy: Policy
    state: str = PAGING
    round: int = 1
    step: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """What a run needs now. do: step (execute run.step), leads, again (begin a further run), or rest."""

    do: Literal["step", "leads", "again", "rest"]
    state: str
    reason: str = ""
    due_at: datetime | None = None


def look(run: Run, facts: Facts, now: datetime) -> Look:
    """What this run needs at this instant; its time has come."""
    if facts.status not in (NEW, IN_PROGRESS, PENDING):
        return Look("rest", OVER, "The ticket is resolved or ended.")
    if facts.answered_at is not None:
        return _answered(run, facts, facts.answered_at, now)
    if facts.status == PENDING:
        return Look(
            "rest", ACKNOWLEDGED, "The ticket is on hold.", now + timedelta(minutes=max(run.policy.expires, 15))
        )
    if run.state == RECOVERED and not facts.recovered:
        return Look("again", PAGING, "It fires again.", now)
    if facts.recovered:
        return Look("rest", RECOVERED, "It recovered before anybody had to be told.")
    if facts.priority in run.policy.silent:
        return Look("rest", OVER, f"Priority P{facts.priority} pages nobody (escalation policy).")
    if run.state == ACKNOWLEDGED:
        return Look("again", PAGING, "Nobody owns it any more.", now)
    if run.state != PAGING:
        return Look("rest", run.state, "", now + review_after(run.policy))
    return _next(run)


def _answered(run: Run, facts: Facts, acted_at: datetime, now: datetime) -> Look:
    if facts.status == PENDING or not run.policy.expires:
        due = now + timedelta(minutes=max(run.policy.expires, 15)) if run.policy.expires else None
        return Look("rest", ACKNOWLEDGED, f"{facts.actor} has it.", due)
    until = acted_at + timedelta(minutes=run.policy.expires)
    if now < until:
        return Look("rest", ACKNOWLEDGED, f"{facts.actor} has it.", until)
    if facts.recovered:
        return Look("rest", RECOVERED, "It recovered.")
    return Look("again", PAGING, f"No sign of life from {facts.actor} for {run.policy.expires} minutes.", now)


def _next(run: Run) -> Look:
    if run.step < len(run.policy.steps):
        return Look("step", PAGING)
    if run.round <= run.policy.repeat:
        return Look("step", PAGING)  # the next round begins: see `advance`
    return Look("leads", EXHAUSTED, "Nobody answered in any round.")


def review_after(policy: Policy) -> timedelta:
    """When a run that found nobody is looked at again: somebody may have taken the ticket meanwhile."""
    return timedelta(minutes=max(policy.expires, 60))


def turn(run: Run) -> Run:
    """The run at the step to execute: after the last one the next round begins."""
    return replace(run, round=run.round + 1, step=0) if run.step >= len(run.policy.steps) else run


def advance(run: Run, rows: Sequence[Row], now: datetime) -> tuple[Run, datetime]:
    """The run after its step was executed, and when it is looked at next; at once when the step reached nobody."""
    after = replace(run, step=run.step + 1)
    last = after.step >= len(run.policy.steps)
    wait = run.policy.repeat_after if last else run.policy.steps[after.step].wait
    queued = [row for row in rows if row.state == QUEUED or row.reason == TOLD_BEFORE]
    if not queued and not (last and run.round <= run.policy.repeat):
        return after, now
    begins = min((row.digest_at or now for row in queued), default=now)  # nobody has seen a digest before its time
    return after, begins + timedelta(minutes=wait)


def change(
    status: str, state: str | None, priority: int | None, holds: Policy | None, same: bool, urgent: bool
) -> Literal["end", "switch", "begin", ""]:
    """What becomes of a run when its ticket's team, service or priority has changed.

    state: of the run of this cycle, if there is one; holds: the policy that is for the ticket now; same: the run goes
    by it already; urgent: the priority was raised while pages wait for a digest.
    """
    if status not in (NEW, IN_PROGRESS, PENDING):
        return ""
    if state in (None, OVER):
        return "begin" if holds is not None and priority not in holds.silent else ""
    if holds is None:
        return "end"
    return "switch" if not same or (urgent and state == PAGING) else ""


def hold_back(facts: Facts) -> str:
    """Why a row that waited is not sent after all; "" when it is."""
    if facts.status not in (NEW, IN_PROGRESS):
        return "The ticket is resolved, ended or on hold."
    if facts.answered_at is not None:
        return f"{facts.actor} has it."
    return "It recovered before this was due." if facts.recovered else ""


@dataclass(frozen=True, slots=True)
class Planned:
    """A step as it would be executed. step 0: the leads."""

    at: datetime
    round: int
    step: int
    rows: tuple[Row, ...]


def simulate(policy: Policy, priority: int | None, world: World, at: datetime) -> tuple[Planned, ...]:
    """Who would be told when, if a ticket of this priority came at `at` and nobody answered."""
    facts = Facts(NEW, priority, None)
    run, found = Run(policy), list[Planned]()
    now = at + timedelta(minutes=policy.steps[0].wait)
    while True:
        seen = look(run, facts, now)
        if seen.do == "leads":
            return (*found, Planned(now, run.round, 0, tuple(to_leads(facts, policy, world, now))))
        if seen.do != "step":
            return tuple(found)
        run = turn(run)
        rows = expand(policy.steps[run.step].targets, facts, policy, world, now)
        found.append(Planned(now, run.round, run.step + 1, tuple(rows)))
        run, now = advance(run, rows, now)

"""A ticket changes while people are called: the policy that then holds takes over. On both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from servicedesk.desk import Desk
from servicedesk.domain.escalation_policy import Policy
from servicedesk.domain.incident import ADMIN, Actor
from servicedesk.services import incidents
from servicedesk.services import people as organisation
from tests.oncall.conftest import Crew, policy, use
from tests.oncall.test_paging import paged, proof, run_of, steps, work
from tests.support.clock import Clock
from tests.told.rows import lines, opened

OPERATOR = Actor(None, "operator", frozenset({ADMIN}))
TEAM = policy((0, "person:owner"), (10, "person:agent"), expires=60)


def said(desk: Desk, number: int) -> list[Any]:
    return [line["text"] for line in lines(desk, number, "page") if line.get("change")]


def shop(desk: Desk, lead: Actor, written: Policy) -> None:
    """A second service with a policy of its own."""
    organisation.add_service(desk, OPERATOR, "Shop", "Operations")
    use(desk, lead, written, "Shop", services=("Shop",))


@pytest.mark.feature("N4")
def test_the_policy_of_the_new_service_takes_over_and_nobody_is_called_twice_for_a_step(
    desk: Desk, people: Crew, clock: Clock
) -> None:
    use(desk, people["lead"], TEAM, "Team")
    shop(desk, people["lead"], policy((0, "person:owner,person:reviewer"), (5, "person:lead"), repeat=0))
    number = opened(desk, people["requester"])
    work(desk)
    clock.advance(minutes=2)
    incidents.edit(desk, people["agent"], number, {"service": "Shop"})
    work(desk)
    assert steps(desk, number) == [
        (1, 1, 1, "owner", "queued"), (2, 1, 1, "owner", "skipped"), (2, 1, 1, "reviewer", "queued"),
    ]  # fmt: skip
    assert proof(desk, number)[1].reason == "Told of it already by this step of the policy that held before."
    text = "The escalation policy Shop holds now, instead of Team."
    assert (said(desk, number), run_of(desk, number).reason) == ([text], text)
    clock.advance(minutes=5)
    work(desk)
    clock.advance(minutes=5)  # the old policy would call the agent now
    work(desk)
    assert paged(desk, number) == ["owner@example.org", "reviewer@example.org", "lead@example.org"]


@pytest.mark.feature("N4")
def test_a_step_that_was_told_before_still_has_its_wait(desk: Desk, people: Crew, clock: Clock) -> None:
    use(desk, people["lead"], TEAM, "Team")
    shop(desk, people["lead"], policy((0, "person:owner"), (5, "person:lead"), repeat=1, repeat_after=5))
    number = opened(desk, people["requester"])
    work(desk)
    for service in ("Shop", "General", "Shop"):  # there and back: still the same episode
        incidents.edit(desk, people["agent"], number, {"service": service})
        work(desk)
    assert paged(desk, number) == ["owner@example.org"]
    clock.advance(minutes=5)
    work(desk)
    clock.advance(minutes=5)
    work(desk)
    assert paged(desk, number) == ["owner@example.org", "lead@example.org", "owner@example.org"], "the next round"


@pytest.mark.feature("N4")
def test_who_has_it_keeps_it_and_no_policy_ends_it(desk: Desk, people: Crew, clock: Clock) -> None:
    use(desk, people["lead"], TEAM, "Team")
    shop(desk, people["lead"], policy((0, "person:reviewer"), expires=30))
    number = opened(desk, people["requester"])
    work(desk)
    incidents.take(desk, people["owner"], number)
    incidents.edit(desk, people["owner"], number, {"service": "Shop"})
    work(desk)
    assert (run_of(desk, number).state, len(steps(desk, number))) == ("acknowledged", 1)
    clock.advance(minutes=31)
    work(desk)
    assert steps(desk, number)[1:] == [(3, 1, 1, "reviewer", "queued")], "the answer expires by the new policy"
    organisation.add_team(desk, OPERATOR, "Network")
    organisation.put_member(desk, OPERATOR, "Network", "agent")
    incidents.edit(desk, people["agent"], number, {"service": "General"})
    incidents.assign(desk, people["lead"], number, owner="agent", team="Network")
    work(desk)
    assert run_of(desk, number).state == "over"
    assert said(desk, number)[-1] == "No escalation policy is for it any more: Team ends."


@pytest.mark.feature("N4")
def test_a_silent_priority_that_is_raised_begins_to_call(desk: Desk, people: Crew, clock: Clock) -> None:
    use(desk, people["lead"], policy((0, "person:owner"), (10, "person:lead"), silent=(5,)), "Team")
    number = opened(desk, people["requester"], level=3)
    work(desk)
    assert (steps(desk, number), run_of(desk, number).state) == ([], "over")
    incidents.edit(desk, people["agent"], number, {"title": "Printer on fire"})
    work(desk)
    assert steps(desk, number) == []
    incidents.edit(desk, people["agent"], number, {"impact": 1, "urgency": 1})
    work(desk)
    assert paged(desk, number) == ["owner@example.org"]
    assert said(desk, number) == ["The escalation policy Team begins."]
    incidents.edit(desk, people["agent"], number, {"impact": 3, "urgency": 3})
    clock.advance(minutes=10)
    work(desk)
    assert run_of(desk, number).reason == "Priority P5 pages nobody (escalation policy)."
    incidents.edit(desk, people["agent"], number, {"impact": 1, "urgency": 1})
    work(desk)
    assert paged(desk, number) == ["owner@example.org"], "not again for the same step"
    clock.advance(minutes=10)
    work(desk)
    assert paged(desk, number) == ["owner@example.org", "lead@example.org"]


@pytest.mark.feature("N5")
def test_what_waits_for_the_morning_waits_no_longer_when_it_is_raised(desk: Desk, people: Crew, clock: Clock) -> None:
    use(desk, people["lead"], policy((0, "person:owner"), quiet_hours="22:00-07:00", timezone="Europe/Paris"), "Team")
    clock.set(datetime(2026, 11, 3, 22, 0, tzinfo=UTC))
    number = opened(desk, people["requester"], level=3)
    work(desk)
    assert paged(desk, number) == []
    incidents.edit(desk, people["agent"], number, {"impact": 1, "urgency": 1})
    work(desk)
    assert paged(desk, number) == ["owner@example.org"]
    text = "Its priority was raised: it waits no longer."
    assert [(r.state, r.reason) for r in proof(desk, number)] == [("skipped", text), ("queued", "")]


@pytest.mark.feature("N4")
def test_a_ticket_without_a_policy_gets_the_one_of_its_new_service(desk: Desk, people: Crew) -> None:
    shop(desk, people["lead"], policy((0, "person:owner")))
    number = opened(desk, people["requester"])
    work(desk)
    assert steps(desk, number) == []
    incidents.edit(desk, people["agent"], number, {"service": "Shop"})
    work(desk)
    assert paged(desk, number) == ["owner@example.org"]

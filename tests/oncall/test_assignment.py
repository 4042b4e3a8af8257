"""Tickets find an owner by themselves, are handed over, and come back from who is not there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.desk import Desk
from servicedesk.domain.assignment import Candidate, TeamRules, choose
from servicedesk.domain.incident import ADMIN, Actor
from servicedesk.domain.people_rules import PersonRules
from servicedesk.errors import BadInput, NotAllowed
from servicedesk.services import absences, alarms, assignment, handover, incidents, people_rules
from servicedesk.services import people as organisation
from tests.oncall.conftest import Crew
from tests.support.clock import Clock
from tests.told.rows import lines, opened, row_of, rows

OPERATOR = Actor(None, "operator", frozenset({ADMIN}))


def owner_of(desk: Desk, people: Crew, number: int) -> str:
    found = row_of(desk, number).owner_id
    return next((name for name, actor in people.items() if actor.id == found), "")


def wanted(desk: Desk, people: Crew, **rules: bool) -> None:
    """The team wants it; everybody but three is away, so that the test can follow."""
    assignment.set_team_rules(desk, people["lead"], "Operations", TeamRules(enabled=True, **rules))  # type: ignore[arg-type]
    for name in ("lead", "lead2", "admin"):
        rule(desk, people, name, cap=0)


def rule(desk: Desk, people: Crew, name: str, **rules: object) -> None:
    people_rules.save(desk, people[name], name, PersonRules(**rules))  # type: ignore[arg-type]


@pytest.mark.feature("T3")
def test_by_turn_by_skill_and_up_to_the_cap(desk: Desk, people: Crew, clock: Clock) -> None:
    wanted(desk, people)
    numbers = [opened(desk, people["requester"], f"Ticket {n}") for n in range(4)]
    assert assignment.run_due(desk) == 4
    assert [owner_of(desk, people, n) for n in numbers] == ["owner", "agent", "owner", "agent"]
    assert row_of(desk, numbers[0]).acknowledged_at is None, "an automatic assignment answers to nobody"
    assert row_of(desk, numbers[0]).status == "in_progress"
    assert [r.target for r in rows(desk, numbers[0]) if r.event == "assigned" and r.channel == "email"] == [
        "owner@example.org"
    ]
    rule(desk, people, "agent", skills=("Infrastructure",), cap=3)
    skilled = [opened(desk, people["requester"], f"Skilled {n}") for n in range(2)]
    assert assignment.run_due(desk) == 1
    assert [owner_of(desk, people, n) for n in skilled] == ["agent", ""], (
        "nobody else has the skill, and the cap is reached"
    )
    clock.advance(days=1)
    assert assignment.run_due(desk) == 1
    assert owner_of(desk, people, skilled[1]) == "agent"
    assert assignment.run_due(desk) == 0


@pytest.mark.feature("N9")
def test_working_hours_and_absence_are_respected(desk: Desk, people: Crew, clock: Clock) -> None:
    wanted(desk, people)
    rule(desk, people, "owner", working_hours="mon-fri 13:00-17:00", timezone="UTC")
    absences.add(desk, people["agent"], "agent", clock.now(), clock.now() + timedelta(hours=2))
    number = opened(desk, people["requester"])
    assert assignment.run_due(desk) == 0
    clock.set(datetime(2026, 11, 2, 13, 0, tzinfo=UTC))
    assert assignment.run_due(desk) == 1
    assert owner_of(desk, people, number) == "owner"


def test_a_team_that_does_not_want_it_keeps_its_queue(desk: Desk, people: Crew) -> None:
    number = opened(desk, people["requester"])
    assert assignment.run_due(desk) == 0
    assert owner_of(desk, people, number) == ""
    with pytest.raises(NotAllowed):
        assignment.set_team_rules(desk, people["agent"], "Operations", TeamRules(True))


candidates = st.lists(
    st.builds(
        Candidate, st.integers(1, 99), st.frozensets(st.sampled_from(["db", "net"])), st.integers(0, 3),
        st.integers(0, 3), st.integers(0, 4), st.booleans(), st.booleans(),
    ),
    unique_by=lambda c: c.id,
)  # fmt: skip


@given(candidates, st.sampled_from([(), ("db",), ("net", "x")]), st.booleans(), st.integers(1, 99), st.integers(1, 99))
def test_nobody_is_chosen_who_is_away_full_or_asked_for_it(
    found: list[Candidate], words: tuple[str, ...], needs: bool, last: int, barred: int
) -> None:
    choice = choose(found, words, TeamRules(True, needs_skill=needs), last, barred)
    able = [c for c in found if c.there and c.working and c.today < c.cap and c.id != barred]
    skilled = [c for c in found if c.skills & set(words)]
    fit = [c for c in able if c in skilled] if skilled else ([] if needs else able)
    assert (choice.user_id is None) == (not fit)
    assert choice.reason
    if fit:
        assert choice.user_id in {c.id for c in fit}
        chosen = next(c for c in fit if c.id == choice.user_id)
        assert chosen.today == min(c.today for c in fit)


@pytest.mark.feature("T23")
def test_a_shift_is_handed_over_with_where_we_are(desk: Desk, people: Crew) -> None:
    numbers = [opened(desk, people["requester"], f"Ticket {n}") for n in range(3)]
    for number in numbers[:2]:
        incidents.take(desk, people["owner"], number)
    results = handover.hand_over_all(
        desk, people["owner"], "agent", numbers[:2], {"known": "disk full", "tried": "", "next": "call vendor"}
    )
    assert [r.problem for r in results] == ["", ""]
    assert [owner_of(desk, people, n) for n in numbers] == ["agent", "agent", ""]
    said = lines(desk, numbers[0], "handover")[0]
    assert (said["known"], said["next"], "tried" in said) == ("disk full", "call vendor", False)
    told = [r.target for r in rows(desk, numbers[0]) if r.event == "assigned" and r.channel == "email"]
    assert told == ["agent@example.org"]
    results = handover.hand_over_all(desk, people["owner"], "agent", [numbers[0], 999])
    assert [bool(r.problem) for r in results] == [False, True], "each is judged alone"
    with pytest.raises(BadInput):
        handover.hand_over_all(desk, people["owner"], "nobody", numbers)


@pytest.mark.feature("T24")
def test_an_owner_gives_a_ticket_back_to_the_queue(desk: Desk, people: Crew, clock: Clock) -> None:
    number = opened(desk, people["requester"])
    incidents.take(desk, people["owner"], number)
    with pytest.raises(NotAllowed):
        handover.release(desk, people["agent"], number)
    handover.release(desk, people["owner"], number, "end of my shift")
    assert owner_of(desk, people, number) == ""
    clock.advance(minutes=10)
    assert alarms.run_due(desk) == 1
    assert "lead@example.org" in [r.target for r in rows(desk, number) if r.event == "unassigned"]
    incidents.take(desk, people["agent"], number)
    assert row_of(desk, number).unassigned_due_at is None


@pytest.mark.feature("T24")
@pytest.mark.feature("N9")
def test_tickets_of_who_is_absent_go_to_the_deputy_else_to_the_queue(desk: Desk, people: Crew, clock: Clock) -> None:
    numbers = [opened(desk, people["requester"], f"Ticket {n}") for n in range(4)]
    for name, number in zip(("owner", "agent", "admin", "lead2"), numbers, strict=True):
        incidents.take(desk, people[name], number)
    begins, ends = clock.now() + timedelta(hours=1), clock.now() + timedelta(days=5)
    absences.add(desk, people["owner"], "owner", begins, ends, deputy="lead")
    absences.add(desk, people["agent"], "agent", begins, ends)
    absences.add(desk, people["admin"], "admin", begins, ends, keep_tickets=True)
    assert handover.return_due(desk) == 0
    clock.advance(hours=1)
    assert handover.return_due(desk) == 2
    assert [owner_of(desk, people, n) for n in numbers] == ["lead", "", "admin", "lead2"]
    assert alarms.run_due(desk) == 1
    assert "lead@example.org" in [r.target for r in rows(desk, numbers[1]) if r.event == "unassigned"]
    organisation.change_user(desk, OPERATOR, "lead2", {"active": False})
    assert handover.return_due(desk) == 1
    assert owner_of(desk, people, numbers[3]) == ""
    incidents.take(desk, people["agent"], numbers[1])
    assert handover.return_due(desk) == 0, "who takes a ticket in spite of an absence keeps it"


def test_rules_are_checked_and_one_s_own(desk: Desk, people: Crew) -> None:
    with pytest.raises(NotAllowed):
        people_rules.save(desk, people["agent"], "owner", PersonRules())
    bad = msgspec.convert({"timezone": "Mars", "quiet_hours": "late", "cap": -1}, PersonRules)
    with pytest.raises(BadInput) as refused:
        people_rules.save(desk, people["owner"], "owner", bad)
    assert set(refused.value.fields) == {"timezone", "quiet_hours", "cap"}
    with pytest.raises(NotAllowed):
        absences.add(desk, people["agent"], "owner", desk.now(), desk.now() + timedelta(days=1))
    with pytest.raises(BadInput):
        absences.add(desk, people["agent"], "agent", desk.now(), desk.now() + timedelta(days=1), deputy="agent")

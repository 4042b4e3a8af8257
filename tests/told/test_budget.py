"""The page budget of a team: so many messages in a while, the rest in one digest. On both databases."""

from typing import Any

import pytest
from sqlalchemy import update

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.services import digests, outbox
from servicedesk.services.shared.notify import Notice
from servicedesk.store.tables import team
from tests.support.clock import Clock
from tests.told.receivers import Mailbox
from tests.told.rows import many, rows, set_incident, tell

Crew = dict[str, Actor]


@pytest.fixture
def one_address(mailing: Desk) -> Desk:
    mailing.write(lambda tx: tx.run(update(team).values(email="ops@example.org")))
    return mailing


def states(desk: Desk) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in rows(desk):
        name = row.state if row.event != "storm" else "digest"
        found[name] = found.get(name, 0) + 1
    return found


def page(desk: Desk, numbers: list[int]) -> None:
    tell(desk, *(Notice("opened", number, "opened") for number in numbers))


@pytest.mark.feature("N5", "I13")
def test_beyond_the_budget_there_is_one_digest(one_address: Desk, people: Crew, clock: Clock, mailbox: Mailbox) -> None:
    desk = one_address
    numbers = many(desk, 30)
    set_incident(desk, numbers[28], priority=2)
    page(desk, numbers[:25])
    page(desk, numbers[25:])
    assert states(desk) == {"pending": 20, "held": 10}
    clock.advance(seconds=59)
    assert digests.run_due(desk) == 0
    clock.advance(seconds=1)
    assert digests.run_due(desk) == 1
    assert states(desk) == {"pending": 20, "digested": 10, "digest": 1}
    (row,) = [r for r in rows(desk) if r.event == "storm"]
    told = row.payload["extra"]["text"].splitlines()
    assert (len(told), told[0], row.target) == (10, f"INC-{numbers[20]} · P1 · Alert 20", "ops@example.org")
    assert told[-1].startswith(f"INC-{numbers[28]} · P2")
    assert all(r.error for r in rows(desk) if r.state == "digested")
    while outbox.send_due(desk):
        pass
    assert len(mailbox.received) == 21


@pytest.mark.feature("N5")
def test_there_is_one_digest_in_a_window_and_then_a_new_budget(one_address: Desk, people: Crew, clock: Clock) -> None:
    desk = one_address
    page(desk, many(desk, 21))
    clock.advance(minutes=1)
    assert digests.run_due(desk) == 1
    clock.advance(minutes=2)
    page(desk, many(desk, 1))
    clock.advance(minutes=7)
    assert digests.run_due(desk) == 0
    page(desk, many(desk, 1))  # the first twenty are ten minutes old
    assert states(desk) == {"pending": 21, "held": 1, "digested": 1, "digest": 1}
    clock.advance(minutes=1)
    assert digests.run_due(desk) == 1  # ten minutes after the first


@pytest.mark.feature("N5")
def test_the_most_urgent_are_paged_and_repeats_cost_nothing(one_address: Desk, people: Crew, clock: Clock) -> None:
    desk = one_address
    numbers = many(desk, 25)
    for number in numbers[:5]:
        set_incident(desk, number, priority=3)
    page(desk, numbers)
    assert {r.incident_id for r in rows(desk) if r.state == "held"} == set(numbers[:5])
    clock.advance(minutes=10)
    page(desk, numbers)
    page(desk, many(desk, 20))
    assert states(desk) == {"pending": 40, "held": 5}


@pytest.mark.feature("N5")
def test_a_team_does_not_pay_for_another(one_address: Desk, people: Crew, clock: Clock) -> None:
    desk = one_address
    page(desk, many(desk, 21))
    numbers = many(desk, 2)
    for number in numbers:
        set_incident(desk, number, team_id=None)
    page(desk, numbers)
    assert [r.state for r in rows(desk)][-4:] == ["pending"] * 4  # two leads, two tickets


@pytest.mark.feature("N5")
def test_what_people_ask_for_is_never_held_back(one_address: Desk, people: Crew, clock: Clock) -> None:
    desk = one_address
    numbers = many(desk, 22)
    page(desk, numbers)
    tell(desk, *(Notice("assigned", number, "1") for number in numbers))
    told: list[Any] = [r for r in rows(desk) if r.event == "assigned"]
    assert {r.state for r in told} == {"pending"}

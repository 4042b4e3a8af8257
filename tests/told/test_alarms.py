"""Alarms that time alone raises: no owner, a review due. A clock that jumps, both databases."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.services import alarms, incidents, outbox
from servicedesk.store.tables import review
from tests.support.clock import Clock
from tests.told.receivers import Hook, Mailbox
from tests.told.rows import due_of, lines, many, opened, row_of, rows, set_incident

Crew = dict[str, Actor]
LEADS = ["lead2@example.org", "lead@example.org"]


def told(desk: Desk, number: int, event: str) -> list[str]:
    return sorted(r.target for r in rows(desk, number) if r.event == event)


@pytest.mark.feature("T3")
@pytest.mark.parametrize(("level", "minutes"), [(1, 10), (3, 60)])
def test_a_ticket_that_nobody_takes_in_time_is_told_to_the_leads_once(
    telling: Desk, people: Crew, clock: Clock, level: int, minutes: int
) -> None:
    number = opened(telling, people["agent"], level=level)
    clock.advance(timedelta(minutes=minutes) - timedelta(seconds=1))
    assert alarms.run_due(telling) == 0
    assert told(telling, number, "unassigned") == []
    clock.advance(seconds=1)
    version = row_of(telling, number).version
    assert alarms.run_due(telling) == 1
    assert told(telling, number, "unassigned") == [*LEADS, "webhook"]
    assert [line["event"] for line in lines(telling, number, "alarm")] == ["unassigned"]
    assert row_of(telling, number).version == version  # nobody's half-written form is made stale by it
    clock.advance(days=3)
    assert alarms.run_due(telling) == 0
    assert len(told(telling, number, "unassigned")) == 3


def test_the_alarm_really_goes_out(telling: Desk, people: Crew, clock: Clock, mailbox: Mailbox, hook: Hook) -> None:
    number = opened(telling, people["agent"], level=3)
    clock.advance(hours=1)
    alarms.run_due(telling)
    while outbox.send_due(telling):
        pass
    assert [m["Subject"] for m in mailbox.mails] == [f"[INC-{number}] P5 Nobody has taken it: Checkout is down"] * 2
    assert len(hook.posts) == 1


def test_a_ticket_that_somebody_took_or_that_ended_raises_no_alarm(mailing: Desk, people: Crew, clock: Clock) -> None:
    taken, cancelled, left = (opened(mailing, people["agent"], level=3) for _ in range(3))
    incidents.take(mailing, people["owner"], taken)
    for number in (taken, cancelled):
        set_incident(mailing, number, unassigned_due_at=clock.now())
    set_incident(mailing, cancelled, status="cancelled")
    clock.advance(hours=2)
    assert alarms.run_due(mailing) == 3
    assert {n: told(mailing, n, "unassigned") for n in (taken, cancelled, left)} == {
        taken: [],
        cancelled: [],
        left: LEADS,
    }
    assert due_of(mailing, taken) is due_of(mailing, cancelled) is None


def test_a_ticket_that_waits_again_is_alarmed_again(mailing: Desk, people: Crew, clock: Clock) -> None:
    number = opened(mailing, people["agent"], level=3)
    clock.advance(hours=1)
    alarms.run_due(mailing)
    set_incident(mailing, number, unassigned_due_at=clock.now() + timedelta(hours=1))
    clock.advance(hours=1)
    assert alarms.run_due(mailing) == 1
    assert len(told(mailing, number, "unassigned")) == 4


def test_a_storm_of_unassigned_tickets_is_worked_off_in_portions(desk: Desk, people: Crew, clock: Clock) -> None:
    numbers = many(desk, 450)
    for number in (numbers[0], numbers[-1]):
        set_incident(desk, number, unassigned_due_at=clock.now())
    from servicedesk.store.tables import incident

    desk.write(lambda tx: tx.run(update(incident).values(unassigned_due_at=clock.now())))
    assert [alarms.run_due(desk) for _ in range(4)] == [200, 200, 50, 0]


@pytest.mark.postgres
def test_a_ticket_that_somebody_works_on_right_now_is_left_for_the_next_look(
    postgres_database: str, tmp_path: Any, clock: Clock
) -> None:
    from servicedesk.config import Config
    from servicedesk.desk import open_desk
    from servicedesk.store.tables import incident
    from tests.support.crew import crew

    desk = open_desk(Config(data_dir=str(tmp_path / "data"), database_url=postgres_database), clock.now)
    try:
        crew(desk)
        (number,) = many(desk, 1)
        set_incident(desk, number, unassigned_due_at=clock.now())

        def busy(tx: Any) -> int:
            tx.run(select(incident.c.id).where(incident.c.id == number).with_for_update())
            return alarms.run_due(desk)  # another connection: answers at once

        assert desk.write(busy) == 0
        assert alarms.run_due(desk) == 1
    finally:
        desk.close()


def in_review(desk: Desk, people: Crew, due_at: datetime | None, **values: Any) -> int:
    """A resolved ticket with an undecided review."""
    number = opened(desk, people["agent"], level=3)
    incidents.take(desk, people["owner"], number)
    set_incident(desk, number, status="resolved", resolved_at=desk.now())
    row = {
        "incident_id": number,
        "version": 1,
        "cycle": 1,
        "status": "draft",
        "depth": "micro",
        "body": {},
        "author_id": people["owner"].id,
        "authors": [],
        "created_at": desk.now(),
        "due_at": due_at,
    } | values
    desk.write(lambda tx: tx.run(insert(review).values(row)))
    return number


@pytest.mark.feature("R1")
def test_a_review_is_asked_for_a_day_before_and_daily_from_the_due_time_on(
    mailing: Desk, people: Crew, clock: Clock
) -> None:
    number = in_review(mailing, people, clock.now() + timedelta(days=3))
    seen = []
    for _hour in range(24 * 6):
        clock.advance(hours=1)
        alarms.run_due(mailing)
        seen.append((len(told(mailing, number, "review_soon")), len(told(mailing, number, "review_overdue"))))
    assert [seen.index(step) + 1 for step in ((1, 0), (1, 3), (1, 6), (1, 9), (1, 12))] == [48, 72, 96, 120, 144]
    assert told(mailing, number, "review_soon") == ["owner@example.org"]
    assert sorted(set(told(mailing, number, "review_overdue"))) == sorted([*LEADS, "owner@example.org"])


def test_once_submitted_its_reviewer_is_reminded(mailing: Desk, people: Crew, clock: Clock) -> None:
    number = in_review(mailing, people, clock.now(), status="in_review", reviewer_id=people["reviewer"].id)
    assert alarms.run_due(mailing) == 1
    assert "reviewer@example.org" in told(mailing, number, "review_overdue")
    assert "owner@example.org" not in told(mailing, number, "review_overdue")


def test_without_an_author_who_is_responsible_is_reminded(mailing: Desk, people: Crew, clock: Clock) -> None:
    number = in_review(mailing, people, clock.now() + timedelta(hours=3), author_id=None)
    alarms.run_due(mailing)
    assert told(mailing, number, "review_soon") == ["owner@example.org"]


@pytest.mark.parametrize(
    ("of_review", "of_ticket"),
    [
        ({"status": "approved", "decided_at": datetime.fromisoformat("2026-11-02T08:00:00+00:00")}, {}),
        ({}, {"cycle": 2}),  # reopened and resolved again: the review of the old cycle waits for nobody
        ({}, {"status": "in_progress"}),
        ({"due_at": None}, {}),
    ],
)
def test_nobody_is_reminded_of_what_is_decided_or_not_due(
    mailing: Desk, people: Crew, clock: Clock, of_review: dict[str, Any], of_ticket: dict[str, Any]
) -> None:
    number = in_review(mailing, people, **{"due_at": clock.now() - timedelta(days=1)} | of_review)
    if of_ticket:
        set_incident(mailing, number, **of_ticket)
    assert alarms.run_due(mailing) == 0
    assert rows(mailing, number) == []


def test_with_nothing_due_no_write_lock_is_taken(desk: Desk, people: Crew) -> None:
    with desk.db.writer.hold(0):  # somebody writes for a long time
        assert alarms.run_due(desk) == 0
        assert outbox.send_due(desk) == 0


def test_the_policy_says_how_long(mailing: Desk, people: Crew, clock: Clock) -> None:
    import msgspec

    policy = mailing.policy
    ageing = msgspec.structs.replace(policy.ageing, unassigned={p: timedelta(minutes=2) for p in range(1, 6)})
    mailing.policy = msgspec.structs.replace(policy, ageing=ageing)
    number = opened(mailing, people["agent"], level=3)
    assert due_of(mailing, number) == clock.now() + timedelta(minutes=2)

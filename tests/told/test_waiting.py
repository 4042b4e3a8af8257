"""Stories of waiting, with a clock that jumps: reminders, silence, the lead's decision, ageing. Both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.errors import BadInput
from servicedesk.services import incidents, outbox, resolution, reviews, waiting
from servicedesk.store.tables import confirmation, incident, user
from tests.support.clock import Clock
from tests.support.reviews import body
from tests.told.receivers import Mailbox
from tests.told.rows import lines, opened, row_of, rows, set_incident

Crew = dict[str, Actor]
REQUESTER = "requester@example.org"
MONDAY = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def day(number: int, hour: int = 9) -> datetime:
    return datetime(2026, 11, number, hour, 0, tzinfo=UTC)


def resolved(desk: Desk, people: Crew, level: int = 3) -> int:
    """A request that its owner says is done; the requester has been asked, and the question went out."""
    number = opened(desk, people["agent"], "Printer", level=level, requester="requester")
    incidents.take(desk, people["owner"], number)
    resolution.resolve(desk, people["owner"], number, "fixed", "hardware", "New toner.", "The toner was empty.")
    drain(desk)
    return number


def drain(desk: Desk) -> None:
    while outbox.send_due(desk):
        pass


def live(desk: Desk, clock: Clock, until: datetime) -> None:
    """The worker’s life until then: every six hours it looks at what waits, and sends."""
    while clock.now() < until:
        clock.advance(hours=6)
        waiting.run_due(desk)
        drain(desk)


def told(desk: Desk, number: int, event: str) -> list[tuple[str, datetime]]:
    return [(r.target, r.created_at) for r in rows(desk, number) if r.event == event]


def confirmations(desk: Desk, number: int) -> list[tuple[str, bool]]:
    with desk.read() as tx:
        query = select(confirmation).where(confirmation.c.incident_id == number).order_by(confirmation.c.id)
        return [(r.kind, r.accepted) for r in tx.run(query)]


@pytest.mark.feature("T12")
def test_silence_confirms_on_the_seventh_business_day_with_an_explanation(
    mailing: Desk, people: Crew, clock: Clock, mailbox: Mailbox
) -> None:
    number = resolved(mailing, people)
    live(mailing, clock, day(30))
    assert told(mailing, number, "remind") == [(REQUESTER, day(4)), (REQUESTER, day(9))]
    assert {at for _, at in told(mailing, number, "silent")} == {day(10)}
    assert confirmations(mailing, number) == [("implicit", True)]
    (accepted,) = [line for line in lines(mailing, number, "confirmation") if line["kind"] == "implicit"]
    for asked in ("2026-11-02 09:00 UTC (email)", "2026-11-04 09:00", "2026-11-09 09:00"):
        assert asked in accepted["comment"]
    explanation = row_of(mailing, number).explanation
    assert explanation.startswith("The toner was empty.\n\nWe asked whether this is solved: 2026-11-02")
    assert "within 7 days" in explanation
    assert [r.created_at for r in rows(mailing, number) if r.event == "silence_confirmed"] == [day(11)]
    assert row_of(mailing, number).ladder_due_at is None
    reminded = [m for m in mailbox.to(REQUESTER) if "Is it solved?" in m["Subject"]]
    assert len(reminded) == 3
    assert all("/portal/confirm/" in m.get_body(("plain",)).get_content() for m in reminded)  # type: ignore[union-attr]


def test_an_answer_ends_the_ladder(mailing: Desk, people: Crew, clock: Clock) -> None:
    number = resolved(mailing, people)
    live(mailing, clock, day(5))
    resolution.confirm(mailing, people["requester"], number, True)
    live(mailing, clock, day(30))
    assert confirmations(mailing, number) == [("requester", True)]
    assert len(told(mailing, number, "remind")) == 1
    assert told(mailing, number, "silent") == []


@pytest.mark.feature("T12")
def test_a_p1_is_never_confirmed_by_silence_the_lead_decides(mailing: Desk, people: Crew, clock: Clock) -> None:
    number = resolved(mailing, people, level=1)
    live(mailing, clock, day(10))
    lead = people["lead"]
    with pytest.raises(BadInput, match="reminders are not over"):
        resolution.confirm(mailing, lead, number, True, "I say so", silent=True)
    live(mailing, clock, day(12, 10))
    assert confirmations(mailing, number) == []
    asked = told(mailing, number, "lead_decides")
    assert sorted({at for _, at in asked}) == [day(11), day(12)]  # every business day until somebody decides
    assert {to for to, _ in asked} == {"lead@example.org", "lead2@example.org"}
    alarm = next(line for line in lines(mailing, number, "alarm") if line["event"] == "lead_decides")
    assert "Silence does not confirm a P1" in alarm["text"]
    assert "2026-11-04 09:00 UTC (email)" in alarm["text"]
    with pytest.raises(BadInput, match="Only a lead"):
        resolution.confirm(mailing, people["agent"], number, True, "I say so", silent=True)
    with pytest.raises(BadInput, match="why it counts"):
        resolution.confirm(mailing, lead, number, True, silent=True)
    resolution.confirm(mailing, lead, number, True, "Prints all day, says the team next door.", silent=True)
    assert confirmations(mailing, number) == [("lead", True)]
    live(mailing, clock, day(20))
    assert len(told(mailing, number, "lead_decides")) == len(asked)


def test_who_was_never_reached_has_not_agreed_by_silence(
    mailing: Desk, people: Crew, clock: Clock, mailbox: Mailbox
) -> None:
    mailbox.answers[REQUESTER] = "550 5.1.1 No such user"
    number = resolved(mailing, people)
    live(mailing, clock, day(11, 12))
    assert confirmations(mailing, number) == []
    alarm = next(line for line in lines(mailing, number, "alarm") if line["event"] == "lead_decides")
    assert "No message has reached the requester." in alarm["text"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"confirms": False}, "Silence never confirms here"),
        ({"types": ("incident",)}, "tickets of type incident"),
        ({"categories": ("infrastructure",)}, "tickets of category infrastructure"),
        ({"services": ("General",)}, "tickets of service General"),
    ],
)
def test_the_policy_says_where_silence_is_no_answer(
    mailing: Desk, people: Crew, clock: Clock, change: dict[str, Any], why: str
) -> None:
    policy, replace = mailing.policy, msgspec.structs.replace
    silence = policy.ageing.silence
    if "confirms" not in change:
        change = {"never_for": replace(silence.never_for, **change)}
    mailing.policy = replace(policy, ageing=replace(policy.ageing, silence=replace(silence, **change)))
    number = resolved(mailing, people)
    live(mailing, clock, day(11, 12))
    assert confirmations(mailing, number) == []
    assert why in lines(mailing, number, "alarm")[-1]["text"]


@pytest.mark.feature("T12")
def test_a_persons_reply_stops_the_clock_and_asks_the_owner(mailing: Desk, people: Crew, clock: Clock) -> None:
    number = resolved(mailing, people)
    live(mailing, clock, day(5))
    incidents.comment(mailing, people["requester"], number, "And the scanner?", public=True)
    assert row_of(mailing, number).waiting_on == "agent"
    assert [to for to, _ in told(mailing, number, "reply_resolved")] == ["owner@example.org"]
    live(mailing, clock, day(20))
    assert confirmations(mailing, number) == []
    assert len(told(mailing, number, "remind")) == 1
    incidents.comment(mailing, people["owner"], number, "That is another matter. Does it print?", public=True)
    live(mailing, clock, day(30, 12))  # the whole ladder again, from our answer on: 20th is a Friday
    assert confirmations(mailing, number) == []
    live(mailing, clock, datetime(2026, 12, 1, 12, tzinfo=UTC))
    assert confirmations(mailing, number) == [("implicit", True)]


def test_a_desk_that_stood_still_surprises_nobody(mailing: Desk, people: Crew, clock: Clock) -> None:
    number = resolved(mailing, people)
    clock.set(day(16))  # two weeks without a worker: every rung is long over
    waiting.run_due(mailing)
    drain(mailing)
    waiting.run_due(mailing)
    assert [at for _, at in told(mailing, number, "remind")] == [day(16)]
    assert confirmations(mailing, number) == []
    live(mailing, clock, day(20))
    assert [at for _, at in told(mailing, number, "remind")] == [day(16), day(19)]
    live(mailing, clock, day(23, 12))
    assert confirmations(mailing, number) == [("implicit", True)]


def test_the_ladder_reads_french(mailing: Desk, people: Crew, clock: Clock, mailbox: Mailbox) -> None:
    mailing.write(lambda tx: tx.run(update(user).where(user.c.name == "requester").values(language="fr")))
    number = resolved(mailing, people)
    live(mailing, clock, day(12))
    assert "Nous avons demandé si c’est résolu : 2026-11-02" in row_of(mailing, number).explanation
    assert [m["Subject"] for m in mailbox.to(REQUESTER)][-1] == f"[INC-{number}] Tenu pour résolu : Printer"


@pytest.mark.feature("T12")
def test_automatic_mail_moves_nothing(mailing: Desk, people: Crew, clock: Clock) -> None:
    number = waits(mailing, people, 3)
    before, notices = row_of(mailing, number), len(rows(mailing, number))
    clock.advance(days=1)
    waiting.attach_automatic(mailing, number, "I am out of office.", "Auto-Submitted: auto-replied.")
    after = row_of(mailing, number)
    for name in ("status", "owner_id", "waiting_on", "ladder_due_at", "ladder_step", "activity_at", "version"):
        assert getattr(after, name) == getattr(before, name)
    assert len(rows(mailing, number)) == notices
    assert [line["text"] for line in lines(mailing, number, "automatic")] == ["I am out of office."]


def waits(desk: Desk, people: Crew, level: int, reason: str = "requester", **more: Any) -> int:
    number = opened(desk, people["agent"], "Printer", level=level, requester="requester")
    incidents.take(desk, people["owner"], number)
    question = "Which printer?" if reason == "requester" else ""
    incidents.hold(desk, people["owner"], number, reason, question=question, **more)
    drain(desk)
    return number


@pytest.mark.feature("T12")
@pytest.mark.parametrize(("level", "days"), [(1, (3, 4)), (2, (4, 6)), (3, (4, 9))])
def test_the_requester_is_reminded_of_a_question_by_urgency_then_owner_and_lead_are_told(
    mailing: Desk, people: Crew, clock: Clock, mailbox: Mailbox, level: int, days: tuple[int, int]
) -> None:
    number = waits(mailing, people, level)
    live(mailing, clock, day(20))
    assert told(mailing, number, "question_reminder") == [(REQUESTER, day(d)) for d in days]
    mail = next(m for m in mailbox.to(REQUESTER) if "We wait for you" in m["Subject"])
    assert "Which printer?" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    no_answer = told(mailing, number, "no_answer")
    assert {to for to, _ in no_answer} == {"owner@example.org", "lead@example.org", "lead2@example.org"}
    assert {at for _, at in no_answer} == {day(10)}
    assert row_of(mailing, number).status == "pending"  # nobody but a person ends it


def test_a_reply_brings_it_back_and_ends_the_reminders(mailing: Desk, people: Crew, clock: Clock) -> None:
    number = waits(mailing, people, 3)
    live(mailing, clock, day(5))
    incidents.comment(mailing, people["requester"], number, "The big one.", public=True)
    row = row_of(mailing, number)
    assert (row.status, row.waiting_on, row.ladder_due_at) == ("in_progress", "agent", None)
    live(mailing, clock, day(20))
    assert len(told(mailing, number, "question_reminder")) == 1


@pytest.mark.feature("T12")
def test_only_a_lead_ends_it_for_no_response_and_the_attempts_are_kept(
    mailing: Desk, people: Crew, clock: Clock
) -> None:
    number = waits(mailing, people, 3)
    live(mailing, clock, day(11))
    with pytest.raises(BadInput, match="Only a lead"):
        resolution.resolve(mailing, people["owner"], number, "no_response", "unknown", "Nobody answers.")
    resolution.resolve(mailing, people["lead"], number, "no_response", "unknown", "Nobody answers.", "We gave up.")
    explanation = row_of(mailing, number).explanation
    assert explanation.startswith("We gave up.\n\nWe asked for your answer: 2026-11-02 09:00 UTC (email), 2026-11-04")


def test_no_response_needs_a_question_that_went_out(mailing: Desk, people: Crew) -> None:
    number = opened(mailing, people["agent"], level=3, requester="requester")
    incidents.take(mailing, people["lead"], number)
    with pytest.raises(BadInput, match="No question has reached"):
        resolution.resolve(mailing, people["lead"], number, "no_response", "unknown", "Nobody answers.")


@pytest.mark.feature("T12")
def test_a_ticket_on_hold_always_has_a_date_and_its_owner_is_told_when_it_comes(
    mailing: Desk, people: Crew, clock: Clock
) -> None:
    number = waits(mailing, people, 3, "vendor")
    first = row_of(mailing, number).next_look_at
    live(mailing, clock, first + timedelta(hours=1))
    assert [to for to, _ in told(mailing, number, "look")] == ["owner@example.org"]
    assert row_of(mailing, number).next_look_at > clock.now()
    live(mailing, clock, row_of(mailing, number).next_look_at + timedelta(hours=1))
    assert len(told(mailing, number, "look")) == 2


def test_what_was_postponed_goes_on_by_itself(mailing: Desk, people: Crew, clock: Clock) -> None:
    number = waits(mailing, people, 3, "postponed", until=day(25))
    live(mailing, clock, day(24))
    assert row_of(mailing, number).status == "pending"
    assert told(mailing, number, "stale") == []  # somebody said when to look again
    live(mailing, clock, day(25, 10))
    assert row_of(mailing, number).status == "in_progress"
    assert [to for to, _ in told(mailing, number, "resumed")] == ["owner@example.org"]


@pytest.mark.feature("T12")
def test_seven_days_without_a_person_is_told_to_the_owner_then_the_lead(
    mailing: Desk, people: Crew, clock: Clock
) -> None:
    number = opened(mailing, people["agent"], level=3)
    clock.advance(days=1)
    incidents.take(mailing, people["owner"], number)  # the last act of a person: the 3rd
    live(mailing, clock, day(9))
    assert told(mailing, number, "stale") == []
    live(mailing, clock, day(10))
    assert told(mailing, number, "stale") == [("owner@example.org", day(10))]
    live(mailing, clock, day(11))
    assert {to for to, _ in told(mailing, number, "stale_lead")} == {
        "owner@example.org",
        "lead@example.org",
        "lead2@example.org",
    }
    assert {at for _, at in told(mailing, number, "stale_lead")} == {day(11)}
    incidents.comment(mailing, people["owner"], number, "Still at it.", public=False)
    live(mailing, clock, day(17))
    assert len(told(mailing, number, "stale")) == 1
    live(mailing, clock, day(18))
    assert len(told(mailing, number, "stale")) == 2


def test_the_two_clocks_know_nothing_of_each_other(mailing: Desk, people: Crew, clock: Clock) -> None:
    """Reminders are no activity: the ticket grows stale while the requester is being reminded."""
    number = resolved(mailing, people, level=1)
    live(mailing, clock, day(9, 12))
    assert len(told(mailing, number, "remind")) == 2
    assert told(mailing, number, "stale") == [("owner@example.org", day(9))]
    assert row_of(mailing, number).activity_at == MONDAY


def test_what_is_closed_or_cancelled_grows_no_older(mailing: Desk, people: Crew, clock: Clock) -> None:
    number = opened(mailing, people["agent"], level=3)
    set_incident(mailing, number, status="cancelled")
    live(mailing, clock, day(30))
    assert told(mailing, number, "stale") == told(mailing, number, "stale_lead") == []


def closed(desk: Desk, people: Crew, number: int) -> None:
    """What else is missing of a resolved ticket that is confirmed."""
    resolution.verify(desk, people["agent"], number, "pass", "printed a page", "the page", True)
    reviews.save(desk, people["owner"], number, body("micro"))
    reviews.submit(desk, people["owner"], number)
    reviews.approve(desk, people["agent"], number)
    assert row_of(desk, number).status == "closed"


def tickets(desk: Desk) -> list[int]:
    with desk.read() as tx:
        return list(tx.run(select(incident.c.id).order_by(incident.c.id)).scalars())


@pytest.mark.feature("T12")
def test_what_silence_confirmed_closes_with_the_attempts_in_its_explanation(
    mailing: Desk, people: Crew, clock: Clock, mailbox: Mailbox
) -> None:
    number = resolved(mailing, people)
    live(mailing, clock, day(12))
    closed(mailing, people, number)
    drain(mailing)
    last = mailbox.to(REQUESTER)[-1]
    assert last["Subject"] == f"[INC-{number}] Closed: Printer"
    assert "2026-11-09 09:00 UTC (email)" in last.get_body(("plain",)).get_content()  # type: ignore[union-attr]


@pytest.mark.feature("T13")
def test_a_reply_after_the_reopening_window_opens_a_linked_ticket(mailing: Desk, people: Crew, clock: Clock) -> None:
    number = resolved(mailing, people)
    resolution.confirm(mailing, people["requester"], number, True)
    closed(mailing, people, number)
    clock.advance(days=6)
    incidents.comment(mailing, people["requester"], number, "Thank you again.", public=True)
    assert tickets(mailing) == [number]
    clock.advance(days=2)
    incidents.comment(mailing, people["requester"], number, "It is broken again.", public=True)
    old, new = tickets(mailing)
    row = row_of(mailing, new)
    assert (row.recurrence_of, row.status, row.title, row.description) == (old, "new", "Printer", "It is broken again.")
    assert row_of(mailing, old).status == "closed"
    assert lines(mailing, old, "note")[-1]["ticket"] == new


def test_the_link_of_a_reminder_confirms(mailing: Desk, people: Crew, clock: Clock, mailbox: Mailbox) -> None:
    number = resolved(mailing, people)
    live(mailing, clock, day(5))
    text = mailbox.to(REQUESTER)[-1].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    secret = text.split("/portal/confirm/")[1].split()[0]
    assert resolution.confirm_by_link(mailing, secret, True) == number
    assert confirmations(mailing, number) == [("link", True)]

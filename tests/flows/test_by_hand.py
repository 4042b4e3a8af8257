"""Tickets raised by people, from the report to `closed`, and every way back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.domain.lifecycle import allowed
from servicedesk.errors import BadInput, NotAllowed, NotFound, Refused, Stale
from servicedesk.services import followups, incidents, resolution, reviews, second_person
from servicedesk.services import settings as desk_settings
from servicedesk.services.incidents import NewTicket
from servicedesk.store.tables import incident, outbox, review, timeline
from tests.support.clock import Clock
from tests.support.crew import crew
from tests.support.reviews import body

Crew = dict[str, Actor]


@pytest.fixture
def people(desk: Desk) -> Crew:
    return crew(desk)


def status(desk: Desk, number: int) -> str:
    return incidents.facts(desk, number).status


def opened(desk: Desk, people: Crew, **form: object) -> int:
    given = {"title": "Cannot print", "category": "infrastructure", "service": "unknown"} | form
    return incidents.open_ticket(desk, people["requester"], NewTicket(**given))  # type: ignore[arg-type]


def resolved(desk: Desk, people: Crew, **form: object) -> int:
    number = opened(desk, people, **form)
    incidents.take(desk, people["owner"], number)
    resolution.resolve(
        desk, people["owner"], number, "fixed", "hardware", "New toner put in", "Your printer has new toner."
    )
    return number


def in_review(desk: Desk, people: Crew, **form: object) -> int:
    number = resolved(desk, people, **form)
    resolution.verify(desk, people["agent"], number, "pass", "printed a page", "page on the desk", True)
    resolution.confirm(desk, people["requester"], number, True)
    return number


@pytest.mark.feature("T2")
@pytest.mark.feature("R3")
def test_from_the_report_to_closed(desk: Desk, people: Crew) -> None:
    number = opened(desk, people)
    assert status(desk, number) == "new"
    incidents.take(desk, people["owner"], number)
    assert status(desk, number) == "in_progress"
    resolution.resolve(desk, people["owner"], number, "fixed", "hardware", "New toner", "Your printer has new toner.")
    assert status(desk, number) == "resolved"
    resolution.verify(desk, people["owner"], number, "pass", "printed a page", "the page", True)
    assert status(desk, number) == "resolved"
    resolution.confirm(desk, people["requester"], number, True, "thank you")
    assert status(desk, number) == "review"
    reviews.save(desk, people["owner"], number, body("lite"))
    reviews.submit(desk, people["owner"], number)
    assert status(desk, number) == "review"
    with pytest.raises(Refused, match="wrote"):
        reviews.approve(desk, people["owner"], number)
    reviews.approve(desk, people["agent"], number)
    assert status(desk, number) == "closed"
    with desk.read() as tx:
        rules = tx.run(select(timeline.c.rule).where(timeline.c.incident_id == number)).scalars().all()
    assert [r for r in rules if r.startswith("M")] == ["M1", "M2", "M4", "M5", "M6"]
    assert "G10" in rules


@pytest.mark.feature("R3")
def test_a_p1_needs_a_full_review_and_two_reviewers(desk: Desk, people: Crew) -> None:
    number = in_review(desk, people, impact=1, urgency=1)
    reviews.save(desk, people["owner"], number, body("full"))
    reviews.submit(desk, people["owner"], number)
    with pytest.raises(Refused, match="reviewer"):
        reviews.approve(desk, people["agent"], number)
    reviews.approve(desk, people["reviewer"], number)
    assert status(desk, number) == "review"
    with pytest.raises(Refused, match="second approver"):
        reviews.approve(desk, people["reviewer"], number)
    reviews.approve(desk, people["reviewer2"], number)
    assert status(desk, number) == "closed"


@pytest.mark.feature("R3")
def test_raising_the_priority_makes_a_deeper_review_due(desk: Desk, people: Crew) -> None:
    number = in_review(desk, people)
    reviews.save(desk, people["owner"], number, body("lite"))
    reviews.submit(desk, people["owner"], number)
    incidents.edit(desk, people["agent"], number, {"impact": 1, "urgency": 1})
    incidents.edit(desk, people["agent"], number, {"impact": 3, "urgency": 3})
    with pytest.raises(Refused, match="full review"):
        reviews.approve(desk, people["reviewer"], number)
    reviews.request_changes(desk, people["reviewer"], number, "It was a P1 for an hour")
    with pytest.raises(BadInput, match="trigger"):
        reviews.submit(desk, people["owner"], number)
    assert status(desk, number) == "review"


@pytest.mark.feature("R1")
def test_an_empty_review_is_refused_field_by_field(desk: Desk, people: Crew) -> None:
    number = in_review(desk, people)
    with pytest.raises(BadInput) as refused:
        reviews.submit(desk, people["owner"], number)
    assert {"impact", "factors", "went_well", "went_badly", "no_actions_because"} <= set(refused.value.fields)
    reviews.save(desk, people["owner"], number, body("lite") | {"impact": "..."})
    with pytest.raises(BadInput, match="Impact"):
        reviews.submit(desk, people["owner"], number)


@pytest.mark.feature("R3")
def test_a_waiver_closes_and_stays_visible(desk: Desk, people: Crew) -> None:
    number = in_review(desk, people)
    with pytest.raises(Refused):
        reviews.waive(desk, people["agent"], number, "not worth it")
    reviews.waive(desk, people["lead"], number, "Known toner shortage, reviewed last week")
    assert status(desk, number) == "closed"
    with desk.read() as tx:
        row = tx.run(select(review).where(review.c.incident_id == number)).one()
    assert (row.status, row.waived_by) == ("waived", people["lead"].id)


@pytest.mark.feature("T13")
def test_not_solved_begins_a_new_cycle_and_voids_what_was_passed(desk: Desk, people: Crew) -> None:
    number = in_review(desk, people)
    reviews.save(desk, people["owner"], number, body("lite"))
    incidents.reopen(desk, people["requester"], number, "It fails again")
    assert status(desk, number) == "in_progress"
    resolution.resolve(desk, people["owner"], number, "fixed", "hardware", "New drum", "A new drum is in.")
    f = incidents.facts(desk, number)
    assert (f.cycle, f.verifications, f.confirmations) == (2, (), ())
    assert f.review is not None
    assert (f.review.cycle, f.review.version) == (2, 2)
    with desk.read() as tx:
        text = tx.run(select(review.c.body).where(review.c.incident_id == number, review.c.version == 2)).scalar_one()
    assert text["impact"] == body("lite")["impact"]


def test_a_failed_verification_is_back_to_work_at_once(desk: Desk, people: Crew) -> None:
    number = resolved(desk, people)
    resolution.verify(desk, people["agent"], number, "inconclusive", "printer was busy", "", False)
    assert status(desk, number) == "resolved"
    resolution.verify(desk, people["agent"], number, "fail", "printed a page: blank", "", False)
    assert status(desk, number) == "in_progress"


@pytest.mark.feature("N6")
def test_a_no_from_the_requester_is_not_an_acceptance(desk: Desk, people: Crew) -> None:
    number = resolved(desk, people)
    with pytest.raises(BadInput, match="not solved"):
        resolution.confirm(desk, people["requester"], number, False)
    resolution.confirm(desk, people["requester"], number, False, "still blank pages")
    assert status(desk, number) == "in_progress"


def test_by_phone_another_agent_than_the_resolver_records_it(desk: Desk, people: Crew) -> None:
    number = resolved(desk, people)
    with pytest.raises(Refused, match="resolver"):
        resolution.confirm(desk, people["owner"], number, True, "called them")
    with pytest.raises(BadInput, match="with whom"):
        resolution.confirm(desk, people["agent"], number, True)
    resolution.confirm(desk, people["agent"], number, True, "called at 10:15, prints again")
    assert incidents.facts(desk, number).confirmations[-1].kind == "phone"


@pytest.mark.feature("T13")
def test_reopening_after_closing(desk: Desk, people: Crew, clock: Clock) -> None:
    number = in_review(desk, people)
    reviews.waive(desk, people["lead"], number, "trivial")
    clock.advance(days=8)
    with pytest.raises(Refused, match="new ticket"):
        incidents.reopen(desk, people["requester"], number, "again")
    incidents.reopen(desk, people["lead"], number, "the requester called")
    assert status(desk, number) == "in_progress"
    assert incidents.facts(desk, number).cycle == 2


@pytest.mark.feature("T26")
def test_mandatory_sub_tasks_bar_resolving(desk: Desk, people: Crew) -> None:
    number = opened(desk, people)
    incidents.take(desk, people["owner"], number)
    task = followups.add_task(desk, people["owner"], number, "Order toner", mandatory=True)
    with pytest.raises(Refused, match="Order toner"):
        resolution.resolve(desk, people["owner"], number, "fixed", "hardware", "New toner", "New toner.")
    with pytest.raises(BadInput, match="why"):
        followups.update_task(desk, people["owner"], number, task, {"status": "skipped"})
    followups.update_task(desk, people["owner"], number, task, {"status": "skipped", "reason": "had one on the shelf"})
    resolution.resolve(desk, people["owner"], number, "fixed", "hardware", "New toner", "New toner.")


def test_the_last_blocking_action_closes(desk: Desk, people: Crew, clock: Clock) -> None:
    number = in_review(desk, people)
    due = clock.now() + timedelta(days=9)
    action = followups.add_action(desk, people["owner"], number, "Stock toner", "prevent", "owner", due, blocking=True)
    reviews.save(desk, people["owner"], number, body("lite"))
    reviews.submit(desk, people["owner"], number)
    reviews.approve(desk, people["agent"], number)
    assert status(desk, number) == "review"
    with pytest.raises(BadInput, match="shows"):
        followups.update_action(desk, people["owner"], number, action, {"status": "done"})
    followups.update_action(desk, people["owner"], number, action, {"status": "done", "proof": "order 4711"})
    assert status(desk, number) == "closed"


@pytest.mark.feature("R4")
def test_an_agent_does_not_wave_a_blocking_follow_up_through(desk: Desk, people: Crew) -> None:
    number = in_review(desk, people)
    due = desk.now() + timedelta(days=30)
    action = followups.add_action(desk, people["owner"], number, "Stock toner", "prevent", "owner", due, blocking=True)
    reviews.save(desk, people["owner"], number, body("lite"))
    reviews.submit(desk, people["owner"], number)
    reviews.approve(desk, people["agent"], number)
    off = {"blocking": False, "reason": "The vendor delivers in spring; tracked there."}
    with pytest.raises(Refused, match="a lead or a reviewer"):
        followups.update_action(desk, people["owner"], number, action, off)
    with pytest.raises(Refused, match="reason is needed"):
        followups.update_action(desk, people["lead"], number, action, {"blocking": False})
    assert status(desk, number) == "review"
    followups.update_action(desk, people["lead"], number, action, off)
    assert status(desk, number) == "closed"


def test_cancelling_a_p1_takes_two_people(desk: Desk, people: Crew) -> None:
    number = opened(desk, people, impact=1, urgency=1)
    with pytest.raises(Refused, match="two people"):
        incidents.cancel(desk, people["agent"], number, "withdrawn", "asked to drop it")
    request = second_person.ask(desk, people["agent"], number, "cancellation", "asked to drop it", "withdrawn")
    with pytest.raises(Refused, match="Another person"):
        second_person.approve(desk, people["agent"], request)
    second_person.approve(desk, people["lead"], request)
    incidents.cancel(desk, people["agent"], number, "withdrawn", "asked to drop it")
    assert status(desk, number) == "cancelled"
    incidents.reopen(desk, people["lead"], number, "it is needed after all")
    assert status(desk, number) == "new"


@pytest.mark.feature("A8")
def test_lowering_the_priority_first_does_not_save_the_second_person(desk: Desk, people: Crew) -> None:
    number = opened(desk, people, impact=1, urgency=1)
    incidents.edit(desk, people["agent"], number, {"impact": 3, "urgency": 3})
    with pytest.raises(Refused, match="two people"):
        incidents.cancel(desk, people["agent"], number, "withdrawn", "no longer needed")


@pytest.mark.feature("A8")
def test_a_second_person_request_expires(desk: Desk, people: Crew, clock: Clock) -> None:
    from servicedesk.services import judgement

    number = opened(desk, people, impact=1, urgency=1)
    request = second_person.ask(desk, people["agent"], number, "cancellation", "asked to drop it", "withdrawn")
    clock.advance(days=4)
    with pytest.raises(Refused, match="expired"):
        second_person.approve(desk, people["lead"], request)  # no worker has come by yet
    assert judgement.run_due(desk) == 1
    with pytest.raises(Refused, match="expired"):
        second_person.approve(desk, people["lead"], request)


def test_solo_mode_lifts_the_other_person_and_shows_it(desk: Desk, people: Crew) -> None:
    desk_settings.set_solo_mode(desk, people["admin"], True)
    alone = people["admin"]
    number = incidents.open_ticket(
        desk, alone, NewTicket("Disk full", category="infrastructure", impact=1, urgency=1, service="unknown")
    )
    incidents.take(desk, alone, number)
    resolution.resolve(desk, alone, number, "fixed", "capacity", "Removed old logs")
    resolution.verify(desk, alone, number, "pass", "df shows room", "42 % used", True)
    resolution.confirm(desk, alone, number, True, "seen on the graph")
    reviews.save(desk, alone, number, body("full"))
    reviews.submit(desk, alone, number)
    reviews.approve(desk, alone, number)
    assert status(desk, number) == "closed"
    with desk.read() as tx:
        assert tx.run(select(incident.c.self_reviewed).where(incident.c.id == number)).scalar_one()


def test_waiting_for_the_requester_and_their_answer(desk: Desk, people: Crew) -> None:
    number = opened(desk, people)
    incidents.take(desk, people["owner"], number)
    incidents.hold(desk, people["owner"], number, "requester", question="Which printer is it?")
    assert status(desk, number) == "pending"
    incidents.comment(desk, people["requester"], number, "The one on floor 2", public=False)
    assert status(desk, number) == "in_progress"
    with desk.read() as tx:
        assert tx.run(select(incident.c.waiting_on).where(incident.c.id == number)).scalar_one() == "agent"


def test_a_stranger_can_do_nothing(desk: Desk, people: Crew) -> None:
    number = resolved(desk, people)
    offered = allowed(incidents.facts(desk, number), people["stranger"])
    assert all(reasons for reasons in offered.values())
    with pytest.raises(Refused):
        incidents.comment(desk, people["stranger"], number, "hello", public=True)


@pytest.mark.feature("T7")
def test_a_stale_form_is_refused(desk: Desk, people: Crew) -> None:
    number = opened(desk, people)
    incidents.edit(desk, people["agent"], number, {"title": "Cannot print in colour"}, version=1)
    with pytest.raises(Refused, match="changed meanwhile"):
        incidents.edit(desk, people["agent"], number, {"title": "Cannot print"}, version=1)
    seen = in_review(desk, people)
    reviews.save(desk, people["owner"], seen, {"impact": "floor 2"}, row_version=1)
    with pytest.raises(Stale):
        reviews.save(desk, people["agent"], seen, {"impact": "floor 3"}, row_version=1)


def test_every_wrong_field_is_named(desk: Desk, people: Crew) -> None:
    with pytest.raises(BadInput) as refused:
        incidents.open_ticket(desk, people["agent"], NewTicket(" ", "story", category="?", impact=9, channel="owl"))
    assert set(refused.value.fields) == {"title", "type", "category", "impact", "channel"}
    with pytest.raises(BadInput, match="no service"):
        incidents.open_ticket(desk, people["agent"], NewTicket("Slow", service="chekout"))
    with pytest.raises(NotAllowed):
        incidents.open_ticket(desk, Actor(None, "robot", scopes=frozenset({"ingest"})), NewTicket("Slow"))
    with pytest.raises(NotFound, match="INC-99"):
        incidents.take(desk, people["agent"], 99)


@pytest.mark.feature("T20")
def test_a_question_takes_the_lighter_path(desk: Desk, people: Crew) -> None:
    number = opened(desk, people, type="question", title="How do I print in colour?")
    incidents.take(desk, people["owner"], number)
    micro = {"summary": "Explained the colour button", "alert_tuning": "no", "cause_class": "knowledge"}
    micro["cause_class"] = next(iter(desk.policy.cause_classes))
    resolution.resolve(
        desk, people["owner"], number, "user_guidance", micro["cause_class"], "Explained", "Press C.", micro
    )
    resolution.verify(desk, people["owner"], number, "pass", "they printed in colour", "told so", True)
    resolution.confirm(desk, people["requester"], number, True)
    reviews.approve(desk, people["owner"], number)
    assert status(desk, number) == "closed"


def test_the_requester_never_reads_internal_notes(desk: Desk, people: Crew) -> None:
    """Nor does a mail that is waiting to be sent hold them."""
    number = opened(desk, people)
    incidents.take(desk, people["owner"], number)
    resolution.resolve(desk, people["owner"], number, "fixed", "hardware", "the vendor's secret, ask Kim")
    with desk.read() as tx:
        told = tx.run(select(outbox.c.event, outbox.c.payload).where(outbox.c.incident_id == number)).all()
    assert "confirm" in {row.event for row in told}
    assert "secret" not in str(told)

"""Outbox rows are written with the change: whom, once, and why nobody. On both databases."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event as sa_event
from sqlalchemy import select, update

from servicedesk.config import Webhook
from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.errors import BadInput
from servicedesk.services import incidents, outbox, resolution
from servicedesk.services.shared import notify
from servicedesk.services.shared.notify import Notice
from servicedesk.store import outbox as store
from servicedesk.store.db import Tx
from servicedesk.store.tables import signin_link, team, user
from tests.support.clock import Clock
from tests.told.receivers import Mailbox
from tests.told.rows import many, opened, rows, tell

Crew = dict[str, Actor]


def team_address(desk: Desk, address: str) -> None:
    desk.write(lambda tx: tx.run(update(team).values(email=address)))


@pytest.mark.feature("N1")
def test_a_new_ticket_is_announced_to_the_team_and_acknowledged_to_the_requester(telling: Desk, people: Crew) -> None:
    team_address(telling, "ops@example.org")
    number = opened(telling, people["agent"], requester="requester")
    found = {(r.event, r.channel, r.target, r.state) for r in rows(telling, number)}
    assert found == {
        ("opened", "email", "ops@example.org", "pending"),
        ("opened", "webhook", "webhook", "pending"),
        ("received", "email", "requester@example.org", "pending"),
    }


def test_without_a_team_address_the_leads_are_told(mailing: Desk, people: Crew) -> None:
    number = opened(mailing, people["agent"])
    assert {r.target for r in rows(mailing, number)} == {"lead@example.org", "lead2@example.org"}


def test_a_low_priority_is_announced_to_nobody(mailing: Desk, people: Crew) -> None:
    assert rows(mailing, opened(mailing, people["agent"], level=3)) == []


def test_an_assignment_is_told_to_its_new_owner_and_not_to_who_takes_it(mailing: Desk, people: Crew) -> None:
    number = opened(mailing, people["agent"], level=3)
    incidents.take(mailing, people["agent"], number)
    assert rows(mailing, number) == []
    incidents.assign(mailing, people["lead"], number, owner="owner")
    assert [(r.event, r.target) for r in rows(mailing, number)] == [("assigned", "owner@example.org")]


@pytest.mark.feature("N1")
def test_one_notice_for_each_happening_whoever_says_it_again(telling: Desk, people: Crew) -> None:
    number = opened(telling, people["agent"], level=3)
    tell(telling, Notice("refired", number, "7:1"))
    tell(telling, Notice("refired", number, "7:1"), Notice("refired", number, "7:1"))
    assert len(rows(telling, number)) == 3  # two leads and the webhook
    tell(telling, Notice("refired", number, "7:2"))
    assert len(rows(telling, number)) == 6


def test_notices_that_race_are_settled_by_the_database(telling: Desk, people: Crew) -> None:
    number = opened(telling, people["agent"], level=3)
    start = threading.Barrier(8)
    faults: list[BaseException] = []

    def again() -> None:
        start.wait(10)
        try:
            for episode in range(5):
                tell(telling, Notice("refired", number, f"7:{episode}"))
        except BaseException as error:  # noqa: BLE001 - shown by the test
            faults.append(error)

    threads = [threading.Thread(target=again) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    assert len(rows(telling, number)) == 5 * 3


def test_nothing_is_told_of_a_change_that_is_undone(mailing: Desk, people: Crew) -> None:
    number = opened(mailing, people["agent"], level=3)

    def undone(tx: Tx) -> None:
        notify.enqueue(tx, mailing, [Notice("refired", number, "1")])
        raise BadInput("no")

    with pytest.raises(BadInput):
        mailing.write(undone)
    assert rows(mailing, number) == []


def test_a_slice_of_500_tickets_costs_as_many_statements_as_one(telling: Desk) -> None:
    counts = []
    for numbers in (many(telling, 1), many(telling, 500)):
        seen: list[str] = []

        def count(_c: Any, _cur: Any, statement: str, *_rest: Any, seen: list[str] = seen) -> None:
            seen.append(statement)

        engine = telling.db.write_engine
        sa_event.listen(engine, "before_cursor_execute", count)
        tell(telling, *[Notice("opened", number) for number in numbers])
        sa_event.remove(engine, "before_cursor_execute", count)
        counts.append(len([s for s in seen if not s.startswith(("BEGIN", "COMMIT"))]))
        assert len(rows(telling, numbers[-1])) == 3
    assert counts[0] == counts[1] <= 10


@pytest.mark.feature("N1")
def test_where_no_channel_is_configured_the_ticket_says_why_nobody_was_told(desk: Desk, people: Crew) -> None:
    number = opened(desk, people["agent"], requester="requester")
    found = [(r.event, r.channel, r.state, r.error) for r in rows(desk, number)]
    why = "Nobody was told: no channel is configured. Set mail.host or webhook.url."
    assert found == [("opened", "none", "failed", why), ("received", "none", "failed", why)]
    assert outbox.send_due(desk) == 0


def test_with_the_webhook_alone_staff_is_told_and_requesters_are_shown_as_not_told(desk: Desk, people: Crew) -> None:
    desk.config = replace(desk.config, webhook=Webhook(url="http://127.0.0.1:1/x"))
    number = opened(desk, people["agent"], requester="requester")
    found = [(r.event, r.channel, r.state) for r in rows(desk, number)]
    assert found == [("opened", "webhook", "pending"), ("received", "none", "failed")]


def test_nobody_with_an_address_is_said_too(mailing: Desk, people: Crew) -> None:
    mailing.write(lambda tx: tx.run(update(user).values(email="")))
    (row,) = rows(mailing, opened(mailing, people["agent"]))
    assert (row.channel, row.state) == ("none", "failed")
    assert "no lead with an address" in row.error


def test_a_team_without_leads_is_heard_by_everybody_who_holds_the_role(mailing: Desk, people: Crew) -> None:
    from servicedesk.store.tables import team_member

    mailing.write(lambda tx: tx.run(update(team_member).values(lead=False)))
    number = opened(mailing, people["agent"])
    assert {r.target for r in rows(mailing, number)} == {"lead@example.org", "lead2@example.org", "admin@example.org"}


def test_the_outbox_worker_is_woken_after_the_commit(mailing: Desk, people: Crew) -> None:
    before = mailing.wake.count("outbox")
    opened(mailing, people["agent"], level=3)
    assert mailing.wake.count("outbox") == before
    opened(mailing, people["agent"])
    assert mailing.wake.count("outbox") == before + 1


def test_nothing_to_say_touches_no_database(desk: Desk) -> None:
    desk.write(lambda tx: notify.enqueue(tx, desk, []))
    assert rows(desk) == []


@pytest.mark.feature("N1")
def test_the_requester_confirms_by_a_link_whose_secret_is_stored_nowhere(
    mailing: Desk, people: Crew, mailbox: Mailbox
) -> None:
    number = opened(mailing, people["agent"], level=3, requester="requester")
    incidents.take(mailing, people["owner"], number)
    resolution.resolve(mailing, people["owner"], number, "fixed", "hardware", "New toner put in", "It has new toner.")
    while outbox.send_due(mailing):
        pass
    mail = next(m for m in mailbox.to("requester@example.org") if "Is it solved?" in m["Subject"])
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "It has new toner." in text
    secret = text.split("/portal/confirm/")[1].split()[0]
    with mailing.read() as tx:
        (link,) = tx.run(select(signin_link).where(signin_link.c.purpose == "confirm")).all()
    assert (link.incident_id, link.cycle, link.user_id) == (number, 1, people["requester"].id)
    assert secret not in repr([tuple(r) for r in rows(mailing)])
    assert resolution.link_target(mailing, secret) == number  # looking changes nothing
    assert resolution.link_target(mailing, secret) == number
    resolution.confirm_by_link(mailing, secret, True, "")
    assert [c.kind for c in incidents.facts(mailing, number).confirmations] == ["link"]


@pytest.mark.parametrize("verified", [False, True], ids=["resolved", "review"])
def test_a_confirmation_by_phone_comes_with_a_link_to_say_no(
    mailing: Desk, people: Crew, mailbox: Mailbox, clock: Clock, verified: bool
) -> None:
    number = opened(mailing, people["agent"], level=3, requester="requester")
    incidents.take(mailing, people["owner"], number)
    resolution.resolve(mailing, people["owner"], number, "fixed", "hardware", "New toner put in", "It has new toner.")
    if verified:
        resolution.verify(mailing, people["agent"], number, "pass", "printed a page", "the page", True)
    clock.advance(minutes=5)
    resolution.confirm(mailing, people["agent"], number, True, "10:15, by phone")
    assert incidents.facts(mailing, number).status == ("review" if verified else "resolved")
    while outbox.send_due(mailing):
        pass
    mail = next(m for m in mailbox.to("requester@example.org") if "You told us" in m["Subject"])
    body = mail.get_body(("plain",))
    assert body is not None
    secret = body.get_content().split("/portal/confirm/")[1].split()[0]
    resolution.confirm_by_link(mailing, secret, False, "Nobody called me")
    assert incidents.facts(mailing, number).status == "in_progress"


def test_a_listing_is_newest_first_and_filtered(desk: Desk, people: Crew) -> None:
    first, second = opened(desk, people["agent"]), opened(desk, people["agent"])
    assert [r.incident_id for r in outbox.listing(desk)] == [second, first]
    assert [r.incident_id for r in outbox.listing(desk, first)] == [first]
    assert outbox.listing(desk, state="sent") == ()
    assert len(outbox.listing(desk, limit=1)) == 1
    with desk.read() as tx:
        assert store.pending(tx) == 0

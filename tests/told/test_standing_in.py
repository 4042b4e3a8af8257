"""Whoever is absent is not waited for: the deputy is told, else the lead, and the proof says why. On both databases."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.services import auditor, outbox, second_person
from servicedesk.services.shared.notify import Notice
from servicedesk.store import auditing
from servicedesk.store.tables import absence
from servicedesk.store.tables import outbox as table
from servicedesk.store.views.told import told
from tests.support.clock import Clock
from tests.told.receivers import Mailbox
from tests.told.rows import many, opened, rows, tell

Crew = dict[str, Actor]


def away(desk: Desk, who: Actor, deputy: Actor | None = None, hours: int = 8) -> None:
    now = desk.now()
    row = {"user_id": who.id, "starts_at": now, "ends_at": now + timedelta(hours=hours), "created_at": now}
    row["deputy_id"] = deputy.id if deputy else None
    desk.write(lambda tx: tx.run(insert(absence).values(row)))


def proof(desk: Desk, number: int, event: str) -> dict[str, tuple[str, str]]:
    """By address: what became of the last such notice, and why."""
    with desk.read() as tx:
        return {t.target: (t.state, t.why) for t in reversed(told(tx, number)) if t.event == event}


@pytest.mark.feature("N9")
@pytest.mark.parametrize("event", ["review_due", "review_soon", "review_changes"])
def test_a_review_notice_goes_to_the_deputy_and_says_why(
    mailing: Desk, people: Crew, mailbox: Mailbox, event: str
) -> None:
    (number,) = many(mailing, 1)
    away(mailing, people["owner"], people["reviewer"])
    due = mailing.now().isoformat()
    tell(mailing, Notice(event, number, "1", {"to": [people["owner"].id], "due": due, "text": "Say more."}))
    why = "owner is absent until 2026-11-02 17:00 UTC, so the deputy reviewer is told."
    assert proof(mailing, number, event) == {
        "owner@example.org": ("skipped", why),
        "reviewer@example.org": ("pending", why),
    }
    while outbox.send_due(mailing):
        pass
    assert [mail["To"] for mail in mailbox.mails] == ["reviewer <reviewer@example.org>"]
    assert proof(mailing, number, event)["reviewer@example.org"] == ("sent", why), "the reason stays"


@pytest.mark.feature("N9")
def test_without_a_deputy_who_is_there_the_leads_are_told(mailing: Desk, people: Crew, clock: Clock) -> None:
    (number,) = many(mailing, 1)
    away(mailing, people["owner"], people["agent"])
    away(mailing, people["agent"], people["owner"])  # deputies of each other
    away(mailing, people["lead"])
    tell(mailing, Notice("review_soon", number, "1", {"to": [people["owner"].id], "due": mailing.now().isoformat()}))
    assert [r.target for r in rows(mailing, number)] == ["lead2@example.org"]
    assert proof(mailing, number, "review_soon")["lead2@example.org"][1].endswith("so the lead lead2 is told.")
    away(mailing, people["lead2"])
    tell(mailing, Notice("review_soon", number, "2", {"to": [people["owner"].id], "due": mailing.now().isoformat()}))
    assert [r.target for r in rows(mailing, number)][1:] == ["owner@example.org"], "never nobody"
    assert proof(mailing, number, "review_soon")["owner@example.org"][1].endswith("and nobody stands in.")
    clock.advance(hours=9)
    tell(mailing, Notice("review_soon", number, "3", {"to": [people["owner"].id], "due": mailing.now().isoformat()}))
    assert [r.target for r in rows(mailing, number)][2:] == ["owner@example.org"]


@pytest.mark.feature("N9")
def test_a_second_person_request_reaches_somebody_else_than_who_asks(mailing: Desk, people: Crew) -> None:
    (number,) = many(mailing, 1)
    away(mailing, people["lead2"], people["lead"])  # who asks is the deputy: the one to decide is another
    away(mailing, people["reviewer"], people["agent"])
    tell(mailing, Notice("second_person", number, "0", {"to": [people["reviewer"].id], "from": people["lead"].id}))
    assert [r.target for r in rows(mailing, number)] == ["agent@example.org"]
    second_person.ask(mailing, people["lead"], number, "cancellation", "It was a test.", "withdrawn", None)
    found = proof(mailing, number, "second_person")
    assert found["lead2@example.org"][1].endswith("and nobody stands in.")
    assert "lead@example.org" not in found


def test_who_is_told_anyway_is_told_once_and_without_a_reason(mailing: Desk, people: Crew) -> None:
    (number,) = many(mailing, 1)
    away(mailing, people["owner"], people["lead"])
    due = mailing.now().isoformat()
    tell(mailing, Notice("review_overdue", number, "1", {"to": [people["owner"].id], "due": due}))
    assert [r.target for r in rows(mailing, number)] == ["lead@example.org", "lead2@example.org"]
    assert proof(mailing, number, "review_overdue")["lead@example.org"] == ("pending", "")


def test_the_requester_s_own_absence_changes_nothing(mailing: Desk, people: Crew) -> None:
    away(mailing, people["requester"], people["agent"])
    number = opened(mailing, people["agent"], level=3, requester="requester")
    assert [r.target for r in rows(mailing, number)] == ["requester@example.org"]


@pytest.mark.feature("N9")
def test_a_deputy_who_cannot_be_reached_is_nobody_told_for_the_auditor(mailing: Desk, people: Crew) -> None:
    (number,) = many(mailing, 1)
    away(mailing, people["owner"], people["reviewer"])
    tell(mailing, Notice("review_due", number, "1", {"to": [people["owner"].id], "due": mailing.now().isoformat()}))

    def refuse(tx: Any) -> None:
        tx.run(table.update().where(table.c.state == "pending").values(state="failed", error="550 no such user"))

    mailing.write(refuse)
    with mailing.read() as tx:
        states = {r.state for r in tx.run(select(table).where(table.c.event == "review_due"))}
        found = auditing.silent(tx, {"review_due"}, tx.now - auditor.WINDOW)
    assert states == {"failed", "skipped"}
    assert [(s.incident_id, s.event) for s in found] == [(number, "review_due")]

"""Tickets that went the whole way, and hands that change the database behind the program's back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.services import incidents, resolution, reviews
from servicedesk.services.incidents import NewTicket
from servicedesk.store import triggers
from tests.support.crew import crew
from tests.support.reviews import body

Tamper = Callable[..., None]


@pytest.fixture
def people(desk: Desk) -> dict[str, Actor]:
    return crew(desk)


@pytest.fixture
def tickets(desk: Desk, people: dict[str, Actor]) -> tuple[int, int, int]:
    """One closed by an approved review, one closed by a waiver, one new."""
    approved, waived = in_review(desk, people), in_review(desk, people)
    reviews.save(desk, people["owner"], approved, body("lite"))
    reviews.submit(desk, people["owner"], approved)
    reviews.approve(desk, people["agent"], approved)
    reviews.waive(desk, people["lead"], waived, "Known toner shortage, reviewed last week")
    new = incidents.open_ticket(desk, people["requester"], form())
    assert [incidents.facts(desk, n).status for n in (approved, waived, new)] == ["closed", "closed", "new"]
    return approved, waived, new


def form() -> NewTicket:
    return NewTicket(title="Cannot print", category="infrastructure", service="unknown")


def in_review(desk: Desk, people: dict[str, Actor]) -> int:
    number = incidents.open_ticket(desk, people["requester"], form())
    incidents.take(desk, people["owner"], number)
    resolution.resolve(desk, people["owner"], number, "fixed", "hardware", "New toner", "New toner is in.")
    resolution.verify(desk, people["agent"], number, "pass", "printed a page", "the page", True)
    resolution.confirm(desk, people["requester"], number, True)
    return number


@pytest.fixture
def tamper(desk: Desk) -> Tamper:
    """Runs SQL with the triggers out of the way, as somebody with the database's password could."""

    def run(*statements: str, **parameters: Any) -> None:
        def change(tx):  # type: ignore[no-untyped-def]
            triggers.drop(tx)
            if not tx.postgresql:
                tx.conn.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            for statement in statements:
                used = {name: value for name, value in parameters.items() if f":{name}" in statement}
                tx.run(text(statement), used)
            triggers.create(tx)

        desk.write(change)

    return run

"""The list "to check" as somebody without JavaScript uses it."""

import pytest
from flask import Flask

from servicedesk.desk import Desk
from tests.intake import ruled, seen
from tests.support.clock import Clock
from tests.support.pages import Visitor, person


@pytest.mark.feature("I8", "A7")
def test_records_are_marked_and_become_tickets(desk: Desk, app: Flask, clock: Clock, post) -> None:  # type: ignore[no-untyped-def]
    person(desk, "ada", "agent")
    ruled.use(desk, "- {id: tests, match: env=test, answer: record, reason: Nobody works there.}")
    for name in ("One", "Two", "Three"):
        post("firing", name=name, env="test")
    ada = Visitor(app, "ada")
    assert "Nobody works there." in ada.get("/alerts?view=check").text
    ada.send("/alerts/check", "Make tickets", status=422)
    assert "Choose" in ada.text
    one, two, three = (row.id for row in seen.alerts(desk, "prod-am"))
    ada.send("/alerts/check", "Noise", alert=str(one))
    assert "One" not in ada.text
    ada.send("/alerts/check", "Make tickets", alert=str(two))
    assert "Two" not in ada.text
    ada.get(f"/alerts/{three}")
    ada.send(f"/alerts/{three}/ticket", "Make a ticket")
    assert "Ticket opened." in ada.text
    assert "by_hand" in ada.text
    ada.get(f"/alerts/{one}")
    assert "Noise" in ada.text
    ada.send(f"/alerts/{one}/mark", "Take the mark away", mark="")
    assert "One" in ada.get("/alerts?view=check").text
    assert "One" in ada.get("/alerts/gaps").text

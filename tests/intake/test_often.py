"""What comes so often that something is to be done about it: by the policy, on the ticket."""

from datetime import timedelta

import pytest
from flask import Flask

from servicedesk.desk import Desk
from servicedesk.services import incidents
from servicedesk.store.views import recurrence
from servicedesk.store.views.recurrence import Often
from tests.intake import seen
from tests.intake.wire import alert, tell
from tests.support.clock import Clock
from tests.support.crew import crew
from tests.support.pages import Visitor, open_pages, person


def often(desk: Desk) -> Often:
    newest = seen.incidents(desk)[-1]
    with desk.read() as tx:
        return recurrence.often(tx, newest.id, newest.service_id, desk.policy.alerts)


def false_alarm(desk: Desk, clock: Clock, lead: object) -> None:
    began = clock.now()
    tell(desk, alert(began, severity="info"))
    tell(desk, alert(began, clock.advance(minutes=5), severity="info"))
    number = seen.incidents(desk)[-1].id
    incidents.cancel(desk, lead, number, "false_positive", "Nothing was wrong.")  # type: ignore[arg-type]
    clock.advance(minutes=30)


@pytest.mark.feature("T13", "I8")
def test_the_third_false_alarm_asks_to_tune_the_alert(desk: Desk, clock: Clock) -> None:
    people = crew(desk)
    for _ in range(2):
        false_alarm(desk, clock, people["lead"])
    tell(desk, alert(clock.now(), severity="info"))
    assert often(desk) == Often(of_alert=3)
    tell(desk, alert(clock.now(), clock.now() + timedelta(minutes=1), severity="info"))
    number = seen.incidents(desk)[-1].id
    incidents.cancel(desk, people["lead"], number, "false_positive", "Nothing was wrong.")
    assert often(desk) == Often(of_alert=3, false_positives=3)
    app: Flask = open_pages(desk)
    person(desk, "ada", "agent")
    assert "3 false alarms of one alert lately" in Visitor(app, "ada").get(f"/incidents/{number}").text
    clock.advance(days=31)
    tell(desk, alert(clock.now(), severity="info"))
    assert often(desk) == Often()

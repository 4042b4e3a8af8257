"""A resolved ticket that takes over the alerts of a duplicate is judged by them."""

import pytest

from servicedesk.desk import Desk
from servicedesk.services import incidents, judgement
from tests.intake import seen
from tests.intake.test_incidents import Crew, end, fire, people, resolve, status  # noqa: F401 - people is a fixture
from tests.support.clock import Clock


def two(desk: Desk, clock: Clock, people: Crew) -> tuple[int, int]:  # noqa: F811
    """A resolved ticket, and a later one of another alert that fires."""
    first = fire(desk, clock)
    end(desk, clock)
    resolve(desk, people, first)
    return first, fire(desk, clock, 20, instance="b")


@pytest.mark.feature("T2")
def test_a_firing_alert_that_is_taken_over_reopens(desk: Desk, clock: Clock, people: Crew) -> None:  # noqa: F811
    first, second = two(desk, clock, people)
    incidents.cancel(desk, people["agent"], second, "duplicate", "The same disk", first)
    assert (status(desk, second), status(desk, first)) == ("cancelled", "in_progress")
    assert seen.ticket(desk, first).recovered_at is None
    assert "refired" in seen.told(desk, first)
    (moved,) = [line for line in seen.lines(desk, first) if line.get("trigger") == "alert"]
    assert moved["reason"] == f"DiskFull fires, taken over from INC-{second}."


@pytest.mark.feature("T2")
def test_a_recovered_alert_that_is_taken_over_restarts_the_quiet_window(
    desk: Desk,
    clock: Clock,
    people: Crew,  # noqa: F811
) -> None:
    first, second = two(desk, clock, people)
    end(desk, clock, 60, 20, instance="b")
    incidents.cancel(desk, people["agent"], second, "duplicate", "The same disk", first)
    assert seen.ticket(desk, first).recovered_at == clock.now()
    clock.advance(minutes=30)  # more than an hour after the ticket's own alert ended
    judgement.run_due(desk)
    assert status(desk, first) == "resolved"
    clock.advance(minutes=31)
    judgement.run_due(desk)
    assert status(desk, first) == "review"

"""Who sends how much: deliveries rolled up by steps of time, each exactly once, and what "Intake" reads of it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from servicedesk.desk import Desk
from servicedesk.services import apply, intake, selfwatch, traffic
from servicedesk.store import tables
from servicedesk.store.views import intake as views
from servicedesk.store.views.intake import Intake, Sender
from tests.support import senders
from tests.support.clock import Clock

START = datetime(2026, 11, 2, 9, tzinfo=UTC)


def send(desk: Desk, *names: str, source: str = "prod-am") -> None:
    senders.deliver(desk, *[senders.alert({"alertname": n}, desk.now()) for n in names], source=source)


def roll(desk: Desk) -> int:
    total = 0
    while count := traffic.run_due(desk):
        total += count
    return total


def look(desk: Desk, span: str = "1h") -> Intake:
    with desk.read() as tx:
        return views.intake(tx, span)


def only(desk: Desk, source: str) -> Sender:
    (found,) = [one for one in look(desk).senders if one.source == source]
    return found


@pytest.mark.feature("I21")
def test_every_delivery_is_rolled_up_once(desk: Desk, clock: Clock) -> None:
    send(desk, "A", "B")
    clock.advance(timedelta(seconds=40))
    send(desk, "A")
    send(desk, "A", source="lab")
    clock.advance(timedelta(minutes=2))
    assert roll(desk) == 3
    assert roll(desk) == 0
    one, lab = only(desk, "prod-am"), only(desk, "lab")
    assert (one.deliveries, one.events, lab.deliveries) == (2, 3, 1)
    assert sum(step.events for step in one.steps) == 3
    assert sum(step.events for step in look(desk).steps) == 4
    send(desk, "A")
    clock.advance(timedelta(minutes=1))
    assert roll(desk) == 1
    assert only(desk, "prod-am").events == 4
    assert sum(step.deliveries for step in look(desk, "7d").steps) <= 4


def test_it_stops_at_what_waits_and_goes_on_afterwards(desk: Desk, clock: Clock) -> None:
    senders.post(desk, senders.alert({"alertname": "A"}, desk.now()), source="prod-am")
    clock.advance(timedelta(minutes=3))
    assert roll(desk) == 0
    one = only(desk, "prod-am")
    assert (one.waiting, one.waiting_since, one.deliveries) == (1, clock.now() - timedelta(minutes=3), 0)
    assert one.last_seen == one.waiting_since
    apply.run_all(desk)
    assert roll(desk) == 1
    one = only(desk, "prod-am")
    assert (one.waiting, one.deliveries, one.lag, one.lag_max) == (0, 1, 180.0, 180.0)


def test_what_is_too_new_waits_unless_the_clock_stepped_back(desk: Desk, clock: Clock) -> None:
    send(desk, "A")
    assert roll(desk) == 0
    assert only(desk, "prod-am").last_seen == clock.now()
    clock.advance(timedelta(hours=-1))
    assert roll(desk) == 1


def test_old_steps_go(desk: Desk, clock: Clock) -> None:
    send(desk, "A")
    clock.advance(timedelta(minutes=1))
    roll(desk)
    clock.advance(timedelta(days=16))
    roll(desk)
    with desk.read() as tx:
        assert tx.run(select(tables.traffic)).all() == []
        assert [row.deliveries for row in tx.run(select(tables.sender))] == [1]


@pytest.mark.feature("I5", "I17")
def test_dead_letters_refusals_and_cut_alerts_stand_beside_their_sender(desk: Desk, clock: Clock) -> None:
    intake.store(desk, b"{", "alertmanager", "broken", "application/json", clock.now())
    entry = senders.alert({"alertname": "A"}, desk.now())
    cut = senders.body(entry).replace(b'"version"', b'"truncatedAlerts": 7, "version"')
    intake.store(desk, cut, "alertmanager", "prod-am", "application/json", clock.now())
    apply.run_all(desk)
    selfwatch.note_refused(desk, "prod-am", "too_large")
    selfwatch.look_here(desk)
    clock.advance(timedelta(minutes=1))
    roll(desk)
    assert (only(desk, "broken").letters, only(desk, "broken").dead) == (1, 1)
    one = only(desk, "prod-am")
    assert (one.truncated, one.truncated_at) == (7, clock.now() - timedelta(minutes=1))
    assert [(r.reason, r.count) for r in one.refused] == [("too_large", 1)]


def test_nothing_came_yet(desk: Desk) -> None:
    found = look(desk)
    assert found.senders == ()
    assert {step.deliveries for step in found.steps} == {0}

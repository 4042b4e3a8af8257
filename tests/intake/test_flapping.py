"""Alerts that flap: told once, not each time; the same in any order; over when calm, and no bar to closing."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servicedesk.desk import Desk
from servicedesk.services import flaps, incidents, judgement, setup
from servicedesk.store.views import alerts as views
from servicedesk.store.views import queue
from tests.intake import seen
from tests.intake.test_any_order import apply_each, store
from tests.intake.test_incidents import Crew, at, end, fire, people, resolve, status
from tests.intake.wire import alert, body, send
from tests.support.clock import Clock
from tests.support.pages import open_pages, sign_in_as

pytestmark = pytest.mark.feature("I12")
__all__ = ["people"]


def shake(desk: Desk, clock: Clock, first: int = 0, times: int = 3) -> int:
    """It fires and recovers so many times, a minute each; the ticket."""
    ticket = 0
    for minute in range(first, first + 2 * times, 2):
        ticket = fire(desk, clock, minute)
        end(desk, clock, minute + 1, minute)
    return ticket


def told(desk: Desk, ticket: int) -> dict[str, int]:
    events = seen.told(desk, ticket)
    return {name: events.count(name) for name in ("refired", "flaps", "calms")}


def look(desk: Desk, clock: Clock, minute: float) -> int:
    clock.set(at(minute))
    return flaps.run_due(desk)


def test_one_notice_when_it_begins_and_one_when_it_is_calm(desk: Desk, clock: Clock) -> None:
    ticket = shake(desk, clock, 0, 2)
    assert (seen.only_alert(desk).flapping_since, told(desk, ticket)["flaps"]) == (None, 0)
    assert shake(desk, clock, 4, 4) == ticket
    row = seen.only_alert(desk)
    assert (row.flapping_since, row.flap_ends_at) == (at(0), at(41))
    assert told(desk, ticket) == {"refired": 0, "flaps": 1, "calms": 0}
    assert look(desk, clock, 40) == 0
    assert look(desk, clock, 41) == 1
    assert look(desk, clock, 42) == 0
    row = seen.only_alert(desk)
    assert (row.flapping_since, row.flap_ends_at) == (None, None)
    assert told(desk, ticket) == {"refired": 0, "flaps": 1, "calms": 1}
    said = [line["event"] for line in seen.lines(desk, ticket) if line.get("event") in ("flapping", "calm")]
    assert said == ["flapping", "calm"]
    shake(desk, clock, 60)
    assert told(desk, ticket)["flaps"] == 2


def test_while_it_flaps_nobody_is_told_again_but_who_resolved_it(desk: Desk, clock: Clock, people: Crew) -> None:
    ticket = shake(desk, clock)
    incidents.take(desk, people["owner"], ticket)
    incidents.hold(desk, people["owner"], ticket, "observation", until=clock.now() + timedelta(days=1))
    fire(desk, clock, 10)
    assert (status(desk, ticket), told(desk, ticket)) == ("in_progress", {"refired": 0, "flaps": 1, "calms": 0})
    end(desk, clock, 11, 10)
    resolve(desk, people, ticket)
    fire(desk, clock, 12)
    assert (status(desk, ticket), told(desk, ticket)) == ("in_progress", {"refired": 0, "flaps": 2, "calms": 0})
    end(desk, clock, 13, 12)
    assert told(desk, ticket)["flaps"] == 2


def test_the_quiet_window_counts_from_the_last_recovery_as_ever(desk: Desk, clock: Clock, people: Crew) -> None:
    ticket = shake(desk, clock)
    resolve(desk, people, ticket)
    assert seen.ticket(desk, ticket).due_at == clock.now() + timedelta(hours=1)
    clock.set(seen.ticket(desk, ticket).due_at)
    judgement.run_due(desk)  # before the job that ends the flapping
    assert status(desk, ticket) == "review"
    assert flaps.run_due(desk) == 1
    assert told(desk, ticket)["calms"] == 1


def test_a_ticket_says_it_once_for_all_of_its_alerts(desk: Desk, clock: Clock) -> None:
    ticket = 0
    for minute in range(0, 8, 2):
        for name in "ab":
            ticket = fire(desk, clock, minute, instance=name)
        for name in "ab":
            end(desk, clock, minute + 1, minute, instance=name)
    assert told(desk, ticket) == {"refired": 0, "flaps": 1, "calms": 0}
    assert look(desk, clock, 60) == 2
    assert told(desk, ticket)["calms"] == 1


def test_it_does_not_end_while_a_delivery_waits(desk: Desk, clock: Clock) -> None:
    shake(desk, clock)
    clock.set(at(34))
    send(desk, body(alert(at(34), severity="warning", service="cart", instance="a")))
    assert look(desk, clock, 36) == 0
    assert look(desk, clock, 45) == 1


def test_lists_and_queue_show_it(desk: Desk, clock: Clock) -> None:
    ticket = shake(desk, clock)
    with desk.read() as tx:
        assert [a.flapping_since for a in views.alerts(tx, views.Filter(flapping=True)).items] == [at(0)]
        assert [row.flapping for row in queue.rows(tx, [ticket])] == [1]
    look(desk, clock, 60)
    with desk.read() as tx:
        assert views.alerts(tx, views.Filter(flapping=True)).items == ()
        assert [row.flapping for row in queue.rows(tx, [ticket])] == [0]


def test_pages_say_it_with_a_sentence(desk: Desk, clock: Clock, people: Crew) -> None:
    setup.first_run(desk)
    lead = sign_in_as(open_pages(desk), desk, "lead")
    ticket = shake(desk, clock)
    number = seen.only_alert(desk).id
    for path in (f"/incidents/INC-{ticket}", f"/alerts/{number}", "/queue", "/alerts?status=flapping"):
        lead.get(path)
        assert "It fires and recovers again and again" in lead.html, path
    look(desk, clock, 60)
    for path in (f"/incidents/INC-{ticket}", f"/alerts/{number}", "/queue"):
        lead.get(path)
        assert "It fires and recovers again and again" not in lead.html, path


cuts = st.lists(st.integers(0, 40), min_size=5, max_size=10, unique=True).map(sorted)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(cuts, st.randoms(use_true_random=False), st.sampled_from((40.0, 60.0)))
def test_any_order_gives_the_same(desk: Desk, clock: Clock, times: list[int], random: Random, now: float) -> None:
    clock.set(at(now))
    pairs = zip(times[::2], [*times[1::2], None], strict=False)
    sent: list[list[Any]] = [[("a", start, over)] for start, end in pairs for over in ({None, end})]
    found = []
    for _ in range(2):
        source, ids = store(desk, sent)
        random.shuffle(ids)
        apply_each(desk, ids)
        row = seen.only_alert(desk, source)
        found.append((row.flapping_since, row.flap_ends_at))
    assert found[0] == found[1]

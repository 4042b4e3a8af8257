"""Alerts under a maintenance or suppression: recorded, shown, not told, and judged again at its end."""

from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.errors import BadInput, Conflict, NotAllowed, NotFound
from servicedesk.services import incidents, judgement, maintenance
from servicedesk.services.maintenance import Plan
from tests.intake import seen
from tests.intake.test_any_order import apply_each, store
from tests.intake.test_incidents import Crew, at, end, fire, people, resolve
from tests.intake.wire import alert, body, send, tell
from tests.support.clock import Clock

pytestmark = pytest.mark.feature("I11")
LEAD = Actor(None, "lea", frozenset({"lead"}))
__all__ = ["people"]


def plan(desk: Desk, start: float = 10, minutes: int = 20, **more: Any) -> int:
    given = {"kind": "maintenance", "title": "Patches", "matchers": 'alertname="DiskFull"'} | more
    return maintenance.plan(desk, LEAD, Plan(starts_at=at(start), minutes=minutes, **given))


def look(desk: Desk, clock: Clock, minute: float) -> int:
    clock.set(at(minute))
    return maintenance.run_due(desk)


def test_it_ends_within_the_window_and_no_ticket_is_made(desk: Desk, clock: Clock) -> None:
    window = plan(desk)
    fire(desk, clock, 12)
    row = seen.only_alert(desk)
    assert (row.status, row.waits, row.waits_until, row.window_id) == ("firing", "window", at(30), window)
    assert "Patches" in row.decision
    end(desk, clock, 20, 12)
    row = seen.only_alert(desk)
    assert (row.status, row.waits, row.incident_id) == ("recovered", None, None)
    assert "during a maintenance" in row.decision
    assert look(desk, clock, 31) == 0
    tell(desk, alert(at(12), at(20), severity="warning", service="cart", instance="a"))
    assert seen.incidents(desk) == []
    assert len(seen.events(desk)) == 2


def test_what_still_fires_at_the_end_gets_its_ticket_then_and_is_told_once(desk: Desk, clock: Clock) -> None:
    plan(desk)
    fire(desk, clock, 12)
    fire(desk, clock, 14, instance="b")
    assert look(desk, clock, 29.9) == 0
    assert seen.incidents(desk) == []
    assert look(desk, clock, 30) == 2
    ticket = seen.only_ticket(desk)
    assert (ticket.started_at, ticket.created_at, ticket.occurrences) == (at(12), at(30), 2)
    assert "fires on after" in ticket.creation["reason"]
    assert seen.told(desk, ticket.id) == ["opened"]
    assert {row.waits for row in seen.alerts(desk)} == {None}
    assert look(desk, clock, 40) == 0


def test_before_and_after_the_window_and_beside_it_nothing_is_held_back(desk: Desk, clock: Clock) -> None:
    plan(desk, matchers='instance=~"a|c"')
    plan(desk, service="", source="other", matchers="")
    assert fire(desk, clock, 9.9)
    assert fire(desk, clock, 12, instance="b")
    assert not fire(desk, clock, 13, instance="c")
    assert fire(desk, clock, 30, instance="a2", service="mail")


def test_late_news_is_judged_by_when_it_happened(desk: Desk, clock: Clock) -> None:
    """Applied after the window: what ended within it needs no ticket, what outlasted it does."""
    plan(desk)
    clock.set(at(50))
    for name, over in (("a", 25), ("b", 35)):
        tell(desk, alert(at(12), instance=name), alert(at(12), at(over), instance=name))
    assert look(desk, clock, 50) == 1
    (ticket,) = seen.incidents(desk)
    assert (ticket.labels["instance"], ticket.auto_recovered) == ("b", True)


def test_a_resolved_ticket_is_not_reopened_before_the_end(desk: Desk, clock: Clock, people: Crew) -> None:
    ticket = fire(desk, clock)
    end(desk, clock, 5)
    resolve(desk, people, ticket)
    plan(desk)
    fire(desk, clock, 12)
    assert seen.ticket(desk, ticket).status == "resolved"
    clock.set(at(29))
    judgement.run_due(desk)
    assert seen.ticket(desk, ticket).status == "resolved", "it may not close while its alert fires"
    assert look(desk, clock, 30) == 1
    found = seen.ticket(desk, ticket)
    assert (found.status, found.cycle) == ("in_progress", 2)


def test_an_open_ticket_takes_it_at_the_end(desk: Desk, clock: Clock, people: Crew) -> None:
    ticket = fire(desk, clock)
    incidents.take(desk, people["owner"], ticket)
    end(desk, clock, 5)
    plan(desk)
    fire(desk, clock, 12)
    assert seen.ticket(desk, ticket).occurrences == 1
    look(desk, clock, 30)
    assert seen.ticket(desk, ticket).occurrences == 2


def test_ending_it_early_judges_at_once(desk: Desk, clock: Clock) -> None:
    window = plan(desk)
    fire(desk, clock, 12)
    clock.set(at(15))
    maintenance.cancel(desk, LEAD, window)
    assert look(desk, clock, 15) == 1
    assert seen.only_ticket(desk).started_at == at(12)
    with pytest.raises(Conflict):
        maintenance.cancel(desk, LEAD, window)
    with pytest.raises(NotFound):
        maintenance.cancel(desk, LEAD, window, "suppression")
    assert seen.lines(desk, 0)[-1]["name"] == str(window)


def test_windows_that_follow_on_each_other_hold_until_the_last(desk: Desk, clock: Clock) -> None:
    plan(desk)
    fire(desk, clock, 12)
    second = plan(desk, 25, 30)
    assert look(desk, clock, 30) == 1
    row = seen.only_alert(desk)
    assert (row.waits, row.waits_until, row.window_id) == ("window", at(55), second)
    assert look(desk, clock, 55) == 1
    assert len(seen.incidents(desk)) == 1


def test_every_day_in_its_time_zone(desk: Desk, clock: Clock) -> None:
    plan(desk, recurrence="FREQ=DAILY;COUNT=3", timezone="Europe/Paris")
    assert not fire(desk, clock, 24 * 60 + 12)
    end(desk, clock, 24 * 60 + 13, 24 * 60 + 12)
    assert fire(desk, clock, 24 * 60 + 31)
    assert fire(desk, clock, 3 * 24 * 60 + 12, instance="b", service="mail")


def test_nothing_is_judged_while_a_delivery_waits_that_came_before_the_end(desk: Desk, clock: Clock) -> None:
    plan(desk)
    fire(desk, clock, 12)
    clock.set(at(29))
    late = send(desk, body(alert(at(12), at(28), severity="warning", service="cart", instance="a")))
    assert look(desk, clock, 31) == 0
    apply_each(desk, [late])
    assert look(desk, clock, 31) == 0
    assert seen.incidents(desk) == []


def test_two_workers_judge_it_once(desk: Desk, clock: Clock) -> None:
    plan(desk)
    for name in "abcdef":
        fire(desk, clock, 12, instance=name)
    clock.set(at(30))
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: maintenance.run_due(desk), range(4))) == 6
    assert seen.only_ticket(desk).occurrences == 6


cuts = st.lists(st.integers(0, 40), min_size=1, max_size=5, unique=True).map(sorted)


def firings(name: str, times: list[int]) -> list[tuple[str, int, int | None]]:
    """Starts and ends by turns: what a source says of one alert; the last may be without an end."""
    pairs = zip(times[::2], [*times[1::2], None], strict=False)
    return [(name, start, over) for start, end in pairs for over in ({None, end})]


@settings(
    max_examples=25,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(cuts, cuts, st.randoms(use_true_random=False), st.sampled_from((20.0, 60.0)), st.booleans())
def test_any_order_gives_the_same(
    desk: Desk, clock: Clock, a: list[int], b: list[int], random: Random, now: float, both: bool
) -> None:
    clock.set(at(-1))
    window = plan(desk, 10, 15, matchers='instance=~"a|b"' if both else 'instance="a"')
    clock.set(at(now))
    told = [[what] for what in firings("a", a) + firings("b", b)]
    told.sort(key=lambda said: said[0][1] if said[0][2] is None else said[0][2])
    source, ids = store(desk, told)
    apply_each(desk, ids)
    other, ids = store(desk, told)
    random.shuffle(ids)
    apply_each(desk, ids)
    clock.set(at(60))
    assert [maintenance.run_due(desk) > 0 for _ in range(3)][-1] is False
    assert seen.picture(desk, source) == seen.picture(desk, other)
    waits = [sorted((row.key, row.waits or "") for row in seen.alerts(desk, name)) for name in (source, other)]
    assert waits[0] == waits[1]
    clock.set(at(-1))
    maintenance.cancel(desk, LEAD, window)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"matchers": ""}, "matchers"),
        ({"matchers": "alertname=~("}, "matchers"),
        ({"service": "nobody knows"}, "service"),
        ({"minutes": 0}, "minutes"),
        ({"timezone": "Europe/Atlantis"}, "timezone"),
        ({"recurrence": "FREQ=HOURLY"}, "recurrence"),
        ({"start": -60}, "starts_at"),
        ({"start": -60 * 24 * 500, "recurrence": "FREQ=DAILY"}, "starts_at"),
        ({"kind": "holiday"}, "kind"),
        ({"title": " "}, "title"),
    ],
)
def test_what_cannot_be_planned(desk: Desk, clock: Clock, more: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        plan(desk, **more)
    assert field in caught.value.fields
    with pytest.raises(NotAllowed):
        maintenance.cancel(desk, Actor(None, "al", frozenset({"agent"})), 1)


def test_the_preview_names_what_it_would_fit(desk: Desk, clock: Clock) -> None:
    fire(desk, clock)
    fire(desk, clock, instance="b")
    wanted = Plan("suppression", "Noise", at(10), 60, matchers='instance="b"', recurrence="RRULE:freq=daily")
    window, found = maintenance.preview(desk, wanted)
    assert [match.labels["instance"] for match in found] == ["b"]
    assert (window.recurrence, window.over_at) == ("FREQ=DAILY", None)

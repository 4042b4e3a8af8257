"""The captured messages of a real Alertmanager, on both databases: what each case must end in."""

from datetime import timedelta

import pytest

from servicedesk.desk import Desk
from servicedesk.services import apply, suspects
from tests.intake import seen, wire
from tests.support.clock import Clock

HOUR = timedelta(hours=1)


def play(desk: Desk, clock: Clock, bodies: list[bytes]) -> None:
    for raw in bodies:
        clock.advance(seconds=15)
        wire.send(desk, raw)
        apply.run_all(desk)


def capture(name: str, clock: Clock) -> list[bytes]:
    return wire.capture(name, HOUR, clock.now())


@pytest.mark.feature("I1", "I9")
@pytest.mark.parametrize("name", wire.CAPTURES)
def test_every_capture_is_applied_without_a_dead_letter(desk: Desk, clock: Clock, name: str) -> None:
    bodies = capture(name, clock)
    play(desk, clock, bodies)
    assert sum(row.count for row in seen.alerts(desk)) == sum(raw.count(b'"startsAt"') for raw in bodies)
    assert all(seen.delivered(desk, i + 1).state == "done" for i in range(len(bodies)))
    assert all(seen.letters(desk, i + 1) == {} for i in range(len(bodies)))


@pytest.mark.feature("I9", "T1")
def test_fire_and_resolve(desk: Desk, clock: Clock) -> None:
    bodies = capture("s01_fire_resolve", clock)
    play(desk, clock, bodies[:1])
    ticket = seen.only_ticket(desk)
    assert (ticket.title, ticket.status, ticket.priority) == ("DiskFull: Disk full on db1", "new", 2)
    assert (ticket.recovered_at, ticket.auto_recovered) == (None, False)
    play(desk, clock, bodies[1:])
    ticket = seen.only_ticket(desk)
    assert (seen.only_alert(desk).status, ticket.status, ticket.auto_recovered) == ("recovered", "new", True)
    assert ticket.recovered_at == clock.now()


@pytest.mark.feature("I7", "I9")
def test_a_group_grows_and_shrinks(desk: Desk, clock: Clock) -> None:
    bodies = capture("s02_group_grows_and_shrinks", clock)
    play(desk, clock, bodies[:3])
    ticket = seen.only_ticket(desk)
    states = {a.labels["instance"]: a.status for a in seen.alerts(desk)}
    assert states == {"a": "recovered", "b": "firing", "c": "firing", "d": "firing"}
    assert (ticket.occurrences, ticket.recovered_at) == (4, None)
    play(desk, clock, bodies[3:])
    assert {a.status for a in seen.alerts(desk)} == {"recovered"}
    assert seen.only_ticket(desk).auto_recovered


@pytest.mark.feature("I9")
@pytest.mark.parametrize("name", ["s07_flap_within_interval", "s17_startsat_moves"])
def test_a_start_that_moves_is_one_episode(desk: Desk, clock: Clock, name: str) -> None:
    play(desk, clock, capture(name, clock))
    (first,) = [a for a in seen.alerts(desk) if a.name in ("A", "Flap")]
    spans = [(e.ends_at is None, e.fired) for e in seen.episodes(desk) if e.alert_id == first.id]
    assert spans == [(False, True), (True, True)]
    assert (first.status, seen.ticket(desk, first.incident_id).occurrences) == ("firing", 2)


@pytest.mark.feature("I9")
def test_a_pairs_stale_firing_opens_and_pages_nothing(desk: Desk, clock: Clock) -> None:
    bodies = capture("s09_ha_ok", clock)
    play(desk, clock, bodies[:3])
    ticket = seen.only_ticket(desk)
    assert (seen.only_alert(desk).status, ticket.auto_recovered) == ("suspect", False)
    assert ticket.suspect_at == clock.now()
    play(desk, clock, bodies[3:])
    ticket = seen.only_ticket(desk)
    assert (seen.only_alert(desk).status, ticket.occurrences, ticket.auto_recovered) == ("recovered", 1, True)
    assert seen.told(desk, ticket.id) == ["opened"]


@pytest.mark.feature("I6", "I9")
def test_a_new_group_key_is_the_same_alert(desk: Desk, clock: Clock) -> None:
    play(desk, clock, capture("s27_regroup_on_reload", clock))
    assert (seen.only_alert(desk).count, seen.only_ticket(desk).occurrences) == (2, 1)


@pytest.mark.feature("I9")
def test_regained_contact_is_believed_after_a_while(desk: Desk, clock: Clock) -> None:
    play(desk, clock, capture("s29_contact_lost_then_same_episode", clock))
    assert seen.only_alert(desk).status == "suspect"
    clock.advance(minutes=5)
    assert suspects.run_due(desk, clock.now()) == 0
    clock.advance(minutes=2)
    assert suspects.run_due(desk, clock.now()) == 1
    alert, (span,) = seen.only_alert(desk), seen.episodes(desk)
    assert (alert.status, alert.ends_at, span.ends_at, span.suspect) == ("firing", None, None, False)
    assert seen.only_ticket(desk).recovered_at is None


@pytest.mark.feature("I6")
def test_hostile_labels_stay_text(desk: Desk, clock: Clock) -> None:
    play(desk, clock, capture("s08_hostile", clock))
    found = seen.alerts(desk)
    assert len(found) == 12
    evil = {a.labels["evil"] for a in found}
    assert {"$(touch /tmp/rig-pwned)", "a\nb\r\nX-Injected: 1", "<script>alert(1)</script>", "' OR '1'='1"} <= evil
    assert "$(touch /tmp/rig-pwned)" in seen.only_ticket(desk).title

"""Correlation rules at work: records, thresholds, attached alerts, in any order."""

import os
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.services import apply, deliveries, incidents
from servicedesk.services import gathering as gathering_service
from servicedesk.services.shared import gather, slices
from servicedesk.store import gathering
from servicedesk.store.db import Tx
from servicedesk.store.tables import incident, reach
from tests.intake import ruled, seen, wire
from tests.intake.wire import alert, tell
from tests.support.clock import START, Clock
from tests.support.crew import crew

LEAD = Actor(None, "lea", frozenset({"lead"}))
THREE = """
- id: three
  match: alertname="DiskFull"
  group_by: [alertname]
  join: 10m
  threshold: {episodes: 3, within: 10m}
"""
TWO_HOSTS = """
- id: two-hosts
  match: alertname="DiskFull"
  group_by: [alertname]
  join: 20m
  threshold: {hosts: 2, within: 10m, host: [instance]}
"""
HINTS = """
- id: hints
  match: severity="info"
  answer: attach
  group_by: [cluster]
  join: 5m
  to: severity!="info"
"""


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


@pytest.mark.feature("I8")
def test_a_record_has_no_ticket_and_says_why(desk: Desk, clock: Clock) -> None:
    ruled.use(desk, '- {id: tests, match: env="test", answer: record, reason: Nobody works there.}')
    tell(desk, alert(START, env="test"))
    row = seen.only_alert(desk)
    assert (row.rule, row.decision, row.incident_id) == ("tests", "Nobody works there.", None)
    tell(desk, alert(START, at(5), env="test"))
    (episode,) = seen.episodes(desk)
    assert episode.passed


@pytest.mark.feature("I8")
def test_what_was_only_recorded_does_not_count_later(desk: Desk, clock: Clock) -> None:
    """The rule is taken away: the next firing makes a ticket, with nothing of before in it."""
    ruled.use(desk, "- {id: all, answer: record}")
    tell(desk, alert(START))
    tell(desk, alert(START, at(5)))
    ruled.use(desk, "- {id: other, match: a=b, answer: record}")
    clock.advance(minutes=30)
    tell(desk, alert(at(30)))
    ticket = seen.only_ticket(desk)
    assert (ticket.occurrences, ticket.started_at, ticket.creation["rule"]) == (1, at(30), "default")


@pytest.mark.feature("I7", "I8")
def test_the_ticket_names_the_rule_that_made_it(desk: Desk) -> None:
    ruled.use(desk, "- {id: racks, group_by: [rack], join: 1h, reason: One rack shares its power.}")
    tell(desk, alert(START, rack="7"), alert(at(50), alertname="PowerLost", rack="7"), alert(START, rack="8"))
    second, first = sorted(seen.incidents(desk), key=lambda row: row.labels["rack"], reverse=True)
    assert first.creation == {"rule": "racks", "answer": "ticket", "reason": "One rack shares its power."}
    assert len(seen.members(desk, first.id)) == 2
    assert len(seen.members(desk, second.id)) == 1


@pytest.mark.feature("I7")
def test_an_alert_without_the_labels_of_its_rule_has_no_siblings(desk: Desk) -> None:
    ruled.use(desk, "- {id: racks, group_by: [rack]}")
    tell(desk, alert(START, instance="a"), alert(START, instance="b"))
    assert len(seen.incidents(desk)) == 2


@pytest.mark.feature("I7")
def test_what_is_too_old_when_it_comes_is_recorded(desk: Desk) -> None:
    ruled.use(desk, "- {id: young, max_age: 6h}")
    tell(desk, alert(at(-361), instance="old"), alert(at(-359), instance="young"))
    (ticket,) = seen.incidents(desk)
    old, young = seen.alerts(desk)
    assert (old.incident_id, young.incident_id) == (None, ticket.id)
    assert "6.0 h" in old.decision


@pytest.mark.feature("I7")
def test_no_ticket_before_enough_has_come(desk: Desk, clock: Clock) -> None:
    ruled.use(desk, THREE)
    tell(desk, alert(START, instance="a"))
    tell(desk, alert(at(5), instance="b"))
    assert seen.incidents(desk) == []
    assert [(a.waits, a.rule) for a in seen.alerts(desk)] == [("group", "three")] * 2
    assert "3 episodes within 10m" in seen.alerts(desk)[0].decision
    tell(desk, alert(at(12), instance="c"))  # too late for the first
    assert seen.incidents(desk) == []
    tell(desk, alert(at(13), instance="d"))
    ticket = seen.only_ticket(desk)
    assert {a.labels["instance"] for a in seen.alerts(desk) if a.incident_id} == {"b", "c", "d"}
    assert (ticket.started_at, ticket.occurrences, ticket.creation["rule"]) == (at(5), 3, "three")
    assert ticket.creation["reason"].startswith("3 episodes on 3 hosts began within 10m")
    assert seen.told(desk, ticket.id).count("opened") == 1
    assert [a.waits for a in seen.alerts(desk)] == ["group", None, None, None]


@pytest.mark.feature("I7")
def test_one_alert_that_flaps_counts_by_its_episodes(desk: Desk) -> None:
    ruled.use(desk, THREE)
    for minute in (0, 3, 6):
        tell(desk, alert(at(minute)))
        tell(desk, alert(at(minute), at(minute + 2)))
    ticket = seen.only_ticket(desk)
    assert (ticket.occurrences, ticket.auto_recovered) == (3, True)


@pytest.mark.feature("I7")
def test_hosts_are_counted_once_whatever_their_ports(desk: Desk) -> None:
    ruled.use(desk, TWO_HOSTS)
    tell(desk, alert(START, instance="a:9100"), alert(START, instance="a:9090"), alert(START))
    assert seen.incidents(desk) == []
    tell(desk, alert(at(1), instance="b:9100"))
    assert len(seen.members(desk, seen.only_ticket(desk).id)) == 4
    assert "2 hosts" in seen.only_ticket(desk).creation["reason"]


@pytest.mark.feature("I7")
def test_a_ticket_that_people_work_on_takes_more_and_loses_nothing(desk: Desk, clock: Clock) -> None:
    people = crew(desk)
    ruled.use(desk, THREE)
    for name in "abc":
        tell(desk, alert(at(5), instance=name))
    ticket = seen.only_ticket(desk)
    incidents.take(desk, people["owner"], ticket.id)
    tell(desk, alert(at(0), instance="d"))  # enough for an earlier ticket, had nobody begun
    tell(desk, alert(at(9), instance="e"))
    assert len(seen.members(desk, ticket.id)) == 5
    tell(desk, alert(at(11), instance="f"))  # after its window
    assert seen.alerts(desk)[-1].waits == "group"


@pytest.mark.feature("I8")
def test_an_attached_alert_never_makes_a_ticket(desk: Desk, clock: Clock) -> None:
    ruled.use(desk, HINTS)
    hint: Any = {"severity": "info", "cluster": "eu", "alertname": "Throttled"}
    tell(desk, alert(START, **hint))
    assert seen.incidents(desk) == []
    assert seen.only_alert(desk).waits == "group"
    tell(desk, alert(at(3), severity="critical", cluster="eu"))
    ticket = seen.only_ticket(desk)
    assert len(seen.members(desk, ticket.id)) == 2
    assert (ticket.started_at, ticket.title) == (at(3), "DiskFull: Disk full")
    tell(desk, alert(at(60), instance="b", **hint))  # as long as it is open
    tell(desk, alert(at(60), **(hint | {"cluster": "us"})))
    assert len(seen.members(desk, ticket.id)) == 3
    assert [line["name"] for line in seen.lines(desk, ticket.id) if line.get("event") == "joined"] == ["Throttled"] * 2


@pytest.mark.feature("I8")
def test_what_was_over_before_a_ticket_began_is_not_attached(desk: Desk) -> None:
    ruled.use(desk, HINTS)
    hint: Any = {"severity": "info", "cluster": "eu", "alertname": "Throttled"}
    tell(desk, alert(START, at(1), **hint), alert(START, **hint))
    tell(desk, alert(at(3), severity="critical", cluster="eu"))
    assert seen.alerts(desk)[0].incident_id is None


@pytest.mark.feature("I8")
def test_nothing_is_attached_to_tickets_that_have_long_been_over(desk: Desk, clock: Clock) -> None:
    people = crew(desk)
    ruled.use(desk, HINTS)
    for name in ("One", "Two"):
        tell(desk, alert(START, alertname=name, severity="warning", cluster="eu"))
    first, second = (row.id for row in seen.incidents(desk))
    incidents.cancel(desk, people["lead"], second, "duplicate", "The same.", target=first)
    assert {row.incident_id for row in seen.rows(desk, select(reach))} == {first, second}
    clock.advance(days=29)
    assert gathering_service.forget_old(desk) == 0
    clock.advance(days=2)
    assert gathering_service.forget_old(desk) == 1
    assert {row.incident_id for row in seen.rows(desk, select(reach))} == {first}


@pytest.mark.feature("I8")
def test_shipped_rules_attach_the_hints_of_kubernetes(desk: Desk) -> None:
    hint: Any = {"alertname": "CPUThrottlingHigh", "severity": "info", "namespace": "shop", "pod": "a"}
    tell(desk, alert(START, **hint))
    tell(desk, alert(at(1), alertname="KubePodCrashLooping", severity="warning", namespace="shop"))
    assert len(seen.members(desk, seen.only_ticket(desk).id)) == 2


# --- in any order --------------------------------------------------------------------------------------------------

REST = 50  # looks after one delivery; a handful is usual
_sources = count(1)
said = st.tuples(st.sampled_from("abcd"), st.integers(0, 40), st.one_of(st.none(), st.none(), st.integers(0, 50)))
bodies = st.lists(st.lists(said, min_size=1, max_size=3), min_size=1, max_size=8)
BY_HAND = "ORDER_EXAMPLES"  # so many at random (with -o timeout=0); else a few, always the same
EXAMPLES = int(os.environ.get(BY_HAND, "10"))
many = settings(
    max_examples=EXAMPLES,
    derandomize=BY_HAND not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
Said = tuple[str, int, int | None]


def entry(what: Said) -> dict[str, object]:
    """a, b are serious alerts on two hosts; c, d hints."""
    name, start, over = what
    kind = {"severity": "info", "alertname": "Hint"} if name in "cd" else {}
    return wire.alert(at(start), None if over is None else at(over), instance=name, cluster="eu", **kind)


def play(desk: Desk, told: Sequence[Sequence[Said]], order: Sequence[int] | None = None, budget: int = 500) -> str:
    """Store the bodies under a new source and apply them in this order, looking again after each; the source."""
    source = f"r{next(_sources)}"
    ids = [wire.send(desk, wire.body(*map(entry, body)), source) for body in told]
    for i in order or range(len(ids)):
        while slices.step(desk, budget, only=ids[i]):
            pass
        looks = sum(gather.look(desk) for _ in range(REST))
        assert looks < REST, "it never comes to rest"
    for delivery in ids:
        deliveries.replay(desk, LEAD, delivery)
    return source


def shuffled(told: Sequence[object], random: Random) -> list[int]:
    order = list(range(len(told)))
    random.shuffle(order)
    return order


def compare(desk: Desk, rules: str, told: Sequence[Sequence[Said]], order: Sequence[int], budget: int) -> bool:
    """The same tickets in two orders; False when nothing can be said.

    For a ticket that was made before it was known that less had happened was announced, and stays.
    """
    alive: set[int | None] = set()
    keep = gather._kept_alive

    def noted(emptied: Any, moves: Any) -> set[int | None]:
        found = keep(emptied, moves)
        alive.update(found)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gather, "_kept_alive", noted)
        ruled.use(desk, rules)
        expected = seen.picture(desk, play(desk, told))
        found = seen.picture(desk, play(desk, told, order, budget))
    assert alive or found == expected
    return not alive


@pytest.mark.feature("I7", "I9")
@pytest.mark.parametrize("rules", [THREE, TWO_HOSTS, HINTS, THREE + HINTS], ids=["three", "hosts", "hints", "both"])
@pytest.mark.parametrize("engine_url", ["sqlite"], indirect=True)
@many
@given(told=bodies, random=st.randoms(use_true_random=False), budget=st.integers(1, 3))
@example(
    told=[[("b", 15, None)], [("a", 0, None)], [("b", 30, None)], [("c", 16, None)]],
    random=Random(1),
    budget=1,
)
@example(
    told=[[("a", 10, None)], [("b", 12, None)], [("a", 14, 15)], [("b", 0, 1)], [("a", 3, 4)]],
    random=Random(3),
    budget=1,
)
def test_any_order_gives_the_same_tickets(
    desk: Desk, rules: str, told: list[list[Said]], random: Random, budget: int
) -> None:
    assume(compare(desk, rules, told, shuffled(told, random), budget))


@pytest.mark.feature("I7", "I9")
@pytest.mark.postgres
@pytest.mark.parametrize("engine_url", ["postgresql"], indirect=True)
@settings(many, max_examples=max(EXAMPLES // 3, 1))
@given(told=bodies, random=st.randoms(use_true_random=False), budget=st.integers(1, 3))
def test_any_order_on_postgresql(desk: Desk, told: list[list[Said]], random: Random, budget: int) -> None:
    assume(compare(desk, THREE + HINTS, told, shuffled(told, random), budget))


FREE_UNTIL_LATE = [[("b", 5, None)], [("b", 5, 10)], [("b", 20, None)], [("a", 28, None)], [("a", 0, 3)]]
ENDED_AGAIN = [[("b", 5, None)], [("b", 22, 22), ("a", 4, 9)], [("a", 34, None), ("b", 8, 13)], [("b", 26, 26)]]


@pytest.mark.feature("I7", "I9")
@pytest.mark.parametrize(
    ("told", "order", "start"),
    [
        pytest.param([*FREE_UNTIL_LATE, [("a", 0, None)]], [0, 1, 3, 4, 5, 2], 0, id="before-its-ticket"),
        pytest.param([*ENDED_AGAIN, [("a", 37, None), ("a", 5, None)]], [1, 4, 0, 3, 2], 5, id="ended-while-it-waits"),
    ],
)
def test_what_did_not_suffice_yet_counts_when_more_comes(
    desk: Desk, told: list[list[Said]], order: list[int], start: int
) -> None:
    """An episode before its ticket's start stays free, and one that waits is not forgotten with a newer end."""
    assert compare(desk, TWO_HOSTS, told, order, 1)
    assert [row.started_at for row in seen.rows(desk, select(incident))] == [at(start)] * 2


@pytest.mark.feature("I7")
def test_a_threshold_is_looked_at_again_after_a_crash(desk: Desk) -> None:
    """What is to be looked at stands in the database: the slice that was applied before the crash told it."""
    ruled.use(desk, THREE)
    tell_only(desk, *(alert(at(i), instance=str(i)) for i in range(3)))
    assert seen.incidents(desk) == []
    apply.run_all(desk)  # as after a restart
    assert len(seen.incidents(desk)) == 1


@pytest.mark.feature("I7")
def test_two_workers_at_once_make_one_ticket(desk: Desk) -> None:
    """Each applies what comes and looks at what waits, at the same time."""
    ruled.use(desk, THREE)
    for i in range(12):
        wire.send(desk, wire.body(wire.alert(at(i % 5), instance=str(i))))
    gate, faults = threading.Barrier(2), []

    def work() -> None:
        try:
            gate.wait()
            while slices.step(desk, 1) or gather.look(desk):
                pass
        except Exception as error:  # noqa: BLE001 - told to the test
            faults.append(error)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    apply.run_all(desk)
    assert not faults, faults
    ticket = seen.only_ticket(desk)
    assert (len(seen.members(desk, ticket.id)), ticket.occurrences, ticket.started_at) == (12, 12, START)
    assert seen.told(desk, ticket.id).count("opened") == 1


@pytest.mark.feature("I7")
def test_one_that_cannot_be_looked_at_costs_no_other_its_turn(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ruled.use(desk, THREE.replace("[alertname]", "[cluster]"))
    for cluster in ("bad", "good"):
        tell_only(desk, *(alert(at(i), instance=str(i), cluster=cluster) for i in range(3)))
    bad, good = (rows[0].correlation for rows in (seen.alerts(desk)[:3], seen.alerts(desk)[3:]))
    claim = gathering.waiting

    def waiting(tx: Tx, digest: bytes) -> list[int]:
        if digest == bad:
            raise ValueError("poison")
        return claim(tx, digest)

    monkeypatch.setattr(gathering, "waiting", waiting)
    with pytest.raises(ValueError, match="poison"):
        gather.look(desk)
    assert gather.look(desk)
    assert [bytes(row.correlation) for row in seen.incidents(desk)] == [good]
    with pytest.raises(ValueError, match="poison"):
        gather.look(desk)
    monkeypatch.undo()
    apply.run_all(desk)
    assert len(seen.incidents(desk)) == 2


def tell_only(desk: Desk, *alerts: object) -> None:
    """Applied, and not yet looked at again."""
    wire.send(desk, wire.body(*alerts))
    while slices.step(desk):
        pass

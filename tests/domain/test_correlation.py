"""Which incident an alert belongs to: every decision with its reason, and where siblings go."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from servicedesk.domain.correlation import (
    Candidate,
    Change,
    Own,
    Place,
    Shift,
    Unit,
    assign,
    chain,
    correlate,
    partition,
    place,
    seat,
)
from servicedesk.domain.correlation_rules import Rule, Ruleset, Threshold
from servicedesk.domain.correlation_rules import digest as rule_digest
from servicedesk.domain.policy import AlertPolicy
from servicedesk.files import policies

POLICY = policies.load(None).alerts
DEFAULT = Ruleset((), (), POLICY).default
ZERO = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
WINDOW = timedelta(minutes=10)


def at(minute: float) -> datetime:
    return ZERO + timedelta(minutes=minute)


def change(status: str = "firing", fired: bool = True, fresh: bool = True, over: float | None = None) -> Change:
    return Change(status, fired, fresh, None if over is None else at(over), age=timedelta(minutes=5))


@pytest.mark.feature("I8")
@pytest.mark.parametrize(
    ("what", "own", "kind", "rule"),
    [
        (change(), None, "open", "default"),
        (change("recovered", over=5), None, "open", "default"),  # its end was applied first
        (change("suspect", over=5), None, "open", "default"),
        (change("recovered", fired=False, fresh=False), None, "ignore", "never_seen_firing"),
        (change(), Own(7, "new"), "attach", "own_incident"),
        (change(), Own(7, "pending"), "attach", "own_incident"),
        (change(), Own(7, "resolved"), "reopen", "M7"),
        (change(), Own(7, "review"), "reopen", "M7"),
        (change("recovered", fresh=False), Own(7, "in_progress"), "recover", "recovered"),
        (change("recovered", fresh=False), Own(7, "review"), "recover", "recovered"),
        (change("suspect", fresh=False), Own(7, "review"), "suspect", "suspect"),
        (change(), Own(7, "closed", at(3)), "recur", "recurrence"),
        (change(), Own(7, "cancelled", at(3)), "recur", "recurrence"),
        (change("recovered", over=5), Own(7, "closed", at(3)), "recur", "recurrence"),
        (change("recovered", over=5), Own(7, "closed"), "recur", "recurrence"),
        (change("recovered", over=2), Own(7, "closed", at(3)), "ignore", "over"),
        (change("suspect", over=5), Own(7, "closed", at(3)), "ignore", "over"),
        (change("firing", fresh=False), Own(7, "closed", at(3)), "ignore", "over"),
    ],
)
def test_decisions(what: Change, own: Own | None, kind: str, rule: str) -> None:
    decision = correlate(what, own, DEFAULT)
    assert (decision.kind, decision.rule) == (kind, rule)
    assert decision.reason.endswith(".")
    assert decision.incident_id == (own.incident_id if own and kind not in ("ignore", "open") else None)


@pytest.mark.feature("I8")
@pytest.mark.parametrize(
    ("name", "severity"), [("Watchdog", "critical"), ("InfoInhibitor", ""), ("X", "none"), ("X", " None ")]
)
def test_some_alerts_are_recorded_without_a_ticket(name: str, severity: str) -> None:
    rule = Ruleset((), (), POLICY).judge("am", {"alertname": name, "severity": severity})
    decision = correlate(change(), None, rule)
    assert (decision.kind, decision.rule) == ("ignore", "ignored")


NEED = Threshold(3, 2, timedelta(minutes=10))


@pytest.mark.feature("I8")
@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        (Rule("r"), "open"),
        (Rule("r", answer="record"), "ignore"),
        (Rule("r", answer="suppress"), "suppress"),
        (Rule("r", answer="attach"), "wait"),
        (Rule("r", threshold=NEED), "wait"),
        (Rule("r", max_age=timedelta(minutes=4)), "ignore"),
        (Rule("r", max_age=timedelta(minutes=6)), "open"),
    ],
)
def test_the_rule_answers_where_no_incident_is_open(rule: Rule, kind: str) -> None:
    for own in (None, Own(7, "closed", at(-9))):
        decision = correlate(change(), own, rule)
        assert decision.kind == ("recur" if own and kind == "open" else kind)
        assert decision.rule == ("recurrence" if own and kind == "open" else "r")
        assert decision.reason.endswith(".")
        if decision.kind in ("recur", "wait"):
            assert decision.incident_id == (own.incident_id if own else None)
    for own in (Own(7, "new"), Own(7, "pending")):  # its own ticket carries it whatever the rule says now
        assert correlate(change(), own, rule).kind == "attach"


@pytest.mark.feature("I11")
@pytest.mark.parametrize(
    ("what", "own", "kind"),
    [
        (change(), None, "suppress"),
        (change("recovered", over=5), None, "suppress"),
        (change(), Own(7, "closed", at(3)), "suppress"),
        (change(), Own(7, "resolved"), "suppress"),  # it bars closing, and disturbs nobody yet
        (change(), Own(7, "in_progress"), "suppress"),
        (change("recovered", fresh=False), Own(7, "resolved"), "recover"),
        (change("recovered", fired=False, fresh=False), None, "ignore"),
    ],
)
def test_in_a_maintenance_nothing_is_opened_or_reopened(what: Change, own: Own | None, kind: str) -> None:
    decision = correlate(what, own, DEFAULT, "Maintenance “move” lasts until 10:00.")
    assert decision.kind == kind
    if kind == "suppress":
        assert (decision.rule, decision.incident_id) == ("maintenance", None)
        assert decision.reason.startswith("Maintenance")


def test_what_fired_in_a_maintenance_only_needs_no_ticket_and_what_outlasts_it_does() -> None:
    over = replace(change("recovered", fresh=False), held=True)
    assert correlate(over, None, DEFAULT).kind == "ignore"
    assert correlate(over, Own(7, "closed", at(3)), DEFAULT).kind == "ignore"
    outlasting = correlate(replace(change(), outlasted=True), None, DEFAULT)
    assert (outlasting.kind, "fires on after" in outlasting.reason) == ("open", True)


def correlation_digest(source: str, key: bytes, labels: dict[str, str], policy: AlertPolicy) -> bytes:
    return rule_digest(Ruleset((), (), policy).default, source, key, labels)


LABELS = {"alertname": "A", "cluster": "c", "namespace": "n", "service": "s", "instance": "i", "severity": "warning"}


def test_siblings_share_a_digest() -> None:
    def digest(source: str = "am", key: bytes = b"k", **labels: str) -> bytes:
        return correlation_digest(source, key, LABELS | labels, POLICY)

    assert digest(instance="j", severity="critical", key=b"l") == digest()
    assert len({digest(), digest(source="b"), digest(cluster="d"), digest(alertname="B"), digest(service="t")}) == 5
    job = {k: v for k, v in LABELS.items() if k != "service"} | {"job": "s"}
    assert correlation_digest("am", b"k", job, POLICY) == digest()


def test_without_a_name_or_under_the_switch_nobody_has_siblings() -> None:
    alone = msgspec.structs.replace(POLICY, one_incident_per_alert=True)
    assert correlation_digest("am", b"k", LABELS, alone) != correlation_digest("am", b"l", LABELS, alone)
    assert correlation_digest("am", b"k", {"a": "1"}, POLICY) != correlation_digest("am", b"l", {"a": "2"}, POLICY)


def candidate(incident: int, began: float, settled: bool = False) -> Candidate:
    return Candidate(incident, at(began), settled)


@pytest.mark.parametrize(
    ("start", "candidates", "expected"),
    [
        (0, [], Place(None)),
        (5, [candidate(1, 0)], Place(1)),
        (10, [candidate(1, 0)], Place(1)),
        (10.1, [candidate(1, 0)], Place(None)),
        (-1, [candidate(1, 0)], Place(1, shifts=True)),  # it begins earlier by that
        (-11, [candidate(1, 0)], Place(None)),
        (-1, [candidate(1, 0, settled=True)], Place(1)),  # people work on it: it takes the earlier sibling too
        (-1, [candidate(1, 0, settled=True), candidate(2, 5)], Place(1)),
        (-1, [candidate(1, 5, settled=True), candidate(2, 0)], Place(2, shifts=True)),
        (-1, [candidate(1, 0, settled=True), candidate(2, 0.5, settled=True)], Place(1)),  # the nearest
        (8, [candidate(1, 0), candidate(2, 5, settled=True)], Place(2)),  # the one that began last
        (30, [candidate(1, 0), candidate(2, 50)], Place(None)),
    ],
)
def test_place(start: float, candidates: list[Candidate], expected: Place) -> None:
    assert place(at(start), candidates, WINDOW) == expected


def unit(start: float, key: bytes, incident: int | None = None) -> Unit:
    return Unit(at(start), key, incident)


def test_partition_is_greedy_by_start_and_key() -> None:
    units = [unit(11, b"d"), unit(0, b"b"), unit(0, b"a"), unit(10, b"c"), unit(30, b"e")]
    assert [[u.key for u in group] for group in partition(units, WINDOW)] == [[b"a", b"b", b"c"], [b"d"], [b"e"]]


def test_assign_gives_every_group_one_incident_at_most() -> None:
    groups = [[unit(0, b"a", 4), unit(1, b"b", 1)], [unit(20, b"c", 1)], [unit(40, b"d", 2)], [unit(60, b"e")]]
    assert assign(groups) == [1, None, 2, None]  # the oldest keeps its number


def test_seats_of_several_at_once() -> None:
    units = [unit(31, b"e"), unit(25, b"d"), unit(2, b"c"), unit(-1, b"b"), unit(-3, b"a")]
    seating = seat(units, [candidate(7, 0), candidate(8, 60)], WINDOW)
    assert {u.key: n for u, n in seating.seats.items()} == {b"a": 7, b"b": 7, b"c": 7, b"d": -1, b"e": -1}
    assert seating.shifted == Shift(at(-3), at(0))
    assert seat([unit(0, b"a"), unit(20, b"b")], [], WINDOW).seats == {unit(0, b"a"): -1, unit(20, b"b"): -2}


def test_chain_ends_at_a_wide_gap_and_passes_over_what_people_work_on() -> None:
    candidates = [
        candidate(1, -30),
        candidate(2, 5),
        candidate(3, 20),
        candidate(4, 22, settled=True),
        candidate(5, 40.1),
    ]
    assert [c.incident_id for c in chain(Shift(at(0), at(3)), candidates, WINDOW)] == [2, 3]

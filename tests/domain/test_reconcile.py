"""What follows from what a source's own programs say."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.domain.matchers import parse_matchers
from servicedesk.domain.reconcile import Answers, Known, Listed, Lived, Plan, Rules, Silenced, Spell, plan, spells

pytestmark = pytest.mark.feature("I10")

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEY = b"k" * 32
LABELS = {"alertname": "Roof", "severity": "critical"}
HOUR = timedelta(hours=1)
RULES = Rules("desk", parse_matchers('severity="critical"'), timedelta(minutes=6), timedelta(minutes=15))


def listed(suppressed: bool = False, receivers: tuple[str, ...] = ("desk",), since: timedelta = HOUR) -> Listed:
    return Listed(KEY, LABELS, NOW - since, suppressed, receivers)


def lived(start: timedelta, end: timedelta | None, exact: bool = True, labels: dict[str, str] = LABELS) -> Lived:
    return Lived(KEY if exact else b"x" * 32, labels, NOW - start, None if end is None else NOW - end, exact)


def known(status: str, gone: timedelta | None = None, seen: timedelta = HOUR, **rest: object) -> Known:
    since = None if gone is None else NOW - gone
    told: dict[str, object] = {"clears": True} | rest
    return Known(7, LABELS, status, NOW - 2 * HOUR, None, NOW - seen, gone_since=since, **told)  # type: ignore[arg-type]


def answer(*one: Listed | None, lived: tuple[Lived, ...] = (), silences: tuple[Silenced, ...] = ()) -> Answers:
    return Answers(tuple({} if a is None else {a.key: a} for a in one), lived, silences)


@pytest.mark.parametrize(
    ("told", "recorded", "opens"),
    [
        ([listed()], None, True),
        ([listed(suppressed=True)], None, False),
        ([listed(), listed(suppressed=True)], None, False),
        ([listed(suppressed=True), listed()], None, False),
        ([listed(receivers=("other",))], None, False),
        ([listed(since=timedelta(minutes=1))], None, False),
        ([listed()], known("firing"), False),
        ([listed()], known("unconfirmed", seen=timedelta(0)), True),
        ([listed()], known("recovered"), True),
        ([listed()], known("recovered", seen=timedelta(minutes=1)), False),
    ],
)
def test_what_fires_there_and_not_here(told: list[Listed], recorded: Known | None, opens: bool) -> None:
    made = plan(RULES, answer(*told), {KEY: recorded} if recorded else {}, NOW)
    assert [one.key for one in made.current] == [KEY] * opens


def test_without_a_receiver_nothing_current_opens() -> None:
    rules = Rules("", RULES.matchers, RULES.patience, RULES.gone_after)
    assert plan(rules, answer(listed(receivers=("", "desk"))), {}, NOW) == Plan()


@pytest.mark.parametrize(
    ("recorded", "answers", "expected"),
    [
        (known("firing"), answer(None), Plan(gone=[7])),
        (known("firing", gone=timedelta(minutes=14)), answer(None), Plan()),
        (known("firing", gone=timedelta(minutes=15)), answer(None), Plan(unconfirmed=[7])),
        (known("firing", gone=timedelta(minutes=15), seen=timedelta(0)), answer(None), Plan(gone=[7])),
        (known("firing", gone=timedelta(minutes=15)), answer(None, listed()), Plan(back=[7])),
        (known("firing", gone=timedelta(minutes=15)), answer(None, lived=(lived(HOUR, None),)), Plan(back=[7])),
        (known("firing", gone=HOUR), answer(None, lived=(lived(HOUR, None, exact=False),)), Plan(back=[7])),
        (known("firing", gone=HOUR), answer(), Plan(back=[7])),
        (known("firing", gone=HOUR, clears=False), answer(None), Plan()),
        (known("suspect"), answer(listed()), Plan(confirmed=[7])),
        (known("suspect"), answer(listed(), None), Plan()),
        (known("suspect"), answer(), Plan()),
        (known("suspect", gone=HOUR), answer(None), Plan(back=[7])),
    ],
)
def test_what_fires_here(recorded: Known, answers: Answers, expected: Plan) -> None:
    assert plan(RULES, answers, {KEY: recorded}, NOW) == expected


MINUTE = timedelta(minutes=1)
SILENCE = Silenced(NOW - 40 * MINUTE, NOW - 30 * MINUTE, parse_matchers('alertname=~"R.*"'))


@pytest.mark.parametrize(
    ("past", "recorded", "silences", "missed"),
    [
        (lived(HOUR, 20 * MINUTE), None, (), True),
        (lived(HOUR, None), None, (), False),
        (lived(HOUR, 20 * MINUTE, exact=False), None, (), False),
        (lived(HOUR, 20 * MINUTE, labels={"alertname": "Roof", "severity": "info"}), None, (), False),
        (lived(HOUR, 20 * MINUTE), None, (SILENCE,), False),
        (lived(HOUR, 50 * MINUTE), None, (SILENCE,), True),
        (lived(20 * MINUTE, 10 * MINUTE), None, (SILENCE,), True),
        (lived(HOUR, MINUTE), known("recovered", episodes=((NOW - 2 * HOUR, NOW - 90 * MINUTE),)), (), True),
        (lived(HOUR, MINUTE), known("recovered", episodes=((NOW - 2 * HOUR, NOW - 50 * MINUTE),)), (), False),
        (lived(HOUR, MINUTE), known("firing", episodes=((NOW - 2 * HOUR, None),), clears=False), (), False),
    ],
)
def test_what_fired_while_nobody_listened(
    past: Lived, recorded: Known | None, silences: tuple[Silenced, ...], missed: bool
) -> None:
    made = plan(RULES, answer(lived=(past,), silences=silences), {KEY: recorded} if recorded else {}, NOW)
    assert made.missed == [past] * missed


def test_without_matchers_nothing_of_the_past_opens() -> None:
    rules = Rules("desk", (), RULES.patience, RULES.gone_after)
    assert plan(rules, answer(lived=(lived(HOUR, MINUTE),)), {}, NOW) == Plan()


@pytest.mark.parametrize(
    ("points", "firing", "expected"),
    [
        ([], False, []),
        ([10], False, [Spell(10, 20)]),
        ([10], True, [Spell(10, None)]),
        ([30, 10, 20], False, [Spell(10, 40)]),
        ([10, 30], False, [Spell(10, 40)]),
        ([10, 20, 60, 70], True, [Spell(10, 30), Spell(60, None)]),
    ],
)
def test_firings_from_evaluations(points: list[float], firing: bool, expected: list[Spell]) -> None:
    assert spells(points, 10, firing) == expected


@given(st.lists(st.integers(0, 500), unique=True), st.booleans(), st.randoms())
def test_firings_hold_every_evaluation_once_in_any_order(points: list[float], firing: bool, random: object) -> None:
    found = spells(points, 10, firing)
    shuffled = list(points)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert spells(shuffled, 10, firing) == found
    assert all(a.end is not None and a.end < b.start for a, b in pairwise(found))
    for at in points:
        assert sum(s.start <= at and (s.end is None or at < s.end) for s in found) == 1

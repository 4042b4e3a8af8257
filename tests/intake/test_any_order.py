"""Stored deliveries, applied in any order and any number of times: the same alerts, episodes and membership.

One desk serves all examples: each example is a source of its own, so that nothing joins across examples.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.services import deliveries
from servicedesk.services.shared import slices
from tests.intake import seen, wire
from tests.support.clock import START, Clock

LEAD = Actor(None, "lea", frozenset({"lead"}))
_sources = count(1)

# (which alert, start, end or None), in minutes; three alerts of one rule, so that they are siblings
said = st.tuples(st.sampled_from("abc"), st.integers(0, 30), st.one_of(st.none(), st.integers(0, 40)))
bodies = st.lists(st.lists(said, min_size=1, max_size=3), min_size=1, max_size=8)
many = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

Said = tuple[str, int, int | None]


def entry(what: Said) -> dict[str, object]:
    name, start, over = what
    minutes = timedelta(minutes=1)
    return wire.alert(START + start * minutes, None if over is None else START + over * minutes, instance=name)


def store(desk: Desk, told: Sequence[Sequence[Said]]) -> tuple[str, list[int]]:
    """Store the bodies in this order under a new source; answers it and the deliveries."""
    source = f"s{next(_sources)}"
    return source, [wire.send(desk, wire.body(*map(entry, body)), source) for body in told]


def apply_each(desk: Desk, ids: Sequence[int], budget: int = 500) -> None:
    for delivery in ids:
        while slices.step(desk, budget, only=delivery):
            pass


@pytest.mark.feature("I5", "I9")
@many
@given(bodies, st.randoms(use_true_random=False), st.integers(1, 3))
def test_any_order_any_number_of_times(
    desk: Desk, clock: Clock, told: list[list[Said]], random: Random, budget: int
) -> None:
    source, ids = store(desk, told)
    apply_each(desk, ids)
    expected = seen.picture(desk, source)

    other, ids = store(desk, told)
    random.shuffle(ids)
    apply_each(desk, ids, budget)  # in slices of another size, too
    assert seen.picture(desk, other) == expected

    for delivery in ids:  # again, and again
        deliveries.replay(desk, LEAD, delivery)
    assert seen.picture(desk, other) == expected


@pytest.mark.feature("I9")
@many
@given(bodies, st.randoms(use_true_random=False))
def test_any_order_of_arrival_without_stale_firings(desk: Desk, told: list[list[Said]], random: Random) -> None:
    """Property of arrival: what no end covers may come whenever, an end comes after all that it covers."""
    events = sorted({what for body in told for what in body}, key=str)
    ends = [e for e in events if e[2] is not None]
    covered = [f for f in events if f[2] is None and any(e[0] == f[0] and (e[2] or 0) >= f[1] for e in ends)]
    free = [f for f in events if f[2] is None and f not in covered]
    pictures = []
    for _ in range(2):
        random.shuffle(covered)
        random.shuffle(ends)
        arrival = covered + ends
        for firing in free:
            arrival.insert(random.randint(0, len(arrival)), firing)
        source, ids = store(desk, [[what] for what in arrival])
        apply_each(desk, ids)
        pictures.append(seen.picture(desk, source))
    for part in ("alerts", "episodes", "tickets", "carried"):
        assert pictures[0][part] == pictures[1][part]


@pytest.mark.feature("I9")
@pytest.mark.parametrize(
    ("letters", "status"),
    [("F", "firing"), ("FR", "recovered"), ("FRF", "suspect"), ("FRFR", "recovered"), ("FFR", "recovered")],
)
def test_the_last_word_counts(desk: Desk, letters: str, status: str) -> None:
    source, ids = store(desk, [[("a", 0, None if letter == "F" else 5)] for letter in letters])
    apply_each(desk, ids)
    assert seen.only_alert(desk, source).status == status
    assert len(seen.episodes(desk, source)) == 1


@pytest.mark.feature("I6")
@many
@given(
    st.lists(
        st.dictionaries(st.text(min_size=1, max_size=4), st.text(max_size=4), min_size=1, max_size=4),
        min_size=2,
        max_size=6,
        unique_by=lambda labels: tuple(sorted(labels.items())),
    )
)
def test_two_label_sets_never_share_an_alert(desk: Desk, label_sets: list[dict[str, str]]) -> None:
    """Even under one forged fingerprint, and with NUL and lone surrogates in them."""
    source = f"s{next(_sources)}"
    told = [wire.alert(START) | {"labels": labels, "fingerprint": "00000000deadbeef"} for labels in label_sets]
    delivery = wire.send(desk, wire.body(*told), source)
    apply_each(desk, [delivery])
    assert seen.letters(desk, delivery) == {}
    assert len(seen.alerts(desk, source)) == len(label_sets)
    assert all(row.count == 1 for row in seen.alerts(desk, source))

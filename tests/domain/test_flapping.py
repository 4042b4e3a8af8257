"""When an alert flaps: enough changes within the window, until it is calm; whatever the order of its episodes."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.domain.flapping import Flap, flap, possible
from servicedesk.domain.policy import Duration, Flapping

pytestmark = pytest.mark.feature("I12")
ZERO = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
LIMITS = Flapping(changes=4, window=Duration(minutes=20), calm=Duration(minutes=30))


@dataclass(frozen=True)
class Span:
    starts_at: datetime
    ends_at: datetime | None
    fired: bool = True


def at(minute: float) -> datetime:
    return ZERO + timedelta(minutes=minute)


def spans(*minutes: float) -> list[Span]:
    """Changes by turns: it fires, it is over."""
    ends = [*minutes[1::2], None]
    return [Span(at(start), None if end is None else at(end)) for start, end in zip(minutes[::2], ends, strict=False)]


def ends(now: float, *minutes: float) -> float | None:
    """In which minute the flapping is over as it looks in minute `now`."""
    found = flap(spans(*minutes), LIMITS, at(now))
    return None if found is None else (found.ends_at - ZERO) / timedelta(minutes=1)


def test_it_takes_so_many_changes_within_the_window() -> None:
    assert ends(20, 0, 5, 10) is None
    assert ends(20, 0, 5, 10, 20) == 50
    assert ends(21, 0, 5, 10, 21) is None
    assert flap(spans(0, 21, 25, 30, 35), LIMITS, at(36)) == Flap(at(21), at(65))


def test_once_it_flaps_fewer_changes_keep_it_so_until_it_is_calm() -> None:
    assert ends(30, 0, 1, 2, 3, 30) == 60
    assert ends(58, 0, 1, 2, 3, 30, 58) == 88
    assert ends(59, 0, 1, 2, 3, 30) == 60
    assert ends(60, 0, 1, 2, 3, 30) is None


def test_after_the_calm_the_count_begins_anew() -> None:
    assert ends(34, 0, 1, 2, 3, 33) is None
    assert ends(36, 0, 1, 2, 3, 33, 34, 35, 36) == 66


def test_only_what_was_seen_firing_counts_and_no_clock_that_is_ahead() -> None:
    unseen = [Span(at(n), at(n + 1), fired=False) for n in range(0, 10, 2)]
    assert flap(unseen, LIMITS, at(10)) is None
    assert ends(0, 600, 601, 602, 603) is None
    assert flap([], LIMITS, ZERO) is None


changes = st.lists(st.integers(0, 200), min_size=1, max_size=14, unique=True).map(sorted)


@given(changes, st.integers(0, 240), st.randoms(use_true_random=False))
def test_no_order_matters_and_a_short_cut_never_hides_it(minutes: list[int], now: int, random: object) -> None:
    found = spans(*minutes)
    expected = flap(found, LIMITS, at(now))
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert flap(shuffled, LIMITS, at(now)) == expected
    if expected is not None:
        assert possible(found[-1], LIMITS, at(now))
        assert at(now) < expected.ends_at

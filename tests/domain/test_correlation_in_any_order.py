"""Untouched incidents hold the same alerts in whatever order these arrive."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.domain.correlation import Candidate, Shift, Unit, assign, chain, partition, seat

ZERO = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
WINDOW = timedelta(minutes=10)


class Tickets:
    """Incidents of one correlation digest in memory, as services keep them: attach, open, or partition anew."""

    def __init__(self) -> None:
        self.incidents: dict[int, set[tuple[datetime, bytes]]] = {}
        self.numbers = count(1)
        self.shifts = 0

    def arrive(self, units: list[tuple[datetime, bytes]]) -> None:
        candidates = [Candidate(n, min(m)[0], settled=False) for n, m in self.incidents.items()]
        seating = seat([Unit(s, k) for s, k in units], candidates, WINDOW)
        new: dict[int, int] = {}
        for unit, where in seating.seats.items():
            number = where if where > 0 else new.setdefault(where, next(self.numbers) if where not in new else 0)
            self.incidents.setdefault(number, set()).add((unit.start, unit.key))
        if seating.shifted is not None:
            self.shifts += 1
            self.partition(seating.shifted)

    def partition(self, shift: Shift) -> None:
        heads = [Candidate(n, min(m)[0], settled=False) for n, m in self.incidents.items()]
        affected = [c.incident_id for c in chain(shift, heads, WINDOW)]
        groups = partition([Unit(s, k, n) for n in affected for s, k in self.incidents[n]], WINDOW)
        for number in affected:
            del self.incidents[number]
        for number, group in zip(assign(groups), groups, strict=True):
            self.incidents[number or next(self.numbers)] = {(u.start, u.key) for u in group}


@pytest.mark.feature("I7")
@given(st.lists(st.integers(0, 80), max_size=25), st.integers(1, 4), st.randoms())
def test_membership_does_not_depend_on_arrival(starts: list[int], together: int, random: object) -> None:
    units = [(ZERO + timedelta(minutes=m), bytes([i])) for i, m in enumerate(starts)]
    canonical = {frozenset((u.start, u.key) for u in g) for g in partition([Unit(s, k) for s, k in units], WINDOW)}
    random.shuffle(units)  # type: ignore[attr-defined]
    tickets = Tickets()
    for i in range(0, len(units), together):
        tickets.arrive(units[i : i + together])
    assert {frozenset(members) for members in tickets.incidents.values()} == canonical


def test_alerts_in_order_never_shift_anything() -> None:
    tickets = Tickets()
    for minute in (0, 3, 10, 11, 12, 40):
        tickets.arrive([(ZERO + timedelta(minutes=minute), bytes([minute]))])
    assert (tickets.shifts, [len(m) for m in tickets.incidents.values()]) == (0, [3, 2, 1])

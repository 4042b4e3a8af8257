"""The same events give the same episodes, whatever the order, the repetition and the short cut taken."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.domain.alert_state import (
    RECOVERED,
    SUSPECT,
    AlertState,
    Episode,
    Known,
    News,
    Observed,
    Stored,
    advance,
    derive,
    rewrite,
    scope,
)

ZERO = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
Said = tuple[int, int | None]  # start and end in minutes


def at(minute: int) -> datetime:
    return ZERO + timedelta(minutes=minute)


moment = st.integers(0, 12)
said = st.one_of(st.tuples(moment, st.none()), st.tuples(moment, moment))


class Desk:
    """What the store does with one alert, in memory: it takes every short cut that `scope` allows."""

    def __init__(self) -> None:
        self.events: dict[Said, Observed] = {}
        self.rows: list[Stored] = []
        self.state = derive([])
        self.last_seq = 0
        self.ids = count(1)
        self.short = 0

    def receive(self, seq: int, what: Said) -> None:
        start, over = what
        old = self.events.get(what)
        new = Observed(
            "firing" if over is None else "resolved", at(start), None if over is None else at(over), seq, seq, at(seq)
        )
        if old is not None:
            new = replace(new, first_seq=min(seq, old.first_seq), last_seq=max(seq, old.last_seq))
        self.events[what] = new
        news = News(over is None, at(start if over is None else over), seq, old is not None)
        wanted = "everything" if not self.rows else scope(self.known(), [news])
        if wanted == "newest":
            self.short += 1
            newest = self.newest()
            told = [new] if newest.ends_at else [*self.of_open(newest), *([] if over is None else [new])]
            kept, state = advance(Episode(newest.starts_at, newest.ends_at, newest.fired), told)
            self.write([newest], [*([kept] if kept else []), *state.episodes])
            self.state = state
        elif wanted == "everything":
            self.state = derive(self.events.values())
            self.write(self.rows, self.state.episodes)
        self.last_seq = max(self.last_seq, seq)

    def known(self) -> Known:
        newest = self.newest()
        return Known(self.state.status, newest.starts_at, newest.ends_at, self.last_seq, False, True)

    def newest(self) -> Stored:
        return max(self.rows, key=lambda r: r.starts_at)

    def of_open(self, newest: Stored) -> list[Observed]:
        return [e for e in self.events.values() if e.ends_at is None and e.starts_at >= newest.starts_at]

    def write(self, rows: list[Stored], episodes: list[Episode] | tuple[Episode, ...]) -> None:
        change = rewrite(rows, episodes)
        for old, e in change.updated:
            self.rows[self.rows.index(old)] = replace(
                old, starts_at=e.starts_at, ends_at=e.ends_at, fired=e.fired, suspect=e.suspect
            )
        for gone in change.deleted:
            self.rows.remove(gone)
        for e, incident in change.inserted:
            self.rows.append(Stored(next(self.ids), e.starts_at, e.ends_at, e.fired, e.suspect, incident))

    def episodes(self) -> list[Episode]:
        rows = sorted(self.rows, key=lambda r: r.starts_at)
        return [Episode(r.starts_at, r.ends_at, r.fired, r.suspect) for r in rows]


@pytest.mark.feature("I9")
@given(st.lists(said, max_size=12), st.randoms())
def test_short_cuts_and_order_of_application_change_nothing(told: list[Said], random: object) -> None:
    deliveries = list(enumerate(told, 1))
    in_order, shuffled = Desk(), Desk()
    for seq, what in deliveries:
        in_order.receive(seq, what)
        assert in_order.state.status == derive(in_order.events.values()).status
    random.shuffle(deliveries)  # type: ignore[attr-defined]
    for seq, what in deliveries:
        shuffled.receive(seq, what)
    whole: AlertState = derive(in_order.events.values())
    for desk in (in_order, shuffled):
        assert sorted(whole.episodes, key=lambda e: e.starts_at) == desk.episodes()
        assert desk.state.status == whole.status


@given(st.lists(said, max_size=10))
def test_repeats_of_everything_change_no_episode(told: list[Said]) -> None:
    once, twice = Desk(), Desk()
    for seq, what in enumerate(told, 1):
        once.receive(seq, what)
        twice.receive(seq, what)
    for seq, what in enumerate(told, 1):  # the same deliveries replayed: their sequences are old
        twice.receive(seq, what)
    assert twice.episodes() == once.episodes()


@pytest.mark.feature("I9")
@given(st.lists(said, min_size=1, max_size=10, unique=True), st.randoms())
def test_any_order_of_arrival_without_a_stale_firing_gives_the_same_episodes(told: list[Said], random: object) -> None:
    """Arrival shuffled, but every firing before every end that covers it."""
    firings = [w for w in told if w[1] is None]
    ends = [w for w in told if w[1] is not None]
    random.shuffle(firings)  # type: ignore[attr-defined]
    random.shuffle(ends)  # type: ignore[attr-defined]
    late = [f for f in firings if not any(e[1] is not None and e[1] >= f[0] for e in ends)]
    early = [f for f in firings if f not in late]
    mixed = early + ends + late
    a, b = Desk(), Desk()
    for seq, what in enumerate(mixed, 1):
        a.receive(seq, what)
    for seq, what in enumerate(sorted(firings) + sorted(ends, key=str), 1):
        b.receive(seq, what)
    assert a.episodes() == b.episodes()
    assert a.state.status == b.state.status != SUSPECT


@pytest.mark.feature("I9")
@given(st.lists(st.sampled_from("FR"), min_size=1, max_size=8))
def test_one_firing_and_its_end_told_again_and_again(word: list[str]) -> None:
    """F R F suspect; F R F R and F F R recovered: the last word counts, once an end is known."""
    desk = Desk()
    for seq, letter in enumerate(word, 1):
        desk.receive(seq, (0, None) if letter == "F" else (0, 5))
    ended = "R" in word
    expected = ("firing" if not ended else SUSPECT) if word[-1] == "F" else RECOVERED
    assert desk.state.status == expected
    assert len(desk.rows) == 1


def test_the_short_cut_is_taken() -> None:
    desk = Desk()
    for seq, what in enumerate([(0, None), (0, 3), (5, None), (5, 7), (5, 8)], 1):
        desk.receive(seq, what)
    assert desk.short == 4

"""Episodes as a function of the events: the cases of the design, one by one."""

from datetime import UTC, datetime, timedelta

import pytest

from servicedesk.domain.alert_state import (
    FIRING,
    RECOVERED,
    SUSPECT,
    UNCONFIRMED,
    Episode,
    Known,
    News,
    Observed,
    Stored,
    advance,
    derive,
    derive_unclearing,
    rewrite,
    scope,
)

ZERO = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def at(minute: float) -> datetime:
    return ZERO + timedelta(minutes=minute)


def firing(start: float, seq: int, last: int | None = None) -> Observed:
    return Observed("firing", at(start), None, seq, last or seq, at(seq))


def end(start: float, over: float, seq: int, last: int | None = None) -> Observed:
    return Observed("resolved", at(start), at(over), seq, last or seq, at(seq))


def spans(*events: Observed, confirmed: int | None = None) -> list[tuple[float, float | None, bool]]:
    minutes = timedelta(minutes=1)
    return [
        ((e.starts_at - ZERO) / minutes, None if e.ends_at is None else (e.ends_at - ZERO) / minutes, e.fired)
        for e in derive(events, confirmed).episodes
    ]


@pytest.mark.feature("I9")
@pytest.mark.parametrize(
    ("events", "expected", "status"),
    [
        ([firing(0, 1)], [(0, None, True)], FIRING),
        ([firing(0, 1), end(0, 5, 2)], [(0, 5, True)], RECOVERED),
        ([end(0, 5, 1)], [(0, 5, False)], RECOVERED),
        # resolved with a later start than its firing (a flap inside group_interval), and with an earlier one
        ([firing(0, 1), end(3, 5, 2)], [(0, 5, True)], RECOVERED),
        ([firing(3, 1), end(0, 5, 2)], [(3, 5, True)], RECOVERED),
        # a firing exactly at the end belongs to that interval; one after it is a new episode
        ([firing(5, 1), end(0, 5, 2)], [(5, 5, True)], RECOVERED),
        ([firing(0, 1), end(0, 5, 2), firing(6, 3)], [(0, 5, True), (6, None, True)], FIRING),
        # startsAt jumps while it fires: one episode, from the earliest
        ([firing(3, 1), firing(0, 2)], [(0, None, True)], FIRING),
        # a later end of the same firing, and an end of one that was never seen firing
        ([firing(0, 1), end(0, 5, 2), end(0, 9, 3)], [(0, 9, True)], RECOVERED),
        ([firing(0, 1), end(0, 5, 2), end(7, 9, 3)], [(0, 5, True), (7, 9, False)], RECOVERED),
        ([end(0, 5, 1), end(3, 8, 2), end(8, 9, 3)], [(0, 9, False)], RECOVERED),
        # the same end told with two starts: the earliest counts
        ([firing(0, 1), end(0, 5, 2), end(7, 9, 3), end(1, 9, 4)], [(0, 9, True)], RECOVERED),
        # an end that arrives late splits what looked like one firing
        ([firing(0, 1), firing(20, 2), end(0, 10, 3)], [(0, 10, True), (20, None, True)], FIRING),
        # a sender whose clock runs back: never an episode that ends before it starts
        ([end(9, 5, 1)], [(5, 5, False)], RECOVERED),
    ],
)
def test_episodes(events: list[Observed], expected: list[tuple[float, float | None, bool]], status: str) -> None:
    assert spans(*events) == expected
    assert derive(events).status == status
    assert derive(reversed(events)) == derive(events)


@pytest.mark.feature("I9")
def test_a_firing_after_the_end_that_covers_it_is_suspect_until_a_newer_end() -> None:
    f_r_f = [firing(0, 1, last=3), end(0, 5, 2)]
    state = derive(f_r_f)
    assert (state.status, state.suspect_seq) == (SUSPECT, 3)
    assert state.episodes == (Episode(at(0), at(5), fired=True, suspect=True),)
    assert derive([firing(0, 1, last=3), end(0, 5, 2, last=4)]).status == RECOVERED  # F R F R
    assert derive([firing(0, 1, last=2), end(0, 5, 3)]).status == RECOVERED  # F F R
    assert derive([firing(0, 1, last=3), end(0, 5, 2), end(0, 9, 4)]).status == RECOVERED  # another, newer end
    assert derive([firing(0, 1, last=2), end(0, 5, 2)]).status == RECOVERED  # told in one delivery


@pytest.mark.feature("I9")
def test_a_confirmed_suspect_fires_again_until_a_newer_end() -> None:
    state = derive([firing(0, 1, last=3), end(0, 5, 2)], confirmed_seq=3)
    assert (state.status, state.confirmed) == (FIRING, True)
    assert state.episodes == (Episode(at(0), None, fired=True),)
    assert derive([firing(0, 1, last=7), end(0, 5, 2)], confirmed_seq=3).confirmed  # copies change nothing
    over = derive([firing(0, 1, last=3), end(0, 5, 2), end(0, 9, 4)], confirmed_seq=3)
    assert (over.status, over.confirmed, over.episodes) == (RECOVERED, False, (Episode(at(0), at(9), fired=True),))
    again = derive([firing(0, 1, last=5), end(0, 5, 2, last=4)], confirmed_seq=3)
    assert (again.status, again.confirmed) == (SUSPECT, False)
    moved_on = derive([firing(0, 1, last=4), end(0, 5, 2), end(0, 9, 3)], confirmed_seq=4)
    assert moved_on.episodes == (Episode(at(0), None, fired=True),)


def test_an_old_suspect_does_not_matter_while_it_fires_anyway() -> None:
    state = derive([firing(0, 1, last=9), end(0, 5, 2), firing(7, 3)])
    assert (state.status, state.suspect_seq) == (FIRING, None)
    assert not any(e.suspect for e in state.episodes)


def test_only_the_newest_doubt_is_shown() -> None:
    state = derive([firing(0, 1, last=9), end(0, 5, 2), firing(7, 3, last=8), end(7, 9, 4)])
    assert [e.suspect for e in state.episodes] == [False, True]


def test_an_alert_that_cannot_clear_ends_when_people_say_so() -> None:
    events = [firing(0, 1), firing(1, 2), firing(2, 5)]
    assert derive_unclearing(events).episodes == (Episode(at(0), None, fired=True),)
    state = derive_unclearing(events[:2], [at(3)])
    assert (state.status, state.episodes) == (RECOVERED, (Episode(at(0), at(3), fired=True),))
    again = derive_unclearing(events, [at(3)])
    assert (again.status, again.episodes[1]) == (FIRING, Episode(at(2), None, fired=True))
    assert derive_unclearing([firing(9, 1)], [at(3)]).episodes == (Episode(at(9), at(9), fired=True),)
    assert derive_unclearing([firing(0, 1)], [at(3), at(4)]).episodes == (Episode(at(0), at(3), fired=True),)


@pytest.mark.parametrize(
    ("status", "ends", "news", "expected"),
    [
        (FIRING, None, [News(True, at(10), 9, True)], "nothing"),
        (FIRING, None, [News(True, at(12), 9, False)], "nothing"),  # startsAt moved: the same firing
        (FIRING, None, [News(False, at(5), 9, True)], "nothing"),  # an old end again
        (FIRING, None, [News(False, at(15), 9, False)], "newest"),
        (FIRING, None, [News(False, at(15), 7, False)], "everything"),  # applied out of order
        (FIRING, None, [News(True, at(9), 9, False)], "everything"),
        (RECOVERED, 12, [News(False, at(12), 9, True)], "nothing"),
        (RECOVERED, 12, [News(True, at(13), 7, False)], "newest"),
        (RECOVERED, 12, [News(True, at(10), 9, True)], "everything"),  # suspect
        (SUSPECT, 12, [News(False, at(12), 9, True)], "everything"),
        (UNCONFIRMED, None, [News(True, at(10), 9, True)], "everything"),
    ],
)
def test_scope(status: str, ends: int | None, news: list[News], expected: str) -> None:
    alert = Known(status, at(10), None if ends is None else at(ends), 8, confirmed=False, clears=True)
    assert scope(alert, news) == expected


def test_scope_looks_at_everything_when_there_is_more_to_know() -> None:
    repeat = [News(True, at(10), 9, True)]
    assert scope(Known(FIRING, at(10), None, 8, confirmed=True, clears=True), repeat) == "everything"
    open_one = Known(FIRING, at(10), None, 8, confirmed=False, clears=False)
    assert scope(open_one, [News(True, at(12), 9, False)]) == "nothing"
    assert scope(open_one, [News(True, at(9), 9, False)]) == "everything"
    over = Known(RECOVERED, at(10), at(11), 8, confirmed=False, clears=False)
    assert scope(over, [News(True, at(12), 9, False)]) == "everything"


def test_advance_moves_an_ended_episode_on() -> None:
    newest = Episode(at(0), at(5), fired=True)
    assert advance(newest, [end(0, 9, 3)]) == (Episode(at(0), at(9), fired=True), derive([]))
    kept, state = advance(newest, [end(7, 9, 3)])
    assert (kept, state.episodes) == (newest, (Episode(at(7), at(9), fired=False),))
    assert advance(newest, [])[0] == newest
    kept, state = advance(newest, [firing(6, 3)])
    assert (kept, state.episodes) == (newest, (Episode(at(6), None, fired=True),))
    assert advance(Episode(at(0), None, fired=True), [firing(0, 1), end(0, 5, 2)])[0] is None


def row(number: int, start: float, over: float | None, incident: int | None = 7, fired: bool = True) -> Stored:
    return Stored(number, at(start), None if over is None else at(over), fired, False, incident)


def test_rewrite_keeps_rows_and_their_incidents() -> None:
    open_row = row(1, 0, None)
    split = rewrite([open_row], [Episode(at(0), at(10), True), Episode(at(20), None, True)])
    assert split.updated == ((open_row, Episode(at(0), at(10), True)),)
    assert split.inserted == ((Episode(at(20), None, True), 7),)
    earlier = rewrite([open_row], [Episode(at(-3), None, True)])
    assert earlier.updated == ((open_row, Episode(at(-3), None, True)),)
    fresh = rewrite([row(1, 0, 5)], [Episode(at(0), at(5), True), Episode(at(9), None, True)])
    assert (fresh.updated, fresh.inserted, fresh.deleted) == ((), ((Episode(at(9), None, True), None),), ())
    never = row(2, 7, 9, None, fired=False)
    joined = rewrite([row(1, 0, 5), never], [Episode(at(0), at(9), True)])
    assert joined.deleted == (never,)

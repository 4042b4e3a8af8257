"""Exactly one primary at each instant, no gap, hand-over on the wall: over time zones and changes of the clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servicedesk.domain import oncall
from servicedesk.domain.oncall import Absence, Layer, Mark, Override, Schedule, Window, instant
from servicedesk.domain.rota import LayerForm, inside, read_layer, read_layers, read_windows
from servicedesk.errors import BadInput

ZONES = (
    "UTC", "Europe/Paris", "Europe/London", "America/New_York", "America/St_Johns", "America/Sao_Paulo", "Asia/Kolkata",
    "Asia/Tehran", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham", "Africa/Casablanca", "Africa/Cairo",
    "Antarctica/Troll", "America/Santiago", "Asia/Gaza",
)  # fmt: skip
HOUR = timedelta(hours=1)


@cache
def changes(name: str) -> tuple[datetime, ...]:
    """Every instant from 2020 to 2037 at which this zone changes its offset, to the minute."""
    zone, found, at = ZoneInfo(name), [], datetime(2020, 1, 1, tzinfo=UTC)
    while at.year < 2038:
        later = at + timedelta(days=2)
        if at.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
            low, high = at, later
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) / 2
                same = middle.astimezone(zone).utcoffset() == at.astimezone(zone).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            found.append(high.replace(second=0, microsecond=0))
        at = later
    return tuple(found)


def rotation(kind: str, zone: str, at: time, people: tuple[int, ...] = (1, 2, 3), every: int = 1) -> Layer:
    weekday = {"daily": None, "weekly": 0, "custom": 0}[kind]
    marks = [Mark(weekday, at)] + ([Mark(4, at), Mark(6, at)] if kind == "custom" else [])
    return Layer("first", people, kind, tuple(marks), zone, 1 if kind == "custom" else every, date(2020, 1, 1))


def check(schedule: Schedule, start: datetime, end: datetime) -> tuple[oncall.Shift, ...]:
    """The shifts of a period tile it, and `who` says the same at both ends of each."""
    found = oncall.shifts(schedule, start, end)
    assert found[0].starts_at == start
    assert found[-1].ends_at == end
    assert all(a.ends_at == b.starts_at for a, b in pairwise(found))
    for s in found:
        assert s.starts_at < s.ends_at
        assert (
            oncall.who(schedule, s.starts_at) == s.duty == oncall.who(schedule, s.ends_at - timedelta(microseconds=1))
        )
        assert s.duty.user_id is not None
    return found


@pytest.mark.feature("N3")
@pytest.mark.parametrize("zone", ZONES)
def test_at_every_change_of_the_clocks_one_person_is_on_call_and_hands_over_on_the_wall(zone: str) -> None:
    wall = ZoneInfo(zone)
    for number, change in enumerate(changes(zone) or (datetime(2026, 3, 29, 1, tzinfo=UTC),)):
        local = change.astimezone(wall)
        at = (time(9), time(2, 30), time(0), local.time())[number % 4]
        kind = ("daily", "weekly", "custom")[number % 3]
        layer = rotation(kind, zone, at)
        found = check(Schedule((layer,)), change - timedelta(days=8), change + timedelta(days=8))
        for s in found[1:]:
            shown = s.starts_at.astimezone(wall)
            if (shown.hour, shown.minute) != (at.hour, at.minute):  # only a time that the wall never showed that day
                skipped = datetime.combine(shown.date(), at, wall)
                assert skipped.astimezone(UTC).astimezone(wall).time() != at
            assert kind == "daily" or shown.weekday() in {m.weekday for m in layer.marks} or at.hour > 22
        turns = [s.duty.user_id for s in found]
        assert all(b == a % 3 + 1 for a, b in pairwise(turns)), "the next of the rotation takes over, nobody is skipped"


instants = st.integers(0, 18 * 365 * 1440).map(lambda minute: datetime(2020, 1, 1, tzinfo=UTC) + minute * HOUR / 60)
hours = st.times().map(lambda t: t.replace(microsecond=0, second=0))


@st.composite
def layers(draw: st.DrawFn, number: int = 0) -> Layer:
    kind = draw(st.sampled_from(oncall.ROTATIONS))
    zone = draw(st.sampled_from(ZONES))
    people = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4, unique=True)))
    layer = rotation(kind, zone, draw(hours), people, draw(st.integers(1, 3)))
    windows = tuple(
        Window(tuple(sorted(draw(st.sets(st.integers(0, 6), min_size=1)))), draw(hours), draw(hours))
        for _ in range(draw(st.integers(0, 2)) if number else 0)
    )
    return oncall.replace(
        layer, name=f"layer {number}", windows=windows, start=draw(st.dates(date(2019, 1, 1), date(2038, 1, 1)))
    )


@st.composite
def schedules(draw: st.DrawFn, around: datetime) -> Schedule:
    """Several layers of which the first has no restriction; overrides and absences; person 7 is always there."""

    def span() -> tuple[datetime, datetime]:
        starts = around + timedelta(minutes=draw(st.integers(-9000, 9000)))
        return starts, starts + timedelta(minutes=draw(st.integers(1, 9000)))

    base = draw(layers())
    base = oncall.replace(base, people=(*base.people, 7))
    more = [draw(layers(n)) for n in range(1, draw(st.integers(1, 3)))]
    overrides = tuple(Override(draw(st.integers(1, 7)), *span(), id=n) for n in range(draw(st.integers(0, 3))))
    away = st.tuples(st.integers(1, 6), st.one_of(st.none(), st.integers(1, 7)))
    absences = tuple(Absence(who, *span(), deputy_id=deputy) for who, deputy in draw(st.lists(away, max_size=3)))
    return Schedule((base, *more), overrides, absences, draw(st.frozensets(st.integers(1, 6), max_size=2)))


@pytest.mark.feature("N3")
@settings(max_examples=150)
@given(data=st.data(), zone=st.sampled_from(ZONES), number=st.integers(0, 60))
def test_shifts_tile_any_period_of_any_schedule_and_agree_with_who(data: st.DataObject, zone: str, number: int) -> None:
    known = changes(zone) or (datetime(2026, 3, 29, 1, tzinfo=UTC),)
    around = known[number % len(known)]
    schedule = data.draw(schedules(around))
    start, end = around - timedelta(days=4), around + timedelta(days=4)
    found = oncall.shifts(schedule, start, end)
    assert (found[0].starts_at, found[-1].ends_at) == (start, end)
    assert all(a.ends_at == b.starts_at for a, b in pairwise(found))
    for minutes in data.draw(st.lists(st.integers(0, 8 * 1440 - 1), min_size=3, max_size=10)):
        at = start + timedelta(minutes=minutes, seconds=17)
        held = [s for s in found if s.starts_at <= at < s.ends_at]
        assert len(held) == 1
        duty = oncall.who(schedule, at)
        assert (held[0].duty.user_id, held[0].duty.why) == (duty.user_id, duty.why)
        if not any(o.starts_at <= at < o.ends_at for o in schedule.overrides):
            assert duty.user_id is not None, "without an override somebody of the unrestricted layer is there"
        if duty.user_id is not None:
            assert duty.user_id not in schedule.gone
            assert oncall.absence_at(schedule.absences, duty.user_id, at) is None


@given(
    at=instants,
    zone=st.sampled_from(ZONES),
    mark=hours,
    kind=st.sampled_from(oncall.ROTATIONS),
    every=st.integers(1, 9),
)
def test_an_instant_lies_in_the_turn_that_is_found_for_it(
    at: datetime, zone: str, mark: time, kind: str, every: int
) -> None:
    layer = rotation(kind, zone, mark, every=every)
    turn = oncall.turn_at(layer, at)
    assert oncall._turn_start(layer, turn) <= at < oncall._turn_start(layer, turn + 1)


def weekly(people: tuple[int, ...] = (1, 2), zone: str = "Europe/Paris") -> Layer:
    return Layer("first", people, "weekly", (Mark(0, time(9)),), zone, 1, date(2026, 11, 2))


MONDAY = datetime(2026, 11, 2, 8, tzinfo=UTC)  # 09:00 in Paris


def test_turns_begin_with_the_first_person_at_the_first_hand_over_on_or_after_the_start() -> None:
    schedule = Schedule((weekly(),))
    assert oncall.who(schedule, MONDAY).user_id == 1
    assert oncall.who(schedule, MONDAY - HOUR).user_id == 2
    assert oncall.who(schedule, MONDAY + timedelta(days=7)).user_id == 2


def test_follow_the_sun_hands_over_between_zones_and_shows_where_nobody_is() -> None:
    def day(name: str, person: int, zone: str, ends: int = 17) -> Layer:
        windows = (Window(tuple(range(7)), time(9), time(ends)),)
        return Layer(name, (person,), "daily", (Mark(None, time(9)),), zone, windows=windows)

    layers = (day("Asia", 1, "Asia/Singapore"), day("Europe", 2, "Europe/Paris"), day("America", 3, "America/New_York"))
    at = datetime(2026, 11, 3, tzinfo=UTC)
    hours = {h: oncall.who(Schedule(layers), at + h * HOUR).user_id for h in (2, 8, 12, 14, 20, 23)}
    assert hours == {2: 1, 8: 2, 12: 2, 14: 3, 20: 3, 23: None}
    holes = oncall.gaps(Schedule(layers), at, at + timedelta(days=1))
    assert [(s.starts_at.hour, s.ends_at.hour) for s in holes] == [(0, 1), (22, 0)]


def test_an_override_wins_and_of_two_the_one_made_last() -> None:
    overrides = (Override(5, MONDAY, MONDAY + 4 * HOUR, 1), Override(6, MONDAY + HOUR, MONDAY + 2 * HOUR, 2))
    found = oncall.shifts(Schedule((weekly(),), overrides), MONDAY, MONDAY + 6 * HOUR)
    assert [(s.duty.user_id, s.duty.why) for s in found] == [
        (5, "override"), (6, "override"), (5, "override"), (1, "rotation"),
    ]  # fmt: skip


def test_the_deputy_stands_in_else_the_next_of_the_rotation() -> None:
    away = Absence(1, MONDAY, MONDAY + 4 * HOUR, deputy_id=9)
    assert oncall.who(Schedule((weekly(),), (), (away,)), MONDAY) == oncall.Duty(9, "deputy", "first", 1)
    alone = Absence(1, MONDAY, MONDAY + 4 * HOUR)
    assert oncall.who(Schedule((weekly(),), (), (alone,)), MONDAY) == oncall.Duty(2, "next", "first", 1)
    ring = (Absence(1, MONDAY, MONDAY + HOUR, 2), Absence(2, MONDAY, MONDAY + HOUR, 1))
    assert oncall.who(Schedule((weekly(),), (), ring), MONDAY).user_id is None
    gone = Schedule((weekly(),), gone=frozenset({1}))
    assert oncall.who(gone, MONDAY).user_id == 2


def test_now_and_next_ends_when_somebody_else_takes_over() -> None:
    found = oncall.now_and_next(Schedule((weekly(),)), MONDAY + HOUR)
    assert (found.now.duty.user_id, found.now.ends_at) == (1, MONDAY + timedelta(days=7))
    assert found.next is not None
    assert (found.next.duty.user_id, found.next.ends_at) == (2, MONDAY + timedelta(days=14))
    assert oncall.now_and_next(Schedule((weekly((1,)),)), MONDAY).next is None
    assert oncall.now_and_next(Schedule(()), MONDAY).now.duty.user_id is None


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York"])
def test_a_month_is_six_whole_weeks_of_days_each_covered(zone: str) -> None:
    days = oncall.month(Schedule((weekly(),)), date(2026, 3, 1), ZoneInfo(zone))
    assert (len(days), days[0][0]) == (42, date(2026, 2, 23))
    for day, found in days:
        assert found[0].starts_at == instant(day, time(0), ZoneInfo(zone))
        assert found[-1].ends_at == instant(day + timedelta(days=1), time(0), ZoneInfo(zone))
        assert all(a.ends_at == b.starts_at for a, b in pairwise(found))


def test_a_swap_is_two_overrides() -> None:
    schedule = Schedule((weekly(),))
    first, second = oncall.shifts(schedule, MONDAY, MONDAY + timedelta(days=14))
    changed = oncall.replace(schedule, overrides=oncall.swap(schedule, first, second))
    assert [s.duty.user_id for s in oncall.shifts(changed, MONDAY, MONDAY + timedelta(days=14))] == [2, 1]
    with pytest.raises(ValueError, match="two people"):
        oncall.swap(schedule, first, first)


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"rotation": "hourly"}, "rotation"),
        ({"hand_over": "09:00"}, "hand_over"),
        ({"hand_over": "mon 25:00"}, "hand_over"),
        ({"hand_over": "mon 09:00, tue 09:00"}, "hand_over"),
        ({"rotation": "custom", "hand_over": "mon 09:00, mon 11:00"}, "hand_over"),
        ({"rotation": "custom", "hand_over": "mon 09:00"}, "hand_over"),
        ({"rotation": "custom", "hand_over": "mon 09:00, fri 09:00", "every": 2}, "every"),
        ({"rotation": "daily", "hand_over": "mon 09:00"}, "hand_over"),
        ({"every": 0}, "every"),
        ({"people": ()}, "people"),
        ({"name": " "}, "name"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"start": "tomorrow"}, "start"),
        ({"start": "0001-01-01"}, "start"),
        ({"restrict": "mon-fri"}, "restrict"),
        ({"restrict": "moonday 09:00-10:00"}, "restrict"),
    ],
)
def test_what_cannot_be_read_is_refused_by_field(form: dict[str, object], field: str) -> None:
    given_form = LayerForm(**{"name": "first", "people": (1,)} | form)  # type: ignore[arg-type]
    with pytest.raises(BadInput) as refused:
        read_layer(given_form, "UTC")
    assert set(refused.value.fields) == {field}


def test_layers_need_names_of_their_own() -> None:
    with pytest.raises(BadInput):
        read_layers([LayerForm("a", (1,)), LayerForm("A", (2,))], "UTC")
    with pytest.raises(BadInput):
        read_layers([], "UTC")


def test_windows_are_read_as_people_write_them() -> None:
    office = read_windows("mon-fri 08:00-18:00; sat,sun 10:00-24:00")
    assert [w.weekdays for w in office] == [(0, 1, 2, 3, 4), (5, 6)]
    assert inside(office, 4, time(17, 59))
    assert not inside(office, 4, time(18))
    assert inside(office, 6, time(23, 59))
    night = read_windows("fri-mon 22:00-06:00")
    assert inside(night, 1, time(5)), "the night that began on Monday"
    assert not inside(night, 4, time(5)), "no night begins on Thursday"
    assert inside((), 0, time(0))

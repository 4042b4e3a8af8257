"""Business days by the calendar: weekends, holidays, changes of the clocks."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from servicedesk.domain.business_time import add_days, business_hours, is_business_day
from servicedesk.domain.policy import Calendar, Days

PARIS = Calendar(
    timezone="Europe/Paris",
    workdays=("mon", "tue", "wed", "thu", "fri"),
    opens="09:00",
    closes="17:00",
    holidays=("2026-12-25", "2027-01-01"),
)
ZONES = ("UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu")

moments = st.datetimes(datetime(2020, 1, 1), datetime(2037, 12, 1), timezones=st.just(UTC))  # noqa: DTZ001
workdays = st.sets(st.sampled_from(("mon", "tue", "wed", "thu", "fri", "sat", "sun")), min_size=1)


def paris(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Paris")).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "days", "expected"),
    [
        ("2026-11-02T09:30", Days(5, business=True), "2026-11-09T09:30"),  # Monday to Monday
        ("2026-11-06T17:00", Days(1, business=True), "2026-11-09T17:00"),  # Friday
        ("2026-11-07T03:00", Days(1, business=True), "2026-11-09T03:00"),  # Saturday
        ("2026-11-08T03:00", Days(1, business=True), "2026-11-09T03:00"),  # Sunday
        ("2026-11-06T17:00", Days(3, business=False), "2026-11-09T17:00"),  # calendar days, through the weekend
        ("2026-12-24T12:00", Days(1, business=True), "2026-12-28T12:00"),  # Christmas is a Friday
        ("2026-12-24T12:00", Days(5, business=True), "2027-01-04T12:00"),  # and New Year's Day too
        ("2026-10-23T12:00", Days(1, business=True), "2026-10-26T12:00"),  # clocks go back on the 25th
        ("2027-03-26T12:00", Days(1, business=True), "2027-03-29T12:00"),  # and forward on the 28th
        ("2027-03-27T02:30", Days(1, business=False), "2027-03-28T03:30"),  # a time that the clocks skip
        ("2026-11-02T09:30", Days(0, business=True), "2026-11-02T09:30"),
        ("2026-11-07T09:30", Days(0, business=True), "2026-11-07T09:30"),  # 0 days: now, even on a Saturday
    ],
)
def test_counts_days_on_the_wall_of_the_calendar(start: str, days: Days, expected: str) -> None:
    assert add_days(PARIS, paris(start), days) == paris(expected)


def test_of_a_time_that_comes_twice_the_first_is_meant() -> None:
    due = add_days(PARIS, paris("2026-10-24T02:30"), Days(1, business=False))
    assert due == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 summer time, not the winter 02:30 at 01:30 UTC


def test_the_calendar_decides_which_day_it_is() -> None:
    late_friday_in_utc = datetime(2026, 11, 6, 23, 30, tzinfo=UTC)  # Saturday 00:30 in Paris
    assert add_days(PARIS, late_friday_in_utc, Days(1, business=True)) == paris("2026-11-09T00:30")


@given(moments, st.sampled_from(ZONES), workdays, st.integers(1, 60))
def test_a_due_time_is_a_business_day_at_the_same_wall_time_with_that_many_between(
    start: datetime, zone: str, days: set[str], count: int
) -> None:
    calendar = Calendar(timezone=zone, workdays=tuple(days), opens="09:00", closes="17:00", holidays=())  # type: ignore[arg-type]
    due = add_days(calendar, start, Days(count, business=True))
    there, here = due.astimezone(ZoneInfo(zone)), start.astimezone(ZoneInfo(zone))
    between = [here.date() + timedelta(days=n) for n in range(1, (there.date() - here.date()).days + 1)]
    assert is_business_day(calendar, there.date())
    assert sum(is_business_day(calendar, day) for day in between) == count
    skipped = here.time() != there.time()
    assert (
        not skipped
        or due.astimezone(ZoneInfo(zone)).utcoffset()
        != (due - timedelta(hours=2)).astimezone(ZoneInfo(zone)).utcoffset()
    )


@given(moments, moments, st.sampled_from(ZONES), st.integers(0, 30), st.booleans())
def test_an_earlier_start_is_never_due_later(a: datetime, b: datetime, zone: str, count: int, business: bool) -> None:
    calendar = Calendar(timezone=zone, workdays=PARIS.workdays, opens="09:00", closes="17:00", holidays=())
    assume(a.astimezone(ZoneInfo(zone)).replace(tzinfo=None) <= b.astimezone(ZoneInfo(zone)).replace(tzinfo=None))
    days = Days(count, business)
    late_a, late_b = (add_days(calendar, m, days).astimezone(ZoneInfo(zone)).date() for m in (a, b))
    assert late_a <= late_b


def test_business_hours_follow_the_clocks() -> None:
    assert business_hours(PARIS, date(2026, 10, 23)) == (paris("2026-10-23T09:00"), paris("2026-10-23T17:00"))
    assert business_hours(PARIS, date(2026, 10, 26)) == (paris("2026-10-26T09:00"), paris("2026-10-26T17:00"))
    assert business_hours(PARIS, date(2026, 10, 24)) is None  # Saturday
    assert business_hours(PARIS, date(2026, 12, 25)) is None  # holiday


def test_a_calendar_may_be_open_until_midnight() -> None:
    calendar = Calendar(timezone="UTC", workdays=("sun",), opens="00:00", closes="24:00", holidays=())
    day = datetime(2026, 11, 8, tzinfo=UTC)
    assert business_hours(calendar, day.date()) == (day, day + timedelta(days=1))

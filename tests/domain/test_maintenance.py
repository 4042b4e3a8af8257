"""When windows hold, across changes of the clocks, and until when they hold an alert back."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.domain.maintenance import Window, hold, last_end, rule_problem
from servicedesk.domain.matchers import parse_matchers

START = datetime(2026, 3, 22, 1, 0, tzinfo=UTC)  # a Sunday; Europe's clocks go forward a week later


def window(start: datetime = START, minutes: int = 60, rule: str = "", zone: str = "UTC", **more: Any) -> Window:
    given: dict[str, Any] = {
        "id": 1,
        "title": "Patches",
        "service": "",
        "matchers": (),
        "source": "",
    } | more
    return Window(kind="maintenance", starts_at=start, minutes=minutes, recurrence=rule, timezone=zone, **given)


def at(**parts: float) -> datetime:
    return START + timedelta(**parts)


def test_one_window_holds_from_its_start_until_before_its_end() -> None:
    one = window()
    assert [one.end_at(t) for t in (at(seconds=-1), START, at(minutes=59), at(minutes=60))] == [
        None,
        at(minutes=60),
        at(minutes=60),
        None,
    ]
    assert list(one.times(at(days=-1), at(days=1))) == [(START, at(minutes=60))]
    assert list(one.times(at(hours=1), at(days=1))) == []


def test_every_week_at_the_same_time_of_the_clock() -> None:
    """02:00 in Paris is 01:00 UTC before the clocks change, and 00:00 UTC afterwards."""
    weekly = window(rule="FREQ=WEEKLY;BYDAY=SU", zone="Europe/Paris")
    found = [start for start, _ in weekly.times(START, at(days=15))]
    assert found == [START, datetime(2026, 3, 29, 1, 0, tzinfo=UTC), datetime(2026, 4, 5, 0, 0, tzinfo=UTC)]
    assert weekly.end_at(datetime(2026, 4, 5, 0, 30, tzinfo=UTC)) == datetime(2026, 4, 5, 1, 0, tzinfo=UTC)
    assert weekly.end_at(datetime(2026, 4, 5, 1, 30, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("rule", "over"),
    [
        ("", at(minutes=60)),
        ("FREQ=DAILY", None),
        ("FREQ=DAILY;COUNT=3", at(days=2, minutes=60)),
        ("FREQ=DAILY;UNTIL=20260324T010000Z", at(days=2, minutes=60)),
        ("FREQ=DAILY;UNTIL=20260324", at(days=2, minutes=60)),
    ],
)
def test_the_end_of_the_last_time(rule: str, over: datetime | None) -> None:
    assert last_end(rule, START, 60, "UTC") == over


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("FREQ=WEEKLY;BYDAY=SU", ""),
        ("FREQ=SECONDLY", "FREQ must be"),
        ("", "not known|FREQ must be"),
        ("FREQ=DAILY;BYEASTER=1", "BYEASTER"),
        ("FREQ=DAILY\nRRULE:FREQ=SECONDLY", "FREQ must be|not known|cannot be read"),
        ("FREQ=WEEKLY;BYDAY=XX", "cannot be read"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "never happens"),
        ("FREQ=DAILY;COUNT=99999", "more than 10,000"),
        ("FREQ=DAILY;BYHOUR=1;BYMINUTE=0,30", "before the next"),
        ("FREQ=DAILY;UNTIL=20269999", "cannot be read"),
    ],
)
def test_rules_that_make_no_sense_are_refused_with_a_sentence(rule: str, said: str) -> None:
    found = rule_problem(rule, START, 60, "UTC")
    assert re.search(said, found) if said else found == ""


def test_windows_that_follow_on_each_other_add_up() -> None:
    first, second = window(), window(at(minutes=60), 30, id=2, title="Reboot")
    found = hold([first, second], at(minutes=10))
    assert found is not None
    assert (found.until, found.window.id) == (at(minutes=90), 2)
    assert "Reboot" in found.reason
    assert hold([first, second], at(minutes=90)) is None


def test_what_is_ended_early_holds_until_then() -> None:
    ended = window(cancelled_at=at(minutes=20))
    found = hold([ended], at(minutes=10))
    assert found is not None
    assert found.until == at(minutes=20)
    assert hold([ended], at(minutes=20)) is None
    assert list(ended.times(START, at(days=1))) == [(START, at(minutes=20))]


@pytest.mark.parametrize(
    ("more", "fits"),
    [
        ({}, True),
        ({"service": "shop"}, True),
        ({"service": "mail"}, False),
        ({"source": "am"}, True),
        ({"source": "other"}, False),
        ({"matchers": tuple(parse_matchers('alertname=~"Disk.*"'))}, True),
        ({"service": "shop", "matchers": tuple(parse_matchers('alertname="X"'))}, False),
    ],
)
def test_whom_it_is_for(more: dict[str, Any], fits: bool) -> None:
    assert window(**more).fits("am", {"alertname": "DiskFull", "job": "shop"}) is fits


@given(st.integers(0, 60 * 24 * 40), st.integers(1, 60 * 23))
def test_a_time_holds_exactly_while_it_lasts(minute: int, length: int) -> None:
    daily = window(minutes=length, rule="FREQ=DAILY")
    end = daily.end_at(at(minutes=minute))
    inside = minute % 1440 < length
    assert (end is not None) == inside
    if end is not None:
        assert end == at(minutes=minute - minute % 1440 + length)

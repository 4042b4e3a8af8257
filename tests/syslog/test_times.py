"""When a message was sent, from stamps without year or zone and clocks that are wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_receivers.syslog.times import sent_at, told_at

PARIS = ZoneInfo("Europe/Paris")
NEW_YEAR = datetime(2026, 1, 1, 0, 0, 5, 123456, tzinfo=UTC)


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.feature("I2")
@pytest.mark.parametrize(
    ("stamp", "zone", "local", "expected"),
    [
        ("2025-12-31T23:59:59.25Z", "", UTC, at(2025, 12, 31, 23, 59, 59, 250000)),
        ("2026-01-01T01:00:03.5+01:00", "", UTC, at(2026, 1, 1, 0, 0, 3, 500000)),
        ("2026-01-01T01:00:03.5+0100", "", UTC, at(2026, 1, 1, 0, 0, 3, 500000)),
        ("Dec 31 23:59:59", "", UTC, at(2025, 12, 31, 23, 59, 59, 999999)),  # last year, and within its second
        ("Jan  1 00:00:05", "", UTC, NEW_YEAR),  # the same second: as it arrived
        ("Jan  1 01:00:04", "", PARIS, at(2026, 1, 1, 0, 0, 4, 999999)),
        ("Dec 31 2025 23:59:59.123", "UTC", UTC, at(2025, 12, 31, 23, 59, 59, 123000)),
        ("2025 Dec 31 23:59:59.5", "CET", UTC, at(2025, 12, 31, 22, 59, 59, 500000)),
        ("Aug 24 05:34:00 1987", "CST", UTC, NEW_YEAR),  # a clock that is years off
        ("Jan  1 00:00:09", "", UTC, NEW_YEAR),  # ahead of us
        ("Mar  1 00:00:00.003", "", UTC, NEW_YEAR),
        ("Dec 31 19:00:04", "", UTC, NEW_YEAR),  # exactly five hours: an unknown zone
        ("Dec 31 23:17:05.5", "", UTC, at(2025, 12, 31, 23, 17, 5, 500000)),  # a queue
        ("Feb 30 00:00:00", "", UTC, NEW_YEAR),
        ("Jan  1 25:00:00", "", UTC, NEW_YEAR),
        ("Foo  1 00:00:00", "", UTC, NEW_YEAR),
        ("0001 Jan  1 00:00:00", "", ZoneInfo("Asia/Tokyo"), NEW_YEAR),
        ("9999-12-31T23:59:59-12:00", "", UTC, NEW_YEAR),
        ("rubbish", "", UTC, NEW_YEAR),
        ("", "", UTC, NEW_YEAR),
    ],
)
def test_the_time_to_go_by(stamp: str, zone: str, local: ZoneInfo, expected: datetime) -> None:
    assert sent_at(stamp, zone, False, NEW_YEAR, local) == expected


def test_a_clock_that_is_not_set_is_not_believed() -> None:
    assert sent_at("Jan  1 00:00:01.000", "", True, NEW_YEAR, UTC) == NEW_YEAR


def test_both_times_are_kept() -> None:
    assert told_at("Mar  1 00:00:00.003", "", NEW_YEAR, UTC) == at(2026, 3, 1, 0, 0, 0, 3000)
    assert told_at("rubbish", "", NEW_YEAR, UTC) is None


@given(st.integers(0, 17 * 365 * 86_400), st.lists(st.integers(0, 3_000_000), min_size=2))
def test_lines_of_whole_seconds_keep_their_order(second: int, delays: list[int]) -> None:
    """Whatever second a relay writes, what arrived later is not earlier."""
    sent = at(2020, 1, 1) + timedelta(seconds=second)
    stamp = f"{sent:%b} {sent.day:2d} {sent:%H:%M:%S}"
    arrivals = sorted(sent + timedelta(microseconds=delay) for delay in delays)
    found = [sent_at(stamp, "", False, arrival, UTC) for arrival in arrivals]
    assert found == sorted(found)
    assert all(time <= arrival for time, arrival in zip(found, arrivals, strict=True))


@given(st.text(max_size=40), st.text(max_size=5))
def test_any_stamp_is_read_or_left(stamp: str, zone: str) -> None:
    assert sent_at(stamp, zone, False, NEW_YEAR, PARIS) <= NEW_YEAR

"""Durations and days as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.domain.policy import Days, Duration, decode, parse_days, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("10m", 600), ("1h30m", 5400), ("7d", 604800), ("2w", 1209600), ("1w1d1h1m1s", 694861), ("0m", 0)],
)
def test_durations(text: str, seconds: int) -> None:
    found = parse_duration(text)
    assert isinstance(found, timedelta)
    assert found.total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "10", "10 m", "m", "1m1h", "-1m", "1.5h", "10min", 10, None, "99999999s", ["1m"]])
def test_no_durations(text: object) -> None:
    with pytest.raises(ValueError, match="write one like 10m"):
        parse_duration(text)


@given(st.integers(0, 10**6))
def test_a_duration_is_written_as_it_is_read(seconds: int) -> None:
    assert parse_duration(str(Duration(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("3 days", Days(3, False)),
        ("1 day", Days(1, False)),
        ("5 business days", Days(5, True)),
        ("0 days", Days(0, False)),
    ],
)
def test_days(text: str, days: Days) -> None:
    assert parse_days(text) == days
    assert str(parse_days(text)) == text
    assert len({parse_days(text), days}) == 1


def test_days_of_different_kinds_differ() -> None:
    assert Days(5, True) != Days(5, False)
    assert Days(5, True) != "5 business days"
    assert repr(Days(5, True)) == "Days(5, business=True)"


@pytest.mark.parametrize("text", ["", "3", "3d", "three days", "3 business", "-1 days", 3, None])
def test_no_days(text: object) -> None:
    with pytest.raises(ValueError, match="write one like 3 days"):
        parse_days(text)


def test_other_types_are_not_ours() -> None:
    with pytest.raises(NotImplementedError):
        decode(int, "1")

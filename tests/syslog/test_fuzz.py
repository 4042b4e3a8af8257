"""Any bytes through the whole way of a line. A million of them: `python -m tests.support.syslog_fuzz`."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import syslog_fuzz


@pytest.mark.feature("I2")
def test_thousands_of_damaged_lines_raise_nothing() -> None:
    for raw in itertools.islice(syslog_fuzz.inputs(20261122), 5_000):
        syslog_fuzz.check(raw)


@given(st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(syslog_fuzz.PIECES), max_size=12).map(b"".join)))
def test_any_bytes_raise_nothing(raw: bytes) -> None:
    syslog_fuzz.check(raw)


@pytest.mark.feature("I18")
def test_no_repetition_takes_more_than_linear_time() -> None:
    short, long = (min(syslog_fuzz.slowest(length, 1) for _ in range(2)) for length in (8_192, 65_536))
    assert long < 64 * max(short, 0.001), "eight times as long may take eight times as long, not sixty-four"

"""Frames out of streams: however a stream is cut into pieces, its frames are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_receivers.syslog.framing import Frame, Framer

LINE = st.binary(min_size=1, max_size=60).filter(lambda b: b"\n" not in b and b.strip(b" \r\n\0") == b)
PRI = st.builds(lambda n, rest: b"<%d>" % n + rest, st.integers(0, 191), LINE)


def frames(stream: bytes, cuts: list[int], limit: int = 65_536) -> list[Frame]:
    framer, at, found = Framer(limit), 0, []
    for cut in sorted({min(c, len(stream)) for c in cuts} | {len(stream)}):
        found += framer.feed(stream[at:cut])
        at = cut
    return found + framer.end()


def counted(message: bytes) -> bytes:
    return b"%d %b" % (len(message), message)


def lined(message: bytes) -> bytes:
    return message + b"\n"


@pytest.mark.feature("I2")
@given(
    st.lists(st.tuples(PRI, st.sampled_from([counted, lined, lambda m: counted(m) + b"\n"]))),
    st.lists(st.integers(0, 900)),
)
def test_both_framings_mixed_in_one_stream_and_cut_anywhere(messages, cuts) -> None:
    stream = b"".join(frame(message) for message, frame in messages)
    assert [f.data for f in frames(stream, cuts)] == [message for message, _ in messages]


@given(st.binary(max_size=400), st.lists(st.integers(0, 400)))
def test_any_bytes_give_the_same_frames_however_they_are_cut(stream: bytes, cuts: list[int]) -> None:
    assert frames(stream, cuts, limit=50) == frames(stream, [], limit=50)


@pytest.mark.feature("I2")
@pytest.mark.parametrize("frame", [counted, lined])
@given(size=st.integers(51, 300), cuts=st.lists(st.integers(0, 400)))
def test_a_frame_over_the_limit_is_cut_and_the_next_one_is_whole(frame, size: int, cuts: list[int]) -> None:
    big = b"<13>" + b"x" * (size - 4)
    found = frames(frame(big) + frame(b"<13>next"), cuts, limit=50)
    assert [(f.data, f.cut) for f in found] == [(big[:50], True), (b"<13>next", False)]


def test_a_count_is_decided_frame_by_frame() -> None:
    assert frames(b"<13>a\n5 <34>b<13>c\n", []) == [
        Frame(b"<13>a"),
        Frame(b"<34>b", counted=True),
        Frame(b"<13>c"),
    ]
    # no priority: by RFC 6587 a digit begins a count; a sender that has used line feeds means a year
    assert [f.data for f in frames(b"5 hello11 hello world", [])] == [b"hello", b"hello world"]
    assert [f.data for f in frames(b"<13>a\n2026 Nov 21 x\n", [])] == [b"<13>a", b"2026 Nov 21 x"]


def test_what_is_no_count_is_a_line() -> None:
    for line in (b"12345678901 x", b"12:30 up", b"0 x", b"1", b"99"):
        assert [f.data for f in frames(line + b"\n<13>y\n", [])] == [line, b"<13>y"]


def test_the_end_of_a_stream_within_a_frame() -> None:
    assert frames(b"<13>no line feed", []) == [Frame(b"<13>no line feed")]
    assert frames(b"90 <13>too short", []) == [Frame(b"<13>too short", cut=True, counted=True)]
    assert frames(b"90 ", []) == [Frame(b"90 ")]


def test_a_huge_count_holds_no_memory() -> None:
    framer = Framer(limit=1_000)
    assert framer.feed(b"999999999 <13>" + b"x" * 5_000)[0].cut
    for _ in range(100):
        assert framer.feed(b"y" * 100_000) == []
        assert framer.held == 0


def test_what_is_held_is_bounded() -> None:
    framer = Framer(limit=1_000)
    for _ in range(50):
        framer.feed(b"z" * 700)
        assert framer.held <= 1_000

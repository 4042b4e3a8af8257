"""RELP: the answers are due when the messages are safe, in their order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_receivers.syslog.relp import OFFER, ProtocolError, Session, frame

OPEN = frame(1, b"relp_version=0\nrelp_software=test\ncommands=syslog", b"open")


def opened(limit: int = 65_536) -> Session:
    session = Session(limit)
    assert session.feed(OPEN) == []
    assert session.outgoing == frame(1, OFFER)
    session.outgoing.clear()
    return session


@pytest.mark.feature("I2", "I4")
def test_a_message_is_answered_when_it_is_safe() -> None:
    session = opened()
    ((data, token),) = session.feed(frame(2, b"<13>hello\nworld", b"syslog"))
    assert data.data == b"<13>hello\nworld"
    assert not session.outgoing
    session.done(token)
    assert session.outgoing == b"2 rsp 6 200 OK\n"


def test_answers_go_out_in_the_order_of_the_messages() -> None:
    session = opened()
    found = session.feed(frame(2, b"a", b"syslog") + frame(3, b"b", b"syslog") + frame(4, b"c", b"syslog"))
    session.done(found[2][1])
    session.done(found[1][1])
    assert not session.outgoing
    session.done(found[0][1])
    assert session.outgoing == b"2 rsp 6 200 OK\n3 rsp 6 200 OK\n4 rsp 6 200 OK\n"


def test_close_waits_for_what_is_not_safe_yet() -> None:
    session = opened()
    ((_, token),) = session.feed(frame(2, b"a", b"syslog") + b"3 close 0\n")
    assert not session.outgoing
    assert not session.over
    session.done(token)
    assert session.outgoing == b"2 rsp 6 200 OK\n3 rsp 0\n0 serverclose 0\n"
    assert session.over


def test_a_message_over_the_limit_is_cut_and_the_next_one_is_whole() -> None:
    session = opened(limit=10)
    found = session.feed(frame(2, b"x" * 40, b"syslog") + frame(3, b"y", b"syslog"))
    assert [(f.data, f.cut) for f, _ in found] == [(b"x" * 10, True), (b"y", False)]


def test_unknown_commands_are_answered() -> None:
    session = opened()
    session.feed(frame(2, b"x", b"starttls"))
    assert session.outgoing == frame(2, b"500 unknown command")


@pytest.mark.parametrize(
    "raw", [b"GET / HTTP/1.1\r\n", b"<13>hello\n", b"1 syslog x\n", b"\xff\xfe", b"1" * 20, b"2 " + b"a" * 40]
)
def test_what_is_no_relp_ends_the_session(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        opened().feed(raw)


def test_a_message_before_the_session_is_opened() -> None:
    with pytest.raises(ProtocolError):
        Session().feed(frame(2, b"x", b"syslog"))


@given(st.lists(st.binary(max_size=30), max_size=8), st.lists(st.integers(0, 400)))
def test_however_the_stream_is_cut(messages: list[bytes], cuts: list[int]) -> None:
    stream = OPEN + b"".join(frame(n, m, b"syslog") for n, m in enumerate(messages, 2))
    session, at, found = Session(), 0, []
    for cut in sorted({min(c, len(stream)) for c in cuts} | {len(stream)}):
        found += session.feed(stream[at:cut])
        at = cut
    assert [f.data for f, _ in found] == messages
    for _, token in found:
        session.done(token)
    assert session.waiting == 0
    assert session.outgoing.count(b"200 OK\n") == len(messages) + 1


@given(st.binary(max_size=200))
def test_any_bytes_are_taken_or_refused(raw: bytes) -> None:
    session = opened()
    try:
        session.feed(raw)
    except ProtocolError:
        return
    assert session.waiting <= len(raw)

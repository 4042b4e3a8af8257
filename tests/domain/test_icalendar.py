"""Calendars out and in: folding, escaping, time zones; hostile text stays text; what goes out comes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.domain import icalendar
from servicedesk.domain.icalendar import Entry, calendar, escape, fold, read, unescape
from servicedesk.errors import BadInput

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
ZONES = ("UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca")


def feed(*events: str, head: str = "") -> str:
    body = "".join(f"BEGIN:VEVENT\r\n{e}\r\nEND:VEVENT\r\n" for e in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{head}{body}END:VCALENDAR\r\n"


@given(st.text())
def test_folded_lines_are_short_and_unfold_to_what_they_were(text: str) -> None:
    line = f"SUMMARY:{escape(text)}"
    pieces = fold(line).split("\r\n")
    assert all(len(piece.encode("utf-8", "surrogatepass")) <= 75 for piece in pieces)
    assert pieces[0] + "".join(piece[1:] for piece in pieces[1:]) == line
    assert "\n" not in line


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc"))))
def test_text_comes_back_as_it_was(text: str) -> None:
    assert unescape(escape(text)) == text


instants = st.integers(0, 17 * 365 * 1440).map(lambda m: datetime(2020, 6, 1, tzinfo=UTC) + timedelta(minutes=m))


@pytest.mark.feature("N3")
@given(instants, st.integers(1, 50_000), st.sampled_from(ZONES), st.text(max_size=60))
def test_what_goes_out_comes_back(starts_at: datetime, minutes: int, zone: str, name: str) -> None:
    entry = Entry("a@desk", starts_at, starts_at + timedelta(minutes=minutes), name, name, "ann@example.org", name)
    text = calendar("Web: primary", zone, [entry], NOW)
    assert text.count("BEGIN:VEVENT") == text.count("END:VEVENT") == 1
    assert all(len(line.encode("utf-8", "surrogatepass")) <= 75 for line in text.split("\r\n"))
    (found,) = read(text, "UTC")
    assert (found.uid, found.starts_at, found.ends_at) == (entry.uid, entry.starts_at, entry.ends_at)
    assert found.who[0] == "ann@example.org"


def test_a_feed_says_its_time_zone_with_every_change_of_the_clocks() -> None:
    starts = datetime(2026, 10, 19, 7, tzinfo=UTC)
    weeks = [Entry(f"{n}", starts + timedelta(days=7 * n), starts + timedelta(days=7 * n + 7), "Ann") for n in range(2)]
    text = calendar("Web", "Europe/Paris", weeks, NOW)
    assert "DTSTART;TZID=Europe/Paris:20261019T090000" in text
    assert "BEGIN:STANDARD\r\nDTSTART:20261025T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nTZNAME:CET" in text
    assert "BEGIN:DAYLIGHT" in text, "what held at the beginning"


@pytest.mark.parametrize("zone", ZONES[1:])
def test_the_zone_s_changes_are_found_to_the_second(zone: str) -> None:
    wall = ZoneInfo(zone)
    for at in icalendar.changes(wall, datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)):
        assert at.astimezone(wall).utcoffset() != (at - timedelta(seconds=1)).astimezone(wall).utcoffset()


def test_calendars_of_others_are_read() -> None:
    text = feed(
        'UID:1\r\nDTSTART;TZID="Europe/Paris":20261102T090000\r\nDURATION:P1DT2H\r\nSUMMARY:On call: Ann',
        "UID:2\r\nDTSTART;VALUE=DATE:20261103\r\nDTEND;VALUE=DATE:20261105\r\nSUMMARY:Bob",
        "UID:3\r\nDTSTART:20261106T080000Z\r\nDTEND:20261106T100000Z\r\nSUMMARY:long name that is fol\r\n ded here\r\n"
        'ATTENDEE;CN="Lee: the lead";ROLE=X:mailto:lee@example.org\r\nSTATUS:CANCELLED\r\n'
        "BEGIN:VALARM\r\nSUMMARY:not this\r\nDURATION:PT5M\r\nEND:VALARM",
    )
    first, second, third = read(text, "America/New_York")
    assert (first.starts_at, first.ends_at - first.starts_at) == (NOW.replace(hour=8), timedelta(hours=26))
    assert "ann" in first.who
    assert (second.starts_at.hour, second.ends_at - second.starts_at) == (5, timedelta(days=2)), "by the desk's zone"
    assert third.cancelled
    assert third.who[:2] == ("lee@example.org", "lee: the lead")
    assert "long name that is folded here" in third.who


@pytest.mark.parametrize(
    "event",
    [
        "UID:1\r\nDTSTART:20261102T090000Z\r\nDTEND:20261102T100000Z\r\nRRULE:FREQ=DAILY",
        "DTSTART:20261102T090000Z\r\nDTEND:20261102T100000Z",
        "UID:1\r\nDTSTART:yesterday\r\nDTEND:20261102T100000Z",
        "UID:1\r\nDTSTART;TZID=/../../etc/passwd:20261102T090000\r\nDTEND:20261102T100000Z",
        "UID:1\r\nDTSTART;TZID=Mars/Olympus:20261102T090000\r\nDTEND:20261102T100000Z",
        "UID:1\r\nDTSTART:20261102T090000Z",
        "UID:1\r\nDTSTART:20261102T090000Z\r\nDURATION:forever",
    ],
)
def test_what_cannot_be_read_is_named(event: str) -> None:
    good = "UID:0\r\nDTSTART:20261102T090000Z\r\nDTEND:20261102T100000Z"
    with pytest.raises(BadInput, match="Entry 2"):
        read(feed(good, event), "UTC")


@given(st.text())
def test_no_text_is_taken_for_a_calendar_by_accident(text: str) -> None:
    with pytest.raises(BadInput):
        read(text.replace("BEGIN", ""), "UTC")

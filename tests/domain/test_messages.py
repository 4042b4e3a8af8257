"""The words of the notices: complete in both languages, plain substitution, nothing that steers what shows it."""

import unicodedata
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.domain.message_words import EN, FR
from servicedesk.domain.messages import MAX_SUBJECT, Message, compose, language_of, line, plain, unknown_fields
from servicedesk.domain.notification import EVENTS

PARIS = ZoneInfo("Europe/Paris")
AT = datetime(2026, 11, 2, 9, 3, tzinfo=UTC)
PAYLOAD: dict[str, Any] = {
    "event": "opened",
    "staff": True,
    "language": "en",
    "number": "INC-42",
    "title": "Checkout is down",
    "where": "checkout · eu-1",
    "since": AT,
    "priority": 1,
    "owner": "",
    "extra": {},
}


def message(**changes: Any) -> Message:
    return compose(PAYLOAD | changes, "https://desk.example.org", "/incidents/42", PARIS, id="1", at=AT)


def test_what_where_and_since_when_come_first() -> None:
    opened = message()
    assert opened.subject == "[INC-42] P1 New: Checkout is down"
    assert opened.lead == "A new ticket of priority P1 waits for somebody to take it."
    assert opened.facts == (
        ("What", "Checkout is down"),
        ("Where", "checkout · eu-1"),
        ("Since", "2026-11-02 10:03 CET"),
        ("Priority", "P1"),
        ("Owner", "nobody yet"),
        ("Number", "INC-42"),
    )
    assert (opened.link, opened.link_title) == ("https://desk.example.org/incidents/42", "Open INC-42")


def test_french_for_those_who_read_it() -> None:
    opened = message(language="fr-CA", owner="Anna")
    assert opened.subject == "[INC-42] P1 Nouveau : Checkout is down"
    assert dict(opened.facts)["Responsable"] == "Anna"
    assert opened.language == "fr"


def test_a_requester_reads_no_internals() -> None:
    received = message(event="received", staff=False)
    assert received.subject == "[INC-42] We have it: Checkout is down"
    assert [label for label, _ in received.facts] == ["What", "Since", "Number"]


def test_somebodys_words_stand_apart() -> None:
    assert message(event="closed", staff=False, extra={"text": " A cable.\n\nIt is replaced. "}).text == (
        "A cable.\n\nIt is replaced."
    )


def test_a_due_time_is_shown_on_the_wall_of_the_calendar() -> None:
    due = message(event="review_due", extra={"due": "2026-11-05T09:00:00+00:00"})
    assert due.lead == "A review of this ticket is due by 2026-11-05 10:00 CET."


def test_a_ticket_without_a_priority_says_so() -> None:
    assert message(priority=None).subject == "[INC-42] New: Checkout is down"
    assert dict(message(priority=None).facts)["Priority"] == "–"


def test_the_link_of_a_question_is_called_what_it_does() -> None:
    assert message(event="confirm", staff=False).link_title == "Solved, or not"


@pytest.mark.parametrize("texts", [EN, FR])
def test_every_event_has_words_with_known_names_only(texts: dict[str, Any]) -> None:
    assert set(texts) == set(EVENTS)
    for words in texts.values():
        for text in (words.subject, words.lead):
            assert unknown_fields(text) == ()
            assert "$" not in text


@given(st.sampled_from(sorted(EVENTS)), st.sampled_from(["en", "fr"]), st.text(), st.text())
def test_values_are_never_evaluated_and_never_steer(event: str, language: str, title: str, text: str) -> None:
    hostile = f"{title}{{number}} {{owner}} {{0}} %s\r\nBcc: x\x00\u202e"
    made = message(event=event, language=language, title=hostile, owner=hostile, extra={"text": text, "alert": hostile})
    lines = (made.subject, made.lead, *(value for _, value in made.facts))
    assert all(unicodedata.category(c) != "Cc" and c not in "\u202e\u2028\u2029" for value in lines for c in value)
    assert all(c == "\n" or c == "\t" or unicodedata.category(c) != "Cc" for c in made.text)
    assert len(made.subject) <= MAX_SUBJECT
    if len(title) < 80:
        assert "{number} {owner} {0} %s" in dict(made.facts)[made.facts[0][0]]


def test_long_text_is_cut_with_a_mark() -> None:
    assert line("x" * 500, 10) == "xxxxxxxxx…"
    assert plain("y" * 10, 10) == "y" * 10
    assert plain("a\r\nb\tc\x00d") == "a\nb\tc d"


@pytest.mark.parametrize(
    ("tag", "expected"), [("fr", "fr"), ("FR_fr", "fr"), ("en-GB", "en"), ("", "en"), ("de", "en")]
)
def test_languages(tag: str, expected: str) -> None:
    assert language_of(tag) == expected

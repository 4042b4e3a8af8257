"""Keys, digests and escapes: two different things never look the same."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_receivers.alertmanager import SAMPLE, parse
from alert_receivers.event import alert_digest, event_digest, label_key, visible

text = st.text(st.characters(), max_size=8)
labels = st.dictionaries(text, text, max_size=5)


@pytest.mark.feature("I6")
@given(labels, labels)
def test_two_label_sets_never_share_a_key(a: dict[str, str], b: dict[str, str]) -> None:
    assert (label_key(a) == label_key(b)) == (a == b)
    assert len(label_key(a)) == 32


@pytest.mark.feature("I6")
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"a": "b", "c": "d"}, {"a": "bc:d"}),
        ({"a": "1:b1:c"}, {"a": "", "b": "c"}),
        ({"ab": "c"}, {"a": "bc"}),
        ({"a": ""}, {}),
        ({"a": "\x00"}, {"a": "\\u0000"}),
        ({"a": "\ud800"}, {"a": "\\ud800"}),
        ({"é": "x"}, {"e\u0301": "x"}),
    ],
)
def test_sets_that_look_alike_keep_apart(a: dict[str, str], b: dict[str, str]) -> None:
    assert label_key(a) != label_key(b)


def test_the_key_does_not_depend_on_order_and_forgets_dropped_labels() -> None:
    a = {"alertname": "A", "replica": "1", "x": "y"}
    assert label_key(a) == label_key(dict(reversed(a.items())))
    assert label_key(a, {"replica"}) == label_key(a | {"replica": "2"}, {"replica"}) != label_key(a)


def test_the_key_is_stable_for_stored_data() -> None:
    found = label_key({"alertname": "DiskFull", "instance": "db1"})
    assert found.hex() == "10502191b0f766e700cf9edba0c1797d133100eef2f145c1f1c73aae89982766"


def test_every_part_of_an_event_is_in_its_digest() -> None:
    ((_, event),) = parse(SAMPLE).events
    later = event.starts_at + timedelta(microseconds=1)
    others = [
        replace(event, key=bytes(32)),
        replace(event, status="resolved"),
        replace(event, status="resolved", ends_at=later),
        replace(event, starts_at=later),
        replace(event, ends_at=event.starts_at),
    ]
    digests = {event_digest("am", e) for e in [event, *others]} | {event_digest("am2", event)}
    assert len(digests) == 7
    assert event_digest("am", replace(event, annotations={}, summary="other")) == event_digest("am", event)
    assert alert_digest("a", b"b" * 32) != alert_digest("ab", b"b" * 31)


@given(st.text(st.characters()))
def test_visible_text_can_be_stored_anywhere(sent: str) -> None:
    shown = visible(sent)
    assert "\x00" not in shown
    assert shown.encode("utf-8").decode("utf-8") == shown
    if "\x00" not in sent and not any(0xD800 <= ord(c) < 0xE000 for c in sent):
        assert shown == sent


def test_what_is_escaped_can_be_seen() -> None:
    assert visible("a\x00b\ud800c") == "a\\u0000b\\ud800c"
    assert visible("\u202e<script>\r\n") == "\u202e<script>\r\n"

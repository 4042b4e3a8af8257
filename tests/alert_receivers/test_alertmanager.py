"""Alertmanager's webhook: what it really sends, and every trap of its payload."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_receivers import alertmanager
from alert_receivers.alertmanager import SAMPLE, fingerprint_of, parse, parse_time
from alert_receivers.event import AlertEvent, MalformedPayload, Parsed
from alert_receivers.registry import RECEIVERS
from tests.intake import wire

ZERO = "0001-01-01T00:00:00Z"
FIRING = {
    "status": "firing",
    "labels": {"alertname": "DiskFull", "severity": "critical"},
    "annotations": {"summary": "Disk full"},
    "startsAt": "2026-11-21T21:08:38.639Z",
    "endsAt": ZERO,
    "generatorURL": "http://prometheus/graph",
    "fingerprint": "",
}


def told(*alerts: Any, **more: Any) -> Parsed:
    return parse(json.dumps({"version": "4", "alerts": alerts} | more).encode())


def only(**changes: Any) -> AlertEvent:
    parsed = told({k: v for k, v in (FIRING | changes).items() if v is not ...})
    assert parsed.errors == ()
    ((index, event),) = parsed.events
    assert index == 0
    return event


def error(**changes: Any) -> str:
    parsed = told({k: v for k, v in (FIRING | changes).items() if v is not ...})
    assert parsed.events == ()
    ((_, message),) = parsed.errors
    return message


@pytest.mark.feature("I1")
@pytest.mark.parametrize("name", wire.CAPTURES)
def test_captures_are_understood_and_their_fingerprints_are_true(name: str) -> None:
    for file in sorted((wire.SAMPLES / name).iterdir()):
        parsed = parse(file.read_bytes().split(b"\r\n\r\n", 1)[1])
        assert parsed.events
        assert (parsed.errors, parsed.mismatched, parsed.truncated) == ((), 0, 0)
        for _, event in parsed.events:
            assert fingerprint_of(dict(event.labels)) == event.fingerprint


@pytest.mark.feature("I1")
def test_the_fields_of_an_event() -> None:
    event = only()
    assert (event.name, event.status, event.severity, event.summary) == ("DiskFull", "firing", "critical", "Disk full")
    assert event.starts_at == datetime(2026, 11, 21, 21, 8, 38, 639000, tzinfo=UTC)
    assert (event.ends_at, event.clears, event.generator_url) == (None, True, "http://prometheus/graph")
    assert event.fingerprint == fingerprint_of(FIRING["labels"])  # type: ignore[arg-type]  # none was sent


@pytest.mark.feature("I1", "I9")
def test_only_the_alerts_own_status_counts() -> None:
    parsed = told(FIRING, FIRING | {"status": "resolved", "endsAt": "2026-11-21T22:00:00Z"}, status="resolved")
    assert [event.status for _, event in parsed.events] == ["firing", "resolved"]


def test_the_end_of_a_firing_alert_is_no_end() -> None:
    assert only(endsAt=ZERO).ends_at is None
    assert only(endsAt="2030-01-01T00:00:00Z").ends_at is None
    assert only(endsAt="what").ends_at is None
    assert only(endsAt=...).ends_at is None


@pytest.mark.parametrize(
    ("sent", "microsecond"),
    [
        ("2026-11-21T21:08:38Z", 0),
        ("2026-11-21T21:08:38.6Z", 600000),
        ("2026-11-21T21:08:38.639Z", 639000),
        ("2026-11-21T21:08:38.999999999Z", 999999),  # cut, not rounded into the next second
        ("2026-11-21T22:08:38.143047293+01:00", 143047),
        ("2026-11-21t21:08:38.5z", 500000),
    ],
)
def test_times_with_any_number_of_digits(sent: str, microsecond: int) -> None:
    assert parse_time(sent) == datetime(2026, 11, 21, 21, 8, 38, microsecond, tzinfo=UTC)


@pytest.mark.parametrize("sent", [ZERO, "0001-01-01T00:00:00+05:00", "0001-01-01T00:00:00.000Z"])
def test_the_zero_time_is_none(sent: str) -> None:
    assert parse_time(sent) is None


@pytest.mark.parametrize(
    "sent",
    ["", "yesterday", "2026-11-21", "20261121T210838Z", "2026-11-21T21:08:38", "2026-11-21T21:08:38.639", "1" * 5000,
     "2026-W47-6T21:08:38Z", "9999-12-31T23:59:59-12:00", "1969-12-31T23:59:59Z", "2026-11-21T25:08:38Z"],
)  # fmt: skip
def test_other_times_are_refused(sent: str) -> None:
    with pytest.raises(ValueError, match=r"time|zone|years"):
        parse_time(sent)


@pytest.mark.feature("I5")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": {}}, "no identity"),
        ({"labels": ...}, "labels"),
        ({"labels": {"a": 1}}, "str"),
        ({"labels": None}, "labels"),
        ({"status": "suppressed"}, "suppressed"),
        ({"status": ...}, "status"),
        ({"startsAt": ZERO}, "zero time"),
        ({"startsAt": "soon"}, "RFC 3339"),
        ({"startsAt": ...}, "startsAt"),
        ({"status": "resolved", "endsAt": ZERO}, "no time"),
        ({"status": "resolved", "endsAt": ...}, "no time"),
        ({"status": "resolved", "endsAt": "2026-13-01T00:00:00Z"}, "RFC 3339"),
    ],
)
def test_a_faulty_alert_says_what_is_wrong(changes: dict[str, Any], words: str) -> None:
    assert words in error(**changes)


@pytest.mark.feature("I5")
@pytest.mark.parametrize("bad", [7, None, [], "x", {}, {"labels": {"a": "b"}}, FIRING | {"labels": [1]}])
def test_a_faulty_alert_costs_no_sibling(bad: Any) -> None:
    parsed = told(FIRING, bad, FIRING | {"labels": {"alertname": "B"}})
    assert [index for index, _ in parsed.events] == [0, 2]
    assert [index for index, _ in parsed.errors] == [1]
    assert parsed.total == 3


def test_unknown_fields_and_nulls_are_no_matter() -> None:
    more = {"notification_reason": "x", "routeLabels": {"a": 1}, "externalURL": 7}
    parsed = told(FIRING | {"more": [1], "annotations": None, "generatorURL": None}, **more)
    ((_, event),) = parsed.events
    assert (event.annotations, event.generator_url, event.summary) == ({}, "", "")


@pytest.mark.parametrize(("sent", "cut"), [(3, 3), (0, 0), (-1, 0), ("3", 0), (None, 0), (2.5, 0)])
def test_truncated_alerts_are_told(sent: Any, cut: int) -> None:
    parsed = told(FIRING, truncatedAlerts=sent)
    assert (len(parsed.events), parsed.truncated) == (1, cut)


@pytest.mark.feature("I6")
def test_a_forged_fingerprint_is_counted_and_changes_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertmanager, "CHECKED", 1)
    forged = told(FIRING | {"fingerprint": "deadbeefdeadbeef"}, FIRING | {"fingerprint": "x" * 9000})
    assert forged.mismatched == 2
    assert [e.key for _, e in forged.events] == [only().key] * 2
    assert [len(e.fingerprint) for _, e in forged.events] == [16, 64]


@pytest.mark.feature("I5")
@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"nothing", b"[]", b"7", b"null", b'"x"', b'{"alerts": 7}', b'{"alerts": {}}', b'{"version": "4"}',
     b"\xff\xfe", b"\x00", b"[" * 200_000, b'{"alerts":' + b"[" * 100_000],
)  # fmt: skip
def test_other_bodies_are_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedPayload):
        parse(raw)


def test_an_empty_list_is_an_empty_delivery() -> None:
    assert told() == Parsed((), ())


def test_bytes_that_are_no_text_stay_in_their_alert() -> None:
    good, broken = json.dumps(FIRING).encode(), json.dumps(FIRING).replace("DiskFull", "Disk@@").encode()
    raw = b'\xef\xbb\xbf{"alerts": [' + good + b"," + broken.replace(b"@@", b"\xff\x01") + b"]}"
    parsed = parse(raw)
    assert [e.name for _, e in parsed.events] == ["DiskFull", "Disk\udcff\x01"]


@given(st.binary(max_size=60) | st.text().map(str.encode))
def test_whatever_comes_is_parsed_or_malformed(raw: bytes) -> None:
    with suppress(MalformedPayload):
        assert isinstance(parse(raw), Parsed)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*FIRING, "x"]), json_values), st.sampled_from([*FIRING]))
def test_any_json_in_place_of_an_alert_is_one_event_or_one_error(values: dict[str, Any], kept: str) -> None:
    parsed = told(FIRING, values, FIRING | values | {kept: FIRING[kept]}, FIRING)
    assert parsed.total == 4
    assert {0, 3} <= {index for index, _ in parsed.events}


def test_a_share_of_the_fingerprints_is_checked() -> None:
    forged = told(*[FIRING | {"labels": {"n": str(n)}, "fingerprint": "x"} for n in range(400)])
    assert 10 < forged.mismatched < 200


def test_every_receiver_understands_its_own_sample() -> None:
    for name, receiver in RECEIVERS.items():
        parsed = receiver.parse(receiver.sample)
        assert receiver.name == name
        assert receiver.title
        assert parsed.events
        assert (parsed.errors, parsed.mismatched) == ((), 0)
    assert RECEIVERS["alertmanager"].sample == SAMPLE


def test_many_alerts_keep_their_fingerprints_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of computed fingerprints is bounded and never answers for another label set."""
    monkeypatch.setattr(alertmanager, "CHECKED", 1)
    monkeypatch.setattr(alertmanager, "FINGERPRINTS_KEPT", 20)
    sets = [{"alertname": "A", "n": str(n)} for n in range(50)]
    for _ in range(2):
        parsed = told(*[FIRING | {"labels": s, "fingerprint": fingerprint_of(s)} for s in sets])
        assert parsed.mismatched == 0

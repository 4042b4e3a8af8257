"""Mappings: senders that are described, not written."""

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alert_receivers import mapped
from alert_receivers.event import UNTOLD, MalformedPayload, Parsed, label_key, timed
from alert_receivers.mapping import Mapping, parse_path, pieces, problems
from servicedesk.errors import FileError
from servicedesk.files import mappings, typed, yaml

SHIPPED = {mapping.name: mapping for mapping in map(mappings.read, mappings.find(mappings.SHIPPED))}
SMALL = """
schema: 1
name: small
title: Small
status: {text: "{state}", firing: [bad], resolved: [good]}
alert: "{what}"
labels: {copy: [labels]}
samples: [{title: one, body: '{"state": "bad", "what": "Fire"}', gives: [{status: firing}]}]
"""


def changed(**changes: str) -> str:
    """The small mapping with lines replaced or added."""
    lines = [line for line in SMALL.strip().splitlines() if line.split(":")[0] not in changes]
    return "\n".join(lines + [f"{k}: {v}" for k, v in changes.items()])


def small(**changes: str) -> Mapping:
    """Without trying its sample, which was written for the unchanged one."""
    return typed.convert(yaml.parse(changed(**changes), "small.yaml"), Mapping)


def parse(mapping: Mapping, *entries: object) -> Parsed:
    body = entries[0] if len(entries) == 1 else list(entries)
    return mapped.receiver(mapping).parse(json.dumps(body).encode())


@pytest.mark.feature("I3")
@pytest.mark.parametrize("name", ["grafana", "zabbix", "zabbix-export", "icinga", "nagios", "cloudevents", "events"])
def test_shipped_mappings_give_what_their_samples_say(name: str) -> None:
    mapping = SHIPPED[name]
    assert list(mapped.check_samples(mapping)) == []
    assert sum(len(sample.gives) for sample in mapping.samples) >= 2
    assert {g.status for s in mapping.samples for g in s.gives} == {"firing", "resolved"}


@pytest.mark.feature("I3")
@pytest.mark.parametrize("name", ["grafana", "zabbix", "zabbix-export", "icinga", "nagios", "cloudevents", "events"])
def test_what_ends_it_is_about_the_same_alert(name: str) -> None:
    """A recovery that had another key than its firing would never close anything."""
    mapping = SHIPPED[name]
    parse_one = mapped.receiver(mapping).parse
    events = [event for s in mapping.samples for _, event in parse_one(s.body.encode()).events]
    firing, over = ({e.key for e in events if e.status == status} for status in ("firing", "resolved"))
    if name == "grafana":  # its sample ends another alert than it begins
        body = mapping.samples[0].body.replace('"status": "resolved"', '"status": "firing"')
        firing = {event.key for _, event in parse_one(body.encode()).events}
    assert over <= firing


@pytest.mark.feature("I3", "I9")
@given(
    raw=st.binary()
    | st.text().map(str.encode)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["alerts", "status", "labels", "state", "data", "value", "clock", "specversion", "event_value"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode())
)
@example(raw=b"[" * 100_000)
@example(raw=b'{"status": "resolved", "name": "x", "ends_at": "9999-12-31T23:59:59-23:59"}')
@example(raw=b'{"status": "firing", "name": "x", "starts_at": 1e308}')
@example(raw=b'{"status": "firing", "name": "x", "starts_at": "' + b"9" * 400 + b'"}')
def test_no_body_does_more_than_being_malformed(raw: bytes) -> None:
    for mapping in SHIPPED.values():
        try:
            parsed = mapped.receiver(mapping).parse(raw)
        except MalformedPayload:
            continue
        indexes = [index for index, _ in (*parsed.events, *parsed.errors)]
        assert len(set(indexes)) == len(indexes)
        assert all(index < parsed.total for index in indexes)


def test_hostile_values_stay_text() -> None:
    hostile = {"{{7*7}}": "${x}", "a\x00b": "\ud800", "<script>": "{labels.alertname}"}
    (event,) = (e for _, e in parse(small(), {"state": "bad", "what": "{state} %s {0}", "labels": hostile}).events)
    assert event.name == "{state} %s {0}"
    assert event.labels == hostile | {"alertname": "{state} %s {0}"}


def test_a_faulty_entry_costs_no_other() -> None:
    parsed = parse(
        small(), {"state": "bad", "what": "A"}, {"state": "?"}, 7, {"state": "bad"}, {"state": "good", "what": "B"}
    )
    assert [(i, e.name, e.status) for i, e in parsed.events] == [(0, "A", "firing"), (4, "B", "resolved")]
    assert [index for index, _ in parsed.errors] == [1, 2, 3]
    assert "bad, good" in parsed.errors[0][1]


def test_a_time_that_is_not_told_is_when_it_was_received() -> None:
    received = datetime(2026, 11, 2, 9, tzinfo=UTC)
    firing, over = (e for _, e in parse(small(), {"state": "bad", "what": "A"}, {"state": "good", "what": "A"}).events)
    assert firing.starts_at is UNTOLD
    assert (timed(firing, received).starts_at, timed(firing, received).ends_at) == (received, None)
    assert (timed(over, received).starts_at, timed(over, received).ends_at) == (received, received)


def test_the_key_is_the_named_labels_or_all() -> None:
    entry = {"state": "bad", "what": "A", "labels": {"host": "h", "load": "3"}}
    (all_of_them,) = (e for _, e in parse(small(), entry).events)
    assert all_of_them.key == label_key({"host": "h", "load": "3", "alertname": "A"})
    (named,) = (e for _, e in parse(small(key="[host]"), entry).events)
    assert named.key == label_key({"host": "h"})
    assert parse(small(key="[rack]"), entry).errors[0][1].endswith("rack")


def test_entries_that_say_nothing_of_a_problem_are_silent() -> None:
    mapping = small(only='{"{type}": [alarm]}')
    parsed = parse(mapping, {"type": "Alarm", "state": "bad", "what": "A"}, {"type": "note"})
    assert (len(parsed.events), parsed.silent, parsed.total) == (1, 1, 2)


@pytest.mark.parametrize(
    ("text", "form", "zone", "expected"),
    [
        ("2026-11-21T10:51:03.157076123+02:00", "", "UTC", datetime(2026, 11, 21, 8, 51, 3, 157076, UTC)),
        ("2026-11-21T10:51:03z", "", "UTC", datetime(2026, 11, 21, 10, 51, 3, 0, UTC)),
        ("2026-11-21 10:51:03", "", "Europe/Paris", datetime(2026, 11, 21, 9, 51, 3, 0, UTC)),
        ("2026.11.21 10:51:03", "%Y.%m.%d %H:%M:%S", "Europe/Paris", datetime(2026, 11, 21, 9, 51, 3, 0, UTC)),
        ("1795266270", "", "UTC", datetime(2026, 11, 21, 13, 4, 30, 0, UTC)),
        ("1795266270.25", "", "UTC", datetime(2026, 11, 21, 13, 4, 30, 250000, UTC)),
        ("1795266270250", "", "UTC", datetime(2026, 11, 21, 13, 4, 30, 250000, UTC)),
        ("1795266270250000000", "", "UTC", datetime(2026, 11, 21, 13, 4, 30, 250000, UTC)),
        ("0001-01-01T00:00:00Z", "", "UTC", None),
        ("", "", "UTC", None),
    ],
)
def test_times(text: str, form: str, zone: str, expected: datetime | None) -> None:
    assert mapped.read_time(text, form, ZoneInfo(zone)) == expected


@pytest.mark.parametrize("text", ["soon", "1800-01-01T00:00:00Z", "²", "9" * 400, "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|years"):
        mapped.read_time(text)


def test_paths() -> None:
    assert parse_path('a.b[0]."c.d"') == (False, ("a", "b", 0, "c.d"))
    assert parse_path("$.a") == (True, ("a",))
    assert parse_path("$") == (True, ())
    assert pieces("on {a.b}!") == ("on ", (False, ("a", "b")), "!")
    for wrong in ("", ".a", "a..b", "a[x]", "a b", "a["):
        with pytest.raises(ValueError, match="path"):
            parse_path(wrong)


@pytest.mark.parametrize(
    ("changes", "line", "key", "message"),
    [
        ({"alert": '"{what is}"'}, 7, "alert", "not a path"),
        ({"labels": "{copy: [labels.]}"}, 7, "labels.copy[0]", "not a path"),
        ({"starts_at": '{text: "{t}", zone: Mars/Phobos}'}, 8, "starts_at.zone", "Europe/Paris"),
        ({"status": '{text: "{state}", firing: [bad], resolved: [BAD]}'}, 7, "status.resolved", "bad"),
        ({"lables": "{}"}, 8, "lables", "did you mean 'labels'"),
        ({"name": "Not a name"}, 7, "name", "form"),
        ({"samples": "[{title: t, body: '{}', gives: [{status: firing}]}]"}, 7, "samples[0]", "the sample 't'"),
    ],
)
def test_a_faulty_mapping_is_refused_with_its_line(changes: dict[str, str], line: int, key: str, message: str) -> None:
    with pytest.raises(FileError) as refused:
        mappings.parse(changed(**changes), "small.yaml")
    assert (refused.value.key, refused.value.line) == (key, line), str(refused.value)
    assert message in str(refused.value)


def test_samples_are_compared_in_all_that_they_name() -> None:
    text = SMALL.replace(
        "gives: [{status: firing}]", "gives: [{status: firing, name: Ice, severity: x, starts_at: '1', labels: {a: b}}]"
    )
    mapping = typed.convert(yaml.parse(text, "f"), Mapping)
    assert [why.split(" is ")[0] for _, why in mapped.check_samples(mapping)] == [
        "name",
        "severity",
        "starts_at",
        "label a",
    ]
    assert list(problems(mapping)) == []

"""Senders that a mapping describes: their real samples over HTTP to alerts; what a body becomes, before it is sent."""

import json

import pytest

from servicedesk.files import mappings
from servicedesk.services import apply
from tests.api.conftest import Callers
from tests.intake import seen

SHIPPED = {mapping.name: mapping for mapping in map(mappings.read, mappings.find(mappings.SHIPPED))}
DRAFT = """
schema: 1
name: boiler
title: Boiler
status: {text: "{state}", firing: [bad], resolved: [good]}
alert: "{what}"
labels: {copy: [labels]}
"""


@pytest.mark.feature("I3", "I5")
@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_every_shipped_mapping_takes_its_samples_over_http(callers: Callers, name: str) -> None:
    desk, mapping = callers.desk, SHIPPED[name]
    for sample in mapping.samples:
        answer = callers.sender.call("POST", f"/receivers/{name}", data=sample.body.encode())
        assert answer.status_code == 200, answer.text
    apply.run_all(desk)
    assert callers.lead.get("/deliveries?state=dead")["items"] == []
    found = {row.name for row in seen.alerts(desk, "prod-am")}
    assert {given.name for sample in mapping.samples for given in sample.gives if given.name} <= found
    assert found


@pytest.mark.feature("I3")
@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_the_preview_shows_what_would_come_out(one: Callers, name: str) -> None:
    listed = {entry["name"]: entry for entry in one.lead.get("/mappings")["items"]}
    assert listed[name]["setup"], "an operator is told how it is set up"
    sample = SHIPPED[name].samples[0]
    assert listed[name]["sample"] == sample.body
    found = one.lead.post("/mappings/preview", {"receiver": name, "body": sample.body})
    assert (found["problem"], found["errors"]) == ("", [])
    assert [event["status"] for event in found["events"]] == [given.status for given in sample.gives]
    assert one.lead.get("/deliveries")["items"] == [], "nothing is stored"


@pytest.mark.feature("I3")
def test_a_mapping_being_written_is_tried_without_samples(one: Callers) -> None:
    body = json.dumps([{"state": "bad", "what": "Cold", "labels": {"room": "7\u0000"}}, {"state": "odd"}])
    found = one.lead.post("/mappings/preview", {"mapping": DRAFT, "body": body})
    (event,) = found["events"]
    assert (event["name"], event["starts_at"], event["labels"]["room"]) == ("Cold", "received", "7\\u0000")
    assert found["errors"] == [[1, "its status is 'odd': only these are known: bad, good"]]


@pytest.mark.feature("I3")
@pytest.mark.parametrize(
    ("given", "field", "message"),
    [
        ({"mapping": DRAFT.replace("{what}", "{what is}"), "body": "{}"}, "mapping", "line 6: alert: "),
        ({"mapping": "a: &x 1", "body": "{}"}, "mapping", "line 1"),
        ({"receiver": "nothing", "body": "{}"}, "receiver", "there are: alertmanager"),
        ({"receiver": "grafana"}, "body", "missing"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(one: Callers, given: dict[str, str], field: str, message: str) -> None:
    problem = one.lead.post("/mappings/preview", given, status=422)
    assert message in json.dumps(problem), problem
    assert field in json.dumps(problem)


def test_a_body_that_cannot_be_read_is_a_problem_not_an_error(one: Callers) -> None:
    found = one.lead.post("/mappings/preview", {"receiver": "alertmanager", "body": "{"})
    assert "JSON" in found["problem"]
    assert found["events"] == []
    one.requester.post("/mappings/preview", {"receiver": "grafana", "body": "{}"}, status=403)

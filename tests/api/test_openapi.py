"""The document says what the program does: every address, every type, nothing that leads nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from servicedesk.web.openapi import address, documented
from tests.api.conftest import Callers

# Addresses of the interface page that this release has; {n} stands for the number of a ticket.
PROMISED = """
POST /receivers/alertmanager · POST /receivers/{mapping}
GET /deliveries · GET /deliveries/{delivery_id} · POST /deliveries/{delivery_id}/replay
GET /alerts · GET /alerts/{alert_id} · GET /alerts/{alert_id}/events
GET /incidents · POST /incidents · GET /incidents/{n} · PATCH /incidents/{n}
POST /incidents/{n}/acknowledgement · POST /incidents/{n}/assignment
POST /incidents/{n}/hold · DELETE /incidents/{n}/hold
POST /incidents/{n}/resolution · GET /incidents/{n}/verifications · POST /incidents/{n}/verifications
POST /incidents/{n}/confirmation · POST /incidents/{n}/explanation
GET /incidents/{n}/review · PUT /incidents/{n}/review · POST /incidents/{n}/review/submission
POST /incidents/{n}/review/approval · POST /incidents/{n}/review/change-request · POST /incidents/{n}/review/waiver
GET /incidents/{n}/review/versions/{version} · GET /incidents/{n}/review.md · GET /incidents/{n}/review.html
GET /incidents/{n}/action-items · POST /incidents/{n}/action-items · PATCH /incidents/{n}/action-items/{action_id}
GET /incidents/{n}/tasks · POST /incidents/{n}/tasks · PATCH /incidents/{n}/tasks/{task_id}
GET /second-person-requests · POST /second-person-requests/{request_id}/approval
POST /second-person-requests/{request_id}/refusal · POST /incidents/{n}/second-person-requests
POST /incidents/{n}/reopening · POST /incidents/{n}/cancellation
GET /incidents/{n}/comments · POST /incidents/{n}/comments · GET /incidents/{n}/timeline
GET /incidents/{n}/playbook-runs · POST /incidents/{n}/playbook-runs
POST /incidents/{n}/playbook-runs/{run}/steps/{step} · GET /incidents/{n}/playbook-runs/{run}/plan
POST /incidents/{n}/playbook-runs/{run}/steps/{step}/check
DELETE /incidents/{n}/playbook-runs/{run}/steps/{step}/check
GET /incidents/{n}/checks · GET /incidents/{n}/checks/{ask} · GET /incidents/{n}/checks/{ask}/output · GET /checks
PUT /checks/stop · DELETE /checks/stop · GET /observations · GET /incidents/{n}/silences · POST /incidents/{n}/silences
PATCH /incidents/{n}/silences/{silence} · DELETE /incidents/{n}/silences/{silence} · POST /automation
POST /incidents/{n}/automation · POST /playbooks/{playbook}/plan · POST /playbooks/{playbook}/previews
GET /playbook-coverage · GET /playbook-statistics
GET /playbooks · GET /services · POST /services · GET /teams · POST /teams · GET /users · POST /users
GET /policies · GET /tokens · POST /tokens · DELETE /tokens/{token_id} · GET /notifications · GET /openapi.json
"""
ELSEWHERE = ("GET /a/{fingerprint}", "GET /healthz", "GET /readyz", "GET /metrics", "GET /docs")


def promised() -> set[tuple[str, str]]:
    found = set()
    for part in re.split(r"[·\n]", PROMISED):
        if part.strip():
            method, path = part.split()
            found.add((method, "/api/v1" + path.replace("{n}", "{number}")))
    return found | {(m, p) for m, p in (e.split() for e in ELSEWHERE)}


@pytest.fixture
def document(one: Callers) -> dict[str, Any]:
    found: dict[str, Any] = one.lead.get("/openapi.json")
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


@pytest.mark.feature("O3")
def test_every_promised_address_is_there(document: dict[str, Any]) -> None:
    there = {(method, path) for method, path, _ in operations(document)}
    assert promised() - there == set()


def test_it_describes_every_route_of_the_api(one: Callers, document: dict[str, Any]) -> None:
    there = {(method, path) for method, path, _ in operations(document)}
    assert {(e.method, address(rule)) for rule, e in documented(one.app)} == there
    api = [r.rule for r in one.app.url_map.iter_rules() if r.rule.startswith("/api/")]
    assert {address(rule) for rule in api} <= set(document["paths"])


@pytest.mark.feature("O3")
def test_it_is_sound(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["info"]["title"]
    assert document["info"]["version"]
    for ref in references(document):
        kind, name = ref.removeprefix("#/components/").split("/")
        assert name in document["components"][kind], ref
    schemes = document["components"]["securitySchemes"]
    ids = []
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        ids.append(operation["operationId"])
        assert operation["summary"], where
        assert any(code.startswith("2") for code in operation["responses"]), where
        assert all(response["description"] for response in operation["responses"].values()), where
        places = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert places == set(re.findall(r"{(\w+)}", path)), where
        assert all(scheme in schemes for option in operation["security"] for scheme in option), where
        assert method == "GET" or "409" in operation["responses"] or "413" in operation["responses"], where
    assert len(ids) == len(set(ids)), "an operation's id is its own"


def test_schemas_are_json_schema(document: dict[str, Any]) -> None:
    """Only words of JSON Schema 2020-12 that the document may use."""
    words = {
        "$ref", "additionalProperties", "allOf", "anyOf", "const", "default", "description", "enum", "examples",
        "exclusiveMaximum", "exclusiveMinimum", "format", "items", "maxItems", "maxLength", "maximum", "minItems",
        "minLength", "minimum", "oneOf", "pattern", "prefixItems", "properties", "propertyNames", "required", "title",
        "type",
    }  # fmt: skip
    for name, schema in document["components"]["schemas"].items():
        assert schema.keys() <= words, name
        assert schema.get("type") == "object" or "enum" in schema or "anyOf" in schema, name
        assert set(schema.get("required", ())) <= set(schema.get("properties", ())), name


def test_what_it_says_of_a_body_is_what_is_accepted(one: Callers, document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["IncidentIn"]
    assert schema["required"] == ["title"]
    refused = one.lead.post("/incidents", {"nonsense": 1}, 422)
    known = next(e["detail"] for e in refused["errors"] if e["field"] == "nonsense").split("known: ")[1].split(", ")
    assert known == list(schema["properties"])


def test_the_page_lists_it(one: Callers, document: dict[str, Any]) -> None:
    page = one.lead.call("GET", "/docs").get_data(as_text=True)
    assert all(path in page for path in document["paths"])
    assert 'id="refused"' in page
    assert "<script" not in page.replace("<script src=", "")

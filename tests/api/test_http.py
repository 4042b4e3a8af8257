"""Habits of every address: problems, unknown fields, row versions, idempotency, times, headers."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import structlog

from servicedesk.errors import Conflict
from servicedesk.services import once
from tests.api.conftest import Caller, Callers

NEW = {"title": "Mail is slow"}


@pytest.mark.feature("O3")
def test_all_wrong_fields_are_named_at_once(one: Callers) -> None:
    wrong = {"titel": "x", "impact": 9, "urgency": "high", "type": "dream", "requester": 5}
    told = one.lead.post("/incidents", wrong, 422)
    assert {e["field"] for e in told["errors"]} == {"titel", "title", "impact", "urgency", "type", "requester"}
    assert {e["pointer"] for e in told["errors"]} >= {"#/titel", "#/impact"}
    assert "title" in next(e["detail"] for e in told["errors"] if e["field"] == "titel"), "the known ones are named"


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"{", "application/json", 422),
        (b"[]", "application/json", 422),
        (b'"x"', "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b'{"title": "\xff"}', "application/json", 422),
        (b'{"title": "x"}', "text/plain", 415),
        (b"title=x", "application/x-www-form-urlencoded", 415),
        (b"{}" + b" " * (5 * 1024 * 1024), "application/json", 413),
    ],
)
def test_bodies_that_are_none(one: Callers, data: bytes, content_type: str, status: int) -> None:
    answer = one.lead.call("POST", "/incidents", data=data, content_type=content_type)
    one.lead.must(answer, status)


def test_strictness(one: Callers) -> None:
    """A number in quotes is not a number; a missing zone is not a time."""
    one.lead.post("/incidents", NEW | {"impact": "2"}, 422)
    path = f"/incidents/{one.lead.post('/incidents', NEW, 201)['number']}"
    told = one.owner.post(f"{path}/hold", {"reason": "postponed", "until": "2026-12-01T00:00:00"}, 422)
    assert [e["field"] for e in told["errors"]] == ["until"]


def test_nul_becomes_visible(callers: Callers) -> None:
    """PostgreSQL stores no NUL; both databases keep the same text."""
    made = callers.lead.post("/incidents", {"title": "a\x00b", "description": "\x00"}, 201)
    assert made["title"] == "a\\u0000b"
    assert callers.lead.get(f"/incidents/{made['number']}")["description"] == "\\u0000"


@pytest.mark.parametrize("number", ["1", "INC-1", "inc-1"])
def test_numbers_are_taken_as_people_write_them(one: Callers, number: str) -> None:
    one.lead.post("/incidents", NEW, 201)
    assert one.lead.get(f"/incidents/{number}")["number"] == "INC-1"


@pytest.mark.parametrize("number", ["2", "INC-999999999999999999", "0", "x", "-1", "1.5", "٣"])
def test_what_is_no_ticket_is_404(one: Callers, number: str) -> None:
    one.lead.get(f"/incidents/{number}", 404)


def test_unknown_addresses_and_methods_are_problems(one: Callers) -> None:
    one.lead.get("/nonsense", 404)
    one.lead.post("/alerts", status=405)


@pytest.mark.feature("T7", "O3")
def test_row_versions(one: Callers) -> None:
    made = one.lead.call("POST", "/incidents", json=NEW)
    path, tag = made.headers["Location"].removeprefix("/api/v1"), made.headers["ETag"]
    assert tag == f'"{made.json["version"]}"'
    changed = one.lead.call("PATCH", path, json={"title": "Mail is down"}, headers={"If-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag
    for method, where, body in (
        ("PATCH", path, {"title": "x1"}),
        ("POST", f"{path}/acknowledgement", {}),
        ("POST", f"{path}/comments", {"text": "hello"}),
        ("POST", f"{path}/tasks", {"title": "Do it"}),
    ):
        stale = one.lead.must(one.lead.call(method, where, json=body, headers={"If-Match": tag}), 412)
        assert stale["refusals"][0]["guard"] == "G11"
    for good in (changed.headers["ETag"], f"W/{changed.headers['ETag']}", "*"):
        assert one.lead.call("POST", f"{path}/comments", json={"text": "hi"}, headers={"If-Match": good}).status_code
    garbage = one.lead.call("POST", f"{path}/acknowledgement", json={}, headers={"If-Match": '"abc"'})
    assert garbage.status_code == 412
    assert one.lead.get(path)["status"] == "new"


@pytest.mark.feature("O3")
def test_the_same_key_acts_once(callers: Callers) -> None:
    key = {"Idempotency-Key": "order-1"}
    first = callers.lead.call("POST", "/incidents", json=NEW, headers=key)
    again = callers.lead.call("POST", "/incidents", json=NEW, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json == first.json
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Idempotency-Replayed"] == "true"
    callers.lead.post("/incidents", {"title": "Something else"}, 409, headers=key)
    assert len(callers.lead.get("/incidents")["items"]) == 1
    callers.lead2.post("/incidents", NEW, 201, headers=key)
    assert len(callers.lead.get("/incidents")["items"]) == 2, "another person's key is another key"


def test_a_refused_request_leaves_its_key_free(one: Callers) -> None:
    key = {"Idempotency-Key": "order-2"}
    one.lead.post("/incidents", {"titel": "x"}, 422, headers=key)
    one.lead.post("/incidents", NEW | {"category": "nonsense"}, 422, headers=key)
    one.lead.post("/incidents", NEW, 201, headers=key)
    one.lead.post("/incidents", NEW, 422, headers={"Idempotency-Key": "x" * 300})


@pytest.mark.feature("O3")
def test_racing_requests_with_one_key_act_once(callers: Callers) -> None:
    callers.lead.get("/incidents")
    codes: list[int] = []
    start = threading.Barrier(6)

    def ask() -> None:
        start.wait()
        caller = Caller(callers.app, callers.lead.token)
        codes.append(caller.call("POST", "/incidents", json=NEW, headers={"Idempotency-Key": "race"}).status_code)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(codes) <= {201, 409}
    assert 201 in codes
    assert len(callers.lead.get("/incidents")["items"]) == 1


def test_a_key_whose_request_never_ended_is_not_run_again(one: Callers) -> None:
    assert once.begin(one.desk, b"m" * 32, b"r" * 32) is None
    with pytest.raises(Conflict, match="not ended"):
        once.begin(one.desk, b"m" * 32, b"r" * 32)


def test_old_keys_are_forgotten(one: Callers, clock: Any) -> None:
    once.begin(one.desk, b"m" * 32, b"r" * 32)
    once.finish(one.desk, b"m" * 32, 201, "{}")
    assert once.forget_old(one.desk) == 0
    clock.advance(hours=25)
    assert once.forget_old(one.desk) == 1
    assert once.begin(one.desk, b"m" * 32, b"other".ljust(32)) is None


def test_a_fault_of_ours_tells_nothing_but_an_id(one: Callers) -> None:
    def broken() -> None:
        raise RuntimeError("secret detail")

    one.app.add_url_rule("/api/v1/broken", view_func=broken)
    told = one.lead.get("/broken", 500)
    assert "secret" not in str(told)
    assert told["request_id"] in told["detail"]


def test_the_log_of_a_fault_names_no_signed_link(one: Callers) -> None:
    def broken(secret: str) -> None:
        raise RuntimeError("no such luck")

    one.app.add_url_rule("/api/v1/broken/<secret>", view_func=broken)
    with structlog.testing.capture_logs() as lines:
        one.lead.get("/broken/hush", 500)
    assert [line["path"] for line in lines if line["event"] == "fault"] == ["/api/v1/broken/<secret>"]
    assert "hush" not in str([{k: v for k, v in line.items() if k != "exc_info"} for line in lines])


@pytest.mark.parametrize("number", ["999999999999999999", "99999999999999999999"])
@pytest.mark.parametrize("path", ["/deliveries/{}", "/alerts/{}", "/alerts/{}/events"])
def test_an_id_that_no_database_holds_is_not_there(callers: Callers, path: str, number: str) -> None:
    callers.lead.get(path.format(number), 404)


@pytest.mark.parametrize("path", ["/api/v1/incidents", "/sign-in", "/healthz", "/nothing", "/static/css/base.css"])
def test_headers_stand_on_every_answer(one: Callers, path: str) -> None:
    headers = one.app.test_client().get(path).headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Request-ID"]
    assert "Strict-Transport-Security" not in headers, "plain http would be locked out"


def test_a_request_id_is_taken_over_only_when_it_is_harmless(one: Callers) -> None:
    client = one.app.test_client()
    assert (
        client.get("/healthz", headers={"X-Request-ID": "trace-12345678"}).headers["X-Request-ID"] == "trace-12345678"
    )
    assert client.get("/healthz", headers={"X-Request-ID": "a b\tc<script>"}).headers["X-Request-ID"].isalnum()

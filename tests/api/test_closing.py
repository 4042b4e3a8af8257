"""The whole way of a ticket by API, to `closed`, and everything that refuses to be a short cut."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from servicedesk.domain.incident import STATES
from tests.api.conftest import Callers
from tests.support.clock import Clock
from tests.support.reviews import body

NEW = {"title": "Mail is slow", "category": "mail", "impact": 2, "urgency": 3}
FIX = {"code": "fixed", "cause_class": "hardware", "notes": "The disk was replaced."}
PASS = {"verdict": "pass", "tested": "Sent a mail", "evidence": "It arrived in 2 s", "no_new_problem": True}


def opened(callers: Callers, **more: Any) -> str:
    """A ticket in work, owned by `owner`; its path."""
    made = callers.lead.post("/incidents", NEW | more, 201)
    path = f"/incidents/{made['number']}"
    taken = callers.owner.post(f"{path}/acknowledgement")
    assert (taken["status"], taken["owner"]) == ("in_progress", "owner")
    return path


def reviewed(callers: Callers) -> str:
    """A ticket whose review is written and waits for approval; its path."""
    path = opened(callers)
    assert callers.owner.post(f"{path}/resolution", FIX)["status"] == "resolved"
    assert callers.agent.post(f"{path}/verifications", PASS, 201)["verdict"] == "pass"
    assert callers.lead.post(f"{path}/confirmation", {"accepted": True})["status"] == "review"
    review = callers.owner.get(f"{path}/review")
    callers.owner.put(f"{path}/review", body(review["depth"]))
    assert callers.owner.post(f"{path}/review/submission")["status"] == "in_review"
    return path


@pytest.mark.feature("T2", "O3", "R1", "R3")
def test_the_whole_way(callers: Callers) -> None:
    path = reviewed(callers)
    refused = callers.owner.post(f"{path}/review/approval", status=409)
    assert [r["guard"] for r in refused["refusals"]] == ["role"]
    assert callers.lead.post(f"{path}/review/approval")["status"] == "approved"
    done = callers.lead.get(path)
    assert done["status"] == "closed"
    assert done["closed_at"].endswith("Z")
    assert all(guard["missing"] is None for guard in done["checklist"])
    assert done["verification"]["verdict"] == "pass"
    assert done["confirmation"]["kind"] == "lead"
    assert done["review"]["status"] == "approved"


@pytest.mark.feature("T2")
def test_a_refusal_names_every_unmet_guard_with_its_place(one: Callers) -> None:
    path = f"/incidents/{one.lead.post('/incidents', {'title': 'x1'}, 201)['number']}"
    one.owner.post(f"{path}/acknowledgement")
    refused = one.owner.post(f"{path}/resolution", {"code": "fixed"}, 409)
    assert {(r["rule"], r["guard"]) for r in refused["refusals"]} == {("M4", "G2"), ("M4", "G3")}
    assert all(r["message"] and r["where"] for r in refused["refusals"])


@pytest.mark.feature("T2")
@pytest.mark.parametrize("status", STATES)
def test_a_status_is_never_written(one: Callers, status: str) -> None:
    path = opened(one)
    refused = one.admin.patch(path, {"status": status}, 422)
    (error,) = refused["errors"]
    assert (error["field"], error["pointer"]) == ("status", "#/status")
    assert error["resource"].startswith(f"/api/v1{path}/")
    assert one.admin.get(path)["status"] == "in_progress"


@pytest.mark.parametrize(
    "field", ["verification", "confirmation", "review", "resolution", "closed_at", "owner", "team", "explanation"]
)
def test_gate_fields_point_to_their_resource(one: Callers, field: str) -> None:
    path = opened(one)
    refused = one.admin.patch(path, {field: "x", "title": "y1"}, 422)
    assert [e["field"] for e in refused["errors"]] == [field]
    assert refused["errors"][0]["resource"].startswith(f"/api/v1{path}/")
    assert one.admin.get(path)["title"] == NEW["title"], "nothing of the request was carried out"


def test_nothing_closes(one: Callers) -> None:
    """No method on no address of a ticket is called close."""
    path = opened(one)
    for name in ("closing", "close", "closure", "status"):
        assert one.admin.call("POST", f"{path}/{name}", json={}).status_code == 404
    assert one.admin.call("DELETE", path).status_code == 405
    assert one.admin.call("PUT", path, json={"status": "closed"}).status_code == 405


@pytest.mark.feature("T2")
def test_actions_say_what_may_be_done_and_why_not(one: Callers) -> None:
    path = opened(one)
    for_owner, for_agent = (getattr(one, who).get(path)["actions"] for who in ("owner", "agent"))
    assert for_owner["resolve"] is None
    assert [r["guard"] for r in for_agent["resolve"]] == ["role"]
    assert "close" not in for_owner
    assert "advance" not in for_owner


@pytest.mark.feature("T13")
def test_reopening_voids_the_cycle(one: Callers) -> None:
    path = reviewed(one)
    assert one.lead.post(f"{path}/reopening", {}, 409)["refusals"][0]["guard"] == "G12"
    again = one.lead.post(f"{path}/reopening", {"reason": "It came back"})
    assert (again["status"], again["cycle"]) == ("in_progress", 2)
    assert again["verification"] is None
    assert again["confirmation"] is None
    assert again["resolution"] is None
    assert len(one.lead.get(f"{path}/verifications")["items"]) == 1, "the text is kept"


def test_a_failed_verification_goes_back_to_work(one: Callers) -> None:
    path = opened(one)
    one.owner.post(f"{path}/resolution", FIX)
    failed = one.agent.post(f"{path}/verifications", {"verdict": "fail", "tested": "Sent a mail"}, 201)
    assert failed["verdict"] == "fail"
    assert one.agent.get(path)["status"] == "in_progress"


def test_hold_and_resume(one: Callers, clock: Clock) -> None:
    path = opened(one)
    assert "hold" in one.owner.post(f"{path}/hold", {"reason": "postponed"}, 409)["refusals"][0]["where"]
    until = (clock.now() + timedelta(days=2)).isoformat()
    held = one.owner.post(f"{path}/hold", {"reason": "postponed", "until": until})
    assert held["status"] == "pending"
    assert held["hold"]["reason"] == "postponed"
    assert one.owner.delete(f"{path}/hold")["status"] == "in_progress"


def test_assignment(one: Callers) -> None:
    path = opened(one)
    assert one.lead.post(f"{path}/assignment", {"owner": "agent"})["owner"] == "agent"
    assert "owner" in {e["field"] for e in one.lead.post(f"{path}/assignment", {}, 422)["errors"]}
    wrong = one.lead.post(f"{path}/assignment", {"owner": "ghost"}, 422)
    assert [e["field"] for e in wrong["errors"]] == ["owner"]


@pytest.mark.feature("A8")
def test_a_second_person_decides_on_cancelling_a_p1(one: Callers) -> None:
    path = opened(one, impact=1, urgency=1)
    no = {"code": "not_an_incident", "reason": "A drill"}
    assert "second-person-requests" in {r["where"] for r in one.lead.post(f"{path}/cancellation", no, 409)["refusals"]}
    question = {"kind": "cancellation", "reason": "A drill"}
    for bad in ({}, {"code": "because"}, {"code": "merged"}, {"code": "merged", "target": "here"},
                {"code": "merged", "target": 999}):  # fmt: skip
        one.lead.post(f"{path}/second-person-requests", question | bad, 422)
    asked = one.lead.post(f"{path}/second-person-requests", question | {"code": "not_an_incident"}, 201)
    assert [r["id"] for r in one.agent.get("/second-person-requests?status=asked")["items"]] == [asked["id"]]
    where = f"/second-person-requests/{asked['id']}"
    one.lead.post(f"{where}/approval", status=409)
    assert one.lead2.post(f"{where}/approval", {"comment": "yes"})["status"] == "approved"
    other = no | {"code": "false_positive"}
    assert "not_an_incident" in one.lead.post(f"{path}/cancellation", other, 409)["refusals"][0]["message"]
    assert one.lead.post(f"{path}/cancellation", no)["status"] == "cancelled"


@pytest.mark.feature("T26")
def test_a_mandatory_task_bars_resolving(one: Callers) -> None:
    path = opened(one)
    task = one.owner.post(f"{path}/tasks", {"title": "Order the disk", "mandatory": True}, 201)
    assert [r["guard"] for r in one.owner.post(f"{path}/resolution", FIX, 409)["refusals"]] == ["G4"]
    one.owner.patch(f"{path}/tasks/{task['id']}", {"status": "skipped"}, 422)
    skipped = one.owner.patch(f"{path}/tasks/{task['id']}", {"status": "skipped", "reason": "In stock"})
    assert skipped["status"] == "skipped"
    one.owner.patch(f"{path}/tasks/999", {"status": "done"}, 404)
    assert one.owner.post(f"{path}/resolution", FIX)["status"] == "resolved"


@pytest.mark.feature("R3")
def test_changes_requested_waiver_and_versions(one: Callers) -> None:
    path = reviewed(one)
    back = one.lead.post(f"{path}/review/change-request", {"text": "Say since when"})
    assert (back["status"], back["change_request"]) == ("changes_requested", "Say since when")
    assert one.owner.post(f"{path}/review/waiver", {"reason": "x1"}, 409)["refusals"]
    assert one.lead2.post(f"{path}/review/waiver", {"reason": "A known drill"})["status"] == "waived"
    assert one.lead.get(path)["status"] == "closed"
    assert one.lead.get(f"{path}/review/versions/1")["waiver_reason"] == "A known drill"
    one.lead.get(f"{path}/review/versions/2", 404)


@pytest.mark.feature("R5")
def test_a_review_leaves_as_markdown_and_html_with_hostile_text_as_text(one: Callers) -> None:
    path = opened(one, title="<script>alert(1)</script> down")
    one.owner.post(f"{path}/resolution", FIX)
    one.owner.put(
        f"{path}/review", {"summary": "<img src=x onerror=alert(1)> [x](javascript:alert(1)) ![y](http://z/i.png)"}
    )
    text = one.lead.call("GET", f"{path}/review.md")
    assert text.content_type == "text/markdown; charset=utf-8"
    page = one.lead.call("GET", f"{path}/review.html").get_data(as_text=True)
    assert "<script" not in page
    assert "<img" not in page
    assert 'href="javascript' not in page


def test_a_review_is_saved_against_the_version_that_was_seen(one: Callers) -> None:
    path = opened(one)
    one.owner.post(f"{path}/resolution", FIX)
    seen = one.owner.call("GET", f"{path}/review").headers["ETag"]
    one.owner.put(f"{path}/review", {"summary": "first"}, headers={"If-Match": seen})
    stale = one.agent.put(f"{path}/review", {"summary": "second"}, 412, headers={"If-Match": seen})
    assert stale["refusals"][0]["guard"] == "G11"
    wrong = one.owner.put(f"{path}/review", {"summry": "x", "factors": [{"kind": "technical"}]}, 422)
    assert {e["field"] for e in wrong["errors"]} == {"summry", "factors"}


@pytest.mark.feature("R4")
def test_action_items_bar_closing_until_they_are_whole(one: Callers, clock: Clock) -> None:
    path = reviewed(one)
    item = one.owner.post(f"{path}/action-items", {"title": "Watch the disk", "blocking": True}, 201)
    one.lead.post(f"{path}/review/approval")
    missing = {g["guard"] for g in one.lead.get(path)["checklist"] if g["missing"]}
    assert missing == {"G9"}
    due = (clock.now() + timedelta(days=3)).isoformat()
    whole = {"type": "detect", "owner": "owner", "due": due, "status": "done", "proof": "Rule 12 is live"}
    one.owner.patch(f"{path}/action-items/{item['id']}", whole)
    assert one.lead.get(path)["status"] == "closed"

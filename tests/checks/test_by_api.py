"""Checks by API: what was asked for a ticket, asking and taking back, branches, feedback, dry run, the switch."""

import pytest

from servicedesk.desk import Desk
from servicedesk.services import checks
from tests.api.conftest import Callers
from tests.checks.conftest import Web, plain
from tests.checks.worked import worked


@pytest.fixture
def callers(own: Desk) -> Callers:
    return Callers(own)


@pytest.mark.feature("P2", "P3", "O3")
def test_runs_are_records(own: Desk, callers: Callers, web: Web) -> None:
    web.answers["/"] = plain(500, "no")
    number, run = worked(own, callers.people)
    page = callers.owner.get(f"/incidents/{number}/checks?limit=1")
    (newest,) = page["items"]
    assert (newest["purpose"], newest["step"], newest["verdict"]) == ("baseline", "verify:up", "fail")
    (first,) = callers.owner.get(f"/incidents/{number}/checks?limit=1&cursor={page['next']}")["items"]
    assert (first["purpose"], first["asked"][0], first["asked_by"]) == ("diagnosis", f"GET {web.url}/", "")
    assert first["check_run"] == newest["check_run"], "the same question is asked once"
    assert callers.owner.get(f"/incidents/{number}/checks/{first['id']}") == first
    text = callers.owner.call("GET", f"/incidents/{number}/checks/{first['id']}/output")
    assert (text.mimetype, "no" in text.get_data(as_text=True)) == ("text/plain", True)
    callers.owner.get(f"/incidents/{number}/checks/999", 404)
    callers.requester.get(f"/incidents/{number}/checks", 403)
    runs = callers.owner.get(f"/incidents/{number}/playbook-runs")["items"]
    steps = {s["step"]: (s["outcome"], s["branch"], s["left_out"]) for s in runs[0]["steps"]}
    assert steps["fork"] == ("done", "bad", False)
    assert steps["one"] == ("skipped", "", True)
    assert run == runs[0]["id"]


@pytest.mark.feature("P3", "P5", "O3")
def test_asking_and_taking_back(own: Desk, callers: Callers, web: Web) -> None:
    web.answers["/"] = plain(200, "yes")
    number, run = worked(own, callers.people)
    step = f"/incidents/{number}/playbook-runs/{run}/steps/up"
    asked = callers.owner.post(f"{step}/check", status=202)
    assert (asked["state"], asked["purpose"], asked["asked_by"], asked["verdict"]) == ("waiting", "person", "owner", "")
    callers.owner.delete(f"{step}/check", 204)
    assert checks.finish(own, 10)
    assert callers.owner.get(f"/incidents/{number}/checks/{asked['id']}")["state"] == "cancelled"
    assert len(web.asked) == 1
    again = callers.owner.post(f"{step}/check", status=202)
    assert checks.finish(own, 10)
    assert callers.owner.get(f"/incidents/{number}/checks/{again['id']}")["verdict"] == "pass"
    verify = f"/incidents/{number}/playbook-runs/{run}/steps/verify:up/check"
    assert callers.owner.post(verify, status=202)["step"] == "verify:up"
    callers.owner.post(f"/incidents/{number}/playbook-runs/{run}/steps/one/check", status=404)
    callers.requester.post(f"{step}/check", status=404)


@pytest.mark.feature("P2", "P9", "O3")
def test_branches_and_feedback(own: Desk, callers: Callers, web: Web) -> None:
    web.answers["/"] = plain(200, "yes")
    number, run = worked(own, callers.people)
    where = f"/incidents/{number}/playbook-runs/{run}"
    callers.owner.post(f"{where}/steps/fork/branch", {"branch": "bad"}, 204)
    callers.owner.post(f"{where}/steps/fork/branch", {"branch": "nowhere"}, 422)
    callers.owner.put(f"{where}/feedback", {"helped": True, "step": "up"}, 204)
    callers.owner.put(f"{where}/feedback", {"helped": True, "step": "nowhere"}, 404)
    (state,) = callers.owner.get(f"/incidents/{number}/playbook-runs")["items"]
    assert (state["helped"], state["helped_step"]) == (True, "up")


@pytest.mark.feature("P5", "O3")
def test_the_dry_run_asks_nothing(own: Desk, callers: Callers, web: Web) -> None:
    checks.stop(own, callers.people["lead"], "Quiet, please")
    number = callers.owner.post(
        "/incidents", {"type": "request", "title": "T", "category": "workplace", "service": "unknown"}, 201
    )["number"]
    (run,) = callers.owner.get(f"/incidents/{number}/playbook-runs")["items"]
    plan = callers.owner.get(f"/incidents/{number}/playbook-runs/{run['id']}/plan")["items"]
    assert [(d["step"], d["auto"], d["problem"]) for d in plan] == [("up", True, ""), ("verify:up", False, "")]
    assert plan[0]["shown"][0] == f"GET {web.url}/"
    assert web.asked == []


@pytest.mark.feature("P5", "O3")
def test_the_switch(own: Desk, callers: Callers) -> None:
    assert callers.agent.get("/checks")["stopped"] is None
    callers.agent.put("/checks/stop", {"reason": "x"}, 403)
    callers.lead.put("/checks/stop", {"reason": " "}, 422)
    stopped = callers.lead.put("/checks/stop", {"reason": "They load the database"})["stopped"]
    assert (stopped["by"], stopped["reason"]) == ("lead", "They load the database")
    assert callers.lead.delete("/checks/stop")["stopped"] is None

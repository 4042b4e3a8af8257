"""The catalogue: search, what playbooks were good for, alerts without one, a trial on a chosen alert."""

from datetime import timedelta

import pytest

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.services import apply, checks, intake, playbooks
from servicedesk.services.learning import coverage, search
from tests.api.conftest import Callers
from tests.checks.conftest import Web, plain
from tests.checks.worked import worked
from tests.support.alertmanager import body, member
from tests.support.clock import Clock
from tests.support.pages import open_pages, sign_in_as


@pytest.fixture
def callers(own: Desk) -> Callers:
    return Callers(own)


def fire(desk: Desk, name: str, *instances: str, **labels: str) -> None:
    began = desk.now() - timedelta(minutes=5)
    alerts = [member({"alertname": name, "instance": i, "severity": "warning"} | labels, began) for i in instances]
    intake.store(desk, body(alerts), "alertmanager", "prod-am", "application/json", desk.now())
    apply.run_all(desk)


@pytest.mark.feature("P9")
def test_words_find_playbooks(own: Desk, callers: Callers) -> None:
    def found(text: str) -> list[str]:
        return [p.id for p in search(own.playbooks.all, text)]

    assert "own" in found("which WAY")
    assert "kubernetes-pod-crash-looping" in found("KubePodCrashLooping")
    assert found("KubePodCrashLooping nonsense") == []
    assert len(found("")) == len(own.playbooks.all)
    page = sign_in_as(open_pages(own), own, "agent")
    assert "None has all these words" in page.get("/playbooks?q=nonsense%20%3Cb%3E").text
    assert "own" in [r["id"] for r in callers.agent.get("/playbooks?q=which way own")["items"]]


@pytest.mark.feature("P9")
def test_alerts_without_a_playbook_the_most_frequent_first(own: Desk, callers: Callers, clock: Clock) -> None:
    fire(own, "Rare", "a")
    fire(own, "Often", "a", "b", "c")
    fire(own, "KubePodCrashLooping", "a", namespace="shop", pod="cart")
    fire(own, "Watchdog", "a", severity="none")
    c = callers.agent.get("/playbook-coverage")
    assert [(s["name"], s["episodes"], s["alerts"]) for s in c["without"]] == [("Often", 3, 3), ("Rare", 1, 1)]
    assert (c["names"], c["covered"], c["episodes"], c["covered_episodes"]) == (3, 1, 5, 1)
    assert "own" in c["unused"]
    text = sign_in_as(open_pages(own), own, "agent").get("/playbooks/coverage").text
    assert text.index("Often") < text.index("Rare")
    assert "1 of them have a playbook today, which is 20 %" in text
    clock.advance(timedelta(days=91))
    assert coverage(own).names == 0


@pytest.mark.feature("P9")
def test_what_a_playbook_and_its_steps_were_good_for(own: Desk, callers: Callers, web: Web, clock: Clock) -> None:
    web.answers["/"] = plain(200, "yes")
    number, run = worked(own, callers.people)
    other, second = worked(own, callers.people)
    clock.advance(minutes=10)
    owner: Actor = callers.people["owner"]
    playbooks.record_step(own, owner, number, run, "one", "done")
    playbooks.record_step(own, owner, other, second, "one", "failed", "It was fine")
    playbooks.helped(own, owner, number, run, True, "one")
    playbooks.helped(own, owner, other, second, False)
    (use,) = callers.agent.get("/playbook-statistics")["items"]
    assert use == {"playbook": "own", "runs": 2, "worked_on": 2, "helped": 1, "in_vain": 1, "minutes": None}
    steps = {s["step"]: s for s in callers.agent.get("/playbook-statistics/own")["items"]}
    assert (steps["one"]["done"], steps["one"]["failed"], steps["one"]["helped"]) == (1, 1, 1)
    assert steps["one"]["minutes"] == 10
    assert steps["up"]["verdicts"] == {"pass": 2}
    assert steps["two"]["left_out"] == 2
    page = sign_in_as(open_pages(own), own, "agent")
    assert "helped most 1 time" in page.get("/playbooks/own").text
    assert "1 / 2" in page.get("/playbooks").text


@pytest.mark.feature("P5", "P9")
def test_a_trial_shows_what_it_would_ask_and_then_asks(own: Desk, callers: Callers, web: Web) -> None:
    web.answers["/shop"] = plain(200, "yes")
    fire(own, "ShopDown", "a", target=f"{web.url}/shop")
    page = sign_in_as(open_pages(own), own, "agent")
    page.get("/playbooks/own/preview")
    page.send("/playbooks/own/preview", alert="1")
    assert f"GET {web.url}/shop" in page.text
    assert web.asked == []
    page.send("/playbooks/own/preview", button="Ask all of them now")
    assert page.path.startswith("/playbooks/own/previews/")
    assert "Waits to be asked" in page.text
    where = page.path
    assert checks.finish(own, 10)
    assert "200 OK" in page.get(where).text
    assert [path for _, path, _ in web.asked] == ["/shop"], "two checks that ask the same are one"
    page.get("/playbooks/own/previews/1", status=404)
    page.get("/playbooks/own/preview?labels=nonsense")
    assert "as name=value" in page.text
    assert callers.agent.get("/incidents/1/checks")["items"] == [], "no ticket is touched"


@pytest.mark.feature("P5", "O3")
def test_a_trial_by_api(own: Desk, callers: Callers, web: Web) -> None:
    web.answers["/"] = plain(200, "yes")
    labels = {"labels": {"alertname": "X", "target": "http://127.0.0.1:1/${x}{{7*7}}"}}
    plan = callers.agent.post("/playbooks/own/plan", labels)
    assert plan["values"] == {}
    assert "target" in plan["problems"], "a hostile value is not taken"
    assert all(c["problem"] for c in plan["checks"])
    callers.agent.post("/playbooks/own/previews", labels, 422)
    begun = callers.agent.post("/playbooks/own/previews", {"labels": {"alertname": "X"}}, 202)
    assert {c["state"] for c in begun["checks"]} == {"waiting"}
    assert checks.finish(own, 10)
    done = callers.agent.get(f"/playbooks/own/previews/{begun['preview']}")
    assert [(c["step"], c["verdict"], c["asked_by"]) for c in done["checks"]] == [
        ("up", "pass", "agent"),
        ("verify:up", "pass", "agent"),
    ]
    callers.agent.get("/playbooks/node-clock-skew/previews/" + str(begun["preview"]), 404)
    checks.stop(own, callers.people["lead"], "Quiet")
    callers.agent.post("/playbooks/own/previews", {"labels": {}}, 422)

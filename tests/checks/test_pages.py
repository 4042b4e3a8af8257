"""The playbook panel of a ticket, without JavaScript: results beside the steps, asking again, branches, the switch."""

from dataclasses import replace

import pytest
from flask import Flask

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.services import checks, playbooks, resolution
from servicedesk.store.tables import user
from tests.checks.conftest import Web, plain
from tests.checks.worked import opened, outcomes, run_of, worked
from tests.support.clock import Clock
from tests.support.pages import Visitor, open_pages, sign_in_as

LONG = "<b>&{{7*7}}" + "x" * 5000


@pytest.fixture
def app(own: Desk, people: dict[str, Actor]) -> Flask:
    return open_pages(own)


def visitor(app: Flask, own: Desk, name: str) -> Visitor:
    return sign_in_as(app, own, name)


@pytest.mark.feature("P2", "P3")
def test_results_stand_beside_their_steps(app: Flask, own: Desk, people: dict[str, Actor], web: Web) -> None:
    web.answers["/"] = plain(500, LONG)
    number, run = worked(own, people)
    owner = visitor(app, own, "owner")
    text = owner.get(f"/incidents/{number}").text
    assert "Failed" in text
    assert f"GET {web.url}/" in text, "what exactly was asked"
    assert "It does not (Up?: fail)" in text, "the branch that was taken"
    assert "When it opened:" in text, "the baseline of the proof"
    assert f"/incidents/INC-{number}/checks/1" in owner.page.links
    details = owner.get(f"/incidents/{number}/checks/1").text
    assert "when the ticket opened" in details
    assert "Only its beginning is shown" in details
    answer = owner.client.get(f"/incidents/{number}/checks/1/output")
    assert answer.get_data(as_text=True).endswith("x" * 100)
    assert (answer.mimetype, "attachment" in answer.headers["Content-Disposition"]) == ("text/plain", True)
    listed = owner.get(f"/incidents/{number}/checks").text
    assert "baseline" in listed
    assert f"GET {web.url}/" in owner.get(f"/incidents/{number}/runs/{run}/plan").text
    owner.get(f"/incidents/{number}/checks/999", status=404)


@pytest.mark.feature("P2", "P3")
def test_a_check_is_asked_again_and_taken_back(app: Flask, own: Desk, people: dict[str, Actor], web: Web) -> None:
    web.answers["/"] = plain(500, "no")
    number, run = worked(own, people)
    web.answers["/"] = plain(200, "yes")
    owner = visitor(app, own, "owner")
    owner.get(f"/incidents/{number}")
    owner.send(f"/runs/{run}/steps/up/check", button="Ask again")
    assert "Waits to be asked" in owner.text
    owner.send(f"/runs/{run}/steps/up/check", button="Cancel the check")
    assert "Check taken back" in owner.text
    owner.send(f"/runs/{run}/steps/up/check", button="Ask again")
    assert checks.finish(own, 10)
    assert "200 OK" in owner.get(f"/incidents/{number}").text
    assert len(web.asked) == 2


@pytest.mark.feature("P2")
def test_a_person_takes_another_branch(app: Flask, own: Desk, people: dict[str, Actor], web: Web) -> None:
    web.answers["/"] = plain(500, "no")
    number, run = worked(own, people)
    owner = visitor(app, own, "owner")
    owner.get(f"/incidents/{number}")
    owner.send(f"/runs/{run}/steps/fork/branch", button="It answers")
    assert outcomes(own, number) == {"up": "done", "fork": "done", "one": "", "two": "skipped"}
    assert "Which way?: It answers" in owner.text, "on the timeline"


@pytest.mark.feature("P3")
def test_the_panel_follows_and_says_nothing_while_nothing_changes(
    app: Flask, own: Desk, people: dict[str, Actor], web: Web
) -> None:
    web.answers["/"] = plain(200, "yes")
    number = opened(own, people)
    owner = visitor(app, own, "owner")
    owner.get(f"/incidents/{number}")
    live = next(a for _, a in owner.page.tags if "data-live" in a)
    assert live["data-every"] == "2", "a check is under way"
    assert owner.client.get(live["data-live"]).status_code == 204
    assert checks.finish(own, 10)
    answer = owner.client.get(live["data-live"])
    assert answer.status_code == 200
    assert answer.get_data(as_text=True).lstrip().startswith('<div id="playbooks"')
    assert "<html" not in answer.get_data(as_text=True)
    owner.get(live["data-live"])
    live = next(a for _, a in owner.page.tags if "data-live" in a)
    assert live["data-every"] == "15"
    playbooks.record_step(own, people["owner"], number, run_of(own, number).recorded.id, "one", "done")
    assert owner.client.get(live["data-live"]).status_code == 200, "what others tick is seen, too"


@pytest.mark.feature("P5")
def test_the_switch_on_the_page(app: Flask, own: Desk, people: dict[str, Actor], web: Web) -> None:
    web.answers["/"] = plain(200, "yes")
    number, run = worked(own, people)
    lead = visitor(app, own, "lead")
    lead.get("/playbooks")
    lead.send("/playbooks/stop", status=422, reason=" ")
    lead.send("/playbooks/stop", reason="They load the database")
    assert "Stopped by lead" in lead.text
    owner = visitor(app, own, "owner")
    assert "They load the database" in owner.get(f"/incidents/{number}").text
    owner.send(f"/runs/{run}/steps/up/check", button="Ask again", status=422)
    assert "All checks are stopped by lead" in owner.text
    assert not [f for f in owner.get("/playbooks").forms if f.action.endswith(("/stop", "/start"))]
    lead.send("/playbooks/start")
    assert checks.stopped(own) is None


def test_requesters_see_no_checks(app: Flask, own: Desk, people: dict[str, Actor], web: Web) -> None:
    number, run = worked(own, people)
    asker = visitor(app, own, "requester")
    for path in ("checks", "checks/1", "checks/1/output", f"runs/{run}/plan", "playbooks"):
        asker.get(f"/incidents/{number}/{path}", status=404)


@pytest.mark.feature("P6")
def test_what_is_under_observation_and_for_how_long_still(
    app: Flask, own: Desk, people: dict[str, Actor], web: Web, clock: Clock
) -> None:
    web.answers["/"] = plain(500, "no")
    number, run = worked(own, people)
    agent = visitor(app, own, "agent")
    assert "Nothing is under observation" in agent.get("/observations").text
    web.answers["/"] = plain(200, "yes")
    clock.advance(minutes=2)
    playbooks.record_step(own, people["owner"], number, run, "two", "done")
    resolution.resolve(own, people["owner"], number, "fixed", "software", "Restarted it.", "It works again.")
    assert checks.finish(own, 10)
    text = agent.get("/observations").text
    assert f"INC-{number}" in text
    assert "1 look" in text
    assert "30 min" in text, "still"
    page = agent.get(f"/incidents/{number}").text
    assert "When it opened: Failed 500" in page
    assert "Now: Passed 200" in page
    own.config = replace(own.config, checks=replace(own.config.checks, allow=("10.0.0.0/8",)))
    for _ in range(7):
        clock.advance(minutes=6)
        assert checks.finish(own, 10)
    text = agent.get("/observations").text
    assert "Inconclusive: It answers" in text, "and says why"
    assert "is loopback" in text
    assert "over since" in text
    page = agent.get(f"/incidents/{number}").text
    assert "Verification: Inconclusive" in page, "on the timeline"
    agent.get(f"/incidents/{number}/do/verify")
    assert "is loopback" in agent.text, "what the desk could not find out stands beside the form"
    agent.send("/do/verify", verdict="pass", tested="Asked it by hand", evidence="It answered 200", no_new_problem="1")
    assert "own verification has not passed" not in agent.get(f"/incidents/{number}").text


@pytest.mark.feature("P9")
def test_what_helped_is_asked_in_one_click_on_resolving(
    app: Flask, own: Desk, people: dict[str, Actor], web: Web
) -> None:
    web.answers["/"] = plain(200, "yes")
    number, run = worked(own, people)
    owner = visitor(app, own, "owner")
    owner.get(f"/incidents/{number}/do/resolve")
    form = owner.form("/do/resolve")
    assert form.choices["helped"] == [f"{run}:up", f"{run}:fork", f"{run}:", "none"]
    said = {"code": "fixed", "cause": "software", "notes": "Restarted it."}
    owner.send("/do/resolve", helped=f"{run}:up", **said)
    recorded = run_of(own, number).recorded
    assert (recorded.helped, recorded.helped_step) == (True, "up")
    assert "Most of all: Up?" in owner.get(f"/incidents/{number}").text
    other, second = worked(own, people)
    owner.get(f"/incidents/{other}/do/resolve")
    owner.send("/do/resolve", **said)
    owner.get(f"/incidents/{other}")
    owner.send(f"/runs/{second}/helped", button="No")
    assert "This playbook did not help." in owner.text


@pytest.mark.feature("A6")
def test_everything_is_in_the_readers_own_language(app: Flask, own: Desk, people: dict[str, Actor], web: Web) -> None:
    """Also what is put into words before the page is drawn, whatever language the browser asks for."""
    web.answers["/"] = plain(200, "yes")
    number, _run = worked(own, people)
    own.write(lambda tx: tx.run(user.update().where(user.c.name == "owner").values(language="fr")))
    text = visitor(app, own, "owner").get(f"/incidents/{number}").text
    for french in ("Mettre en attente", "Redemander", "La preuve que c’est réparé", "à l’ouverture"):
        assert french.casefold() in text.casefold(), french
    for english in ("Put on hold", "Ask again", "Before it may close"):
        assert english not in text

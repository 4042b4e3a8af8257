"""Checks of tickets: queued with the opening, asked once however many ask, kept in budgets, stopped by the switch."""

import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from sqlalchemy import func, select

from servicedesk.config import Api
from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor, Facts
from servicedesk.domain.lifecycle import checklist
from servicedesk.errors import BadInput, NotAllowed, Refused
from servicedesk.services import checks, incidents, playbooks, resolution
from servicedesk.store.tables import check_ask, check_run, observation, verification
from tests.checks.conftest import Web, plain
from tests.checks.worked import ask, opened, outcomes, run_of
from tests.support.clock import Clock


@pytest.mark.feature("P3", "P4")
def test_diagnostics_wait_for_the_engineer(own: Desk, people: dict[str, Actor], web: Web) -> None:
    web.answers["/"] = plain(200, "ok")
    number = opened(own, people)
    assert {r.purpose for r in ask(own, select(check_ask.c.purpose))} == {"diagnosis", "baseline"}
    assert checks.finish(own, 10)
    assert outcomes(own, number) == {"up": "done", "fork": "done", "one": "", "two": "skipped"}
    assert incidents.facts(own, number).open_steps == ()
    (run,) = ask(own, select(check_run))
    assert (run.verdict, run.shown[0], run.state) == ("pass", f"GET {web.url}/", "done")
    assert len(web.asked) == 1, "the diagnosis and the baseline ask the same"


@pytest.mark.feature("P2")
def test_the_other_branch_on_the_other_verdict_and_a_person_takes_another(
    own: Desk, people: dict[str, Actor], web: Web
) -> None:
    web.answers["/"] = plain(500, "no")
    number = opened(own, people)
    assert checks.finish(own, 10)
    assert outcomes(own, number) == {"up": "done", "fork": "done", "one": "skipped", "two": ""}
    assert incidents.facts(own, number).open_steps == ("two",)
    run = run_of(own, number).recorded.id
    playbooks.choose(own, people["owner"], number, run, "fork", "good")
    assert outcomes(own, number) == {"up": "done", "fork": "done", "one": "", "two": "skipped"}
    with pytest.raises(BadInput, match="good, bad"):
        playbooks.choose(own, people["owner"], number, run, "fork", "none")
    with pytest.raises(Refused):
        playbooks.choose(own, people["requester"], number, run, "fork", "bad")


@pytest.mark.feature("P5")
def test_a_storm_asks_each_question_once(own: Desk, people: dict[str, Actor], web: Web) -> None:
    web.answers["/"] = plain(200, "ok")
    numbers = [opened(own, people) for _ in range(30)]
    assert checks.finish(own, 60)
    assert len(web.asked) == 1
    assert {outcomes(own, n)["up"] for n in numbers} == {"done"}
    assert ask(own, select(func.count()).select_from(check_ask).where(check_ask.c.state != "done"))[0][0] == 0


@pytest.mark.feature("P5")
def test_a_fresh_answer_serves_for_a_while_and_a_person_asks_anew(
    own: Desk, people: dict[str, Actor], web: Web, clock: Clock
) -> None:
    web.answers["/"] = plain(200, "ok")
    first = opened(own, people)
    assert checks.finish(own, 10)
    clock.advance(seconds=30)
    opened(own, people)
    assert checks.finish(own, 10)
    assert len(web.asked) == 1
    playbooks.run_check(own, people["owner"], first, run_of(own, first).recorded.id, "up")
    assert checks.finish(own, 10)
    assert len(web.asked) == 2
    clock.advance(seconds=120)
    opened(own, people)
    assert checks.finish(own, 10)
    assert len(web.asked) == 3


@pytest.mark.feature("P5")
def test_a_budget_keeps_a_target_and_gives_up_at_last(
    own: Desk, people: dict[str, Actor], web: Web, clock: Clock
) -> None:
    web.answers["/"] = plain(200, "ok")
    own.config = replace(own.config, checks=replace(own.config.checks, per_target=2))
    number = opened(own, people)
    assert checks.finish(own, 10)
    run = run_of(own, number).recorded.id
    for _ in range(3):
        playbooks.run_check(own, people["owner"], number, run, "up")
        assert checks.finish(own, 10)
    assert len(web.asked) == 2, "the budget of the minute is used up"
    clock.advance(minutes=2)
    assert checks.finish(own, 10)
    assert len(web.asked) == 3, "two of a person's questions were the same"


@pytest.mark.feature("P5")
def test_the_switch(own: Desk, people: dict[str, Actor], web: Web) -> None:
    web.answers["/"] = plain(200, "ok")
    with pytest.raises(NotAllowed):
        checks.stop(own, people["agent"], "x")
    with pytest.raises(BadInput):
        checks.stop(own, people["lead"], " ")
    checks.stop(own, people["lead"], "They load the database.")
    told = checks.stopped(own)
    assert told is not None
    assert (told["by"], told["reason"]) == ("lead", "They load the database.")
    number = opened(own, people)
    assert checks.finish(own, 5)
    assert web.asked == []
    with pytest.raises(BadInput, match="They load the database"):
        playbooks.run_check(own, people["owner"], number, run_of(own, number).recorded.id, "up")
    checks.start(own, people["lead"])
    assert checks.stopped(own) is None
    assert checks.finish(own, 10)
    assert len(web.asked) == 1
    own.config = replace(own.config, checks=replace(own.config.checks, enabled=False))
    assert checks.run_due(own) == 0


def resolved(own: Desk, people: dict[str, Actor]) -> int:
    number = opened(own, people)
    assert checks.finish(own, 10)
    incidents.take(own, people["owner"], number)
    run = run_of(own, number).recorded.id
    if outcomes(own, number)["two"] == "":
        playbooks.record_step(own, people["owner"], number, run, "two", "done")
    resolution.resolve(own, people["owner"], number, "fixed", "software", "Restarted it.", "It works again.")
    return number


def missing(facts: Facts, actor: Actor) -> dict[str, str | None]:
    """What is missing, by guard."""
    return {guard.id: lacking for guard, lacking in checklist(facts, actor)}


def status(desk: Desk, number: int) -> str:
    return incidents.facts(desk, number).status


@pytest.mark.feature("P6")
def test_a_fix_that_holds_verifies_itself(own: Desk, people: dict[str, Actor], web: Web, clock: Clock) -> None:
    web.answers["/"] = plain(500, "broken")
    number = opened(own, people)
    assert checks.finish(own, 10)
    web.answers["/"] = plain(200, "ok")
    clock.advance(minutes=2)
    incidents.take(own, people["owner"], number)
    playbooks.record_step(own, people["owner"], number, run_of(own, number).recorded.id, "two", "done")
    resolution.resolve(own, people["owner"], number, "fixed", "software", "Restarted it.", "It works again.")
    facts = incidents.facts(own, number)
    assert "own verification has not passed" in str(missing(facts, people["owner"])["G6"])
    for _ in range(7):
        assert checks.finish(own, 10)
        clock.advance(minutes=5)
    assert checks.finish(own, 10)
    rows = ask(own, select(verification).where(verification.c.incident_id == number))
    assert [(r.kind, r.verdict, r.no_new_problem) for r in rows] == [("playbook", "pass", True)]
    assert "when the ticket opened: fail" in rows[0].evidence
    assert incidents.facts(own, number).verify_open == ()


@pytest.mark.feature("P6")
def test_a_fix_that_breaks_takes_the_ticket_back(own: Desk, people: dict[str, Actor], web: Web, clock: Clock) -> None:
    web.answers["/"] = plain(200, "ok")
    number = resolved(own, people)
    assert checks.finish(own, 10)
    web.answers["/"] = plain(500, "again")
    clock.advance(minutes=6)
    assert checks.finish(own, 10)
    assert status(own, number) == "resolved", "one look that fails is looked at again"
    clock.advance(seconds=20)
    assert checks.finish(own, 10)
    assert status(own, number) == "in_progress"
    (row,) = ask(own, select(observation).where(observation.c.incident_id == number))
    assert row.state == "failed"
    rows = ask(own, select(verification).where(verification.c.incident_id == number))
    assert [(r.kind, r.verdict) for r in rows] == [("playbook", "fail")]
    assert "500" in rows[0].evidence


@pytest.mark.feature("P6")
def test_one_bad_look_alone_is_forgiven(own: Desk, people: dict[str, Actor], web: Web, clock: Clock) -> None:
    web.answers["/"] = plain(200, "ok")
    number = resolved(own, people)
    assert checks.finish(own, 10)
    web.answers["/"] = plain(500, "once")
    clock.advance(minutes=6)
    assert checks.finish(own, 10)
    web.answers["/"] = plain(200, "ok")
    clock.advance(seconds=20)
    assert checks.finish(own, 10)
    assert status(own, number) == "resolved"


@pytest.mark.feature("P6")
def test_what_cannot_be_found_out_is_no_pass(own: Desk, people: dict[str, Actor], web: Web, clock: Clock) -> None:
    web.answers["/"] = plain(200, "ok")
    number = resolved(own, people)
    own.config = replace(own.config, checks=replace(own.config.checks, allow=("10.0.0.0/8",)))
    for _ in range(8):
        clock.advance(minutes=6)
        assert checks.finish(own, 10)
    rows = ask(own, select(verification).where(verification.c.incident_id == number))
    assert [(r.kind, r.verdict, r.no_new_problem) for r in rows] == [("playbook", "inconclusive", False)]
    assert "is loopback" in incidents.facts(own, number).verify_open[0]
    assert status(own, number) == "resolved"
    resolution.verify(own, people["agent"], number, "pass", "Asked it by hand", "It answered 200", True)
    facts = incidents.facts(own, number)
    assert missing(facts, people["agent"])["G6"] is None


@pytest.mark.feature("P5")
def test_a_budget_for_all_together(own: Desk, people: dict[str, Actor], web: Web, clock: Clock) -> None:
    web.answers["/"] = plain(200, "ok")
    own.config = replace(own.config, checks=replace(own.config.checks, per_minute=1))
    number = opened(own, people)
    assert checks.finish(own, 10)
    playbooks.run_check(own, people["owner"], number, run_of(own, number).recorded.id, "up")
    assert checks.finish(own, 10)
    assert len(web.asked) == 1
    clock.advance(minutes=2)
    assert checks.finish(own, 10)
    assert len(web.asked) == 2


@pytest.mark.feature("P5")
def test_what_waits_too_long_is_given_up_and_says_so(
    own: Desk, people: dict[str, Actor], web: Web, clock: Clock
) -> None:
    own.config = replace(own.config, checks=replace(own.config.checks, per_minute=0))
    number = opened(own, people)
    assert checks.finish(own, 10)
    clock.advance(minutes=16)
    assert checks.finish(own, 10)
    assert web.asked == []
    (run,) = ask(own, select(check_run))
    assert (run.verdict, run.summary) == (
        "inconclusive",
        "It waited too long: the checks were stopped, or there were too many.",
    )
    assert outcomes(own, number)["up"] == "", "inconclusive ticks nothing"


@pytest.mark.feature("P5")
def test_inconclusive_is_tried_again_as_often_as_the_playbook_says(
    own: Desk, people: dict[str, Actor], web: Web, clock: Clock, tmp_path: Path
) -> None:
    file = tmp_path / "own" / "own.yaml"
    asked = 'type: http, url: "${target}", attempts: 1'
    file.write_text(file.read_text().replace(asked, "type: promql, query: up, expect: some, attempts: 3"))
    own.playbooks.reload()
    own.config = replace(own.config, prometheus=Api(url=web.url))
    web.answers["/api/v1/query"] = plain(503, "starting")
    number = opened(own, people)
    assert checks.finish(own, 10)
    (run,) = ask(own, select(check_run))
    assert (run.tries, run.state, run.verdict) == (1, "queued", None)
    assert checks.finish(own, 10)
    assert len(web.asked) == 1, "not at once"
    up = '{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "1"]}]}}'
    web.answers["/api/v1/query"] = plain(200, up, Content_Type="application/json")
    clock.advance(seconds=3)
    assert checks.finish(own, 10)
    (run,) = ask(own, select(check_run))
    assert (run.tries, run.verdict, outcomes(own, number)["up"]) == (2, "pass", "done")


@pytest.mark.feature("P5")
def test_what_is_taken_back_while_it_runs_is_not_told(own: Desk, people: dict[str, Actor], web: Web) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        asked.set()
        go_on.wait(20)
        plain(200, "ok")(handler)

    web.answers["/"] = slow
    number = opened(own, people)
    run = run_of(own, number).recorded.id
    checks.run_due(own)
    assert asked.wait(10)
    for step in ("up", "verify:up"):  # the baseline asks the same
        playbooks.cancel_check(own, people["owner"], number, run, step)
    go_on.set()
    assert checks.finish(own, 20)
    assert outcomes(own, number)["up"] == ""
    (row,) = ask(own, select(check_run))
    assert (row.state, row.verdict) == ("cancelled", None)

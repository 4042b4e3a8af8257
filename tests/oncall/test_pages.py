"""The on-call pages as a person without JavaScript uses them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from servicedesk.desk import Desk
from servicedesk.services import incidents
from servicedesk.services import setup as first
from servicedesk.store.views import oncall
from tests.oncall.conftest import Crew, rota
from tests.support.clock import Clock
from tests.support.pages import open_pages, sign_in_as
from tests.told.rows import lines, opened, row_of


@pytest.fixture
def app(desk: Desk, people: Crew) -> Flask:
    first.first_run(desk)
    return open_pages(desk)


@pytest.mark.feature("N3")
def test_a_lead_makes_a_schedule_and_everybody_reads_and_changes_the_month(
    app: Flask, desk: Desk, people: Crew, clock: Clock
) -> None:
    lead = sign_in_as(app, desk, "lead")
    lead.get("/on-call")
    assert "No schedule yet" in lead.text
    lead.get("/on-call/new-schedule")
    new = {
        "name": "Primary",
        "timezone": "Europe/Paris",
        "layer_1_people": "owner\nagent",
        "layer_1_start": "2026-11-02",
    }
    lead.send("new-schedule", status=422, **new | {"layer_1_hand_over": "noon"})
    assert "'noon' is no time" in lead.text
    lead.send("new-schedule", **new | {"layer_1_hand_over": "mon 09:00"})
    assert lead.path == "/on-call/schedules/Primary"
    assert "Nov 2026" in lead.text
    agent = sign_in_as(app, desk, "agent")
    agent.get("/on-call/schedules/Primary")
    agent.send(
        "schedules/Primary", "Put on call", user="reviewer", starts_at="2026-11-04T08:00", ends_at="2026-11-04T18:00"
    )
    with desk.read() as tx:
        found = oncall.find(tx, "Primary", clock.now() + timedelta(days=2, hours=3))
    assert found is not None
    assert found.now.person == "reviewer"
    assert "reviewer" in agent.text
    agent.send("schedules/Primary", "Put on call", 422, starts_at="2026-11-04T18:00", ends_at="2026-11-04T08:00")
    assert "The end comes after the begin." in agent.text
    agent.get("/on-call/schedules/Primary")
    agent.send("schedules/Primary", "Cancel")
    shifts = agent.form("schedules/Primary", "Swap").choices["one"]
    agent.send("schedules/Primary", "Swap", one=shifts[0], other=shifts[1])
    assert "agent" in agent.get("/on-call").words
    lead.get("/on-call/schedules/Primary")
    lead.send("schedules/Primary", "Make an address")
    assert "/calendar/" in lead.text
    assert "Change the rotation" not in agent.get("/on-call/schedules/Primary").text
    lead.get("/on-call/schedules/Primary/edit")
    lead.send("Primary/edit", layer_1_restrict="mon-fri 08:00-18:00")
    with desk.read() as tx:
        later = oncall.find(tx, "Primary", clock.now() + timedelta(days=30))
    assert later is not None
    assert (later.layers[0].restrict, later.gaps > 0) == ("mon-fri 08:00-18:00", True)


@pytest.mark.feature("N4")
def test_a_lead_writes_a_policy_tries_it_and_sees_who_is_told(app: Flask, desk: Desk, people: Crew) -> None:
    rota(desk, people["lead"])
    lead = sign_in_as(app, desk, "lead")
    lead.get("/on-call/new-policy")
    steps = {"name": "Web", "step_1_target_1": "schedule:Primary", "team_Operations": "1"}
    lead.send("new-policy", "Try it", **steps, at="2026-11-03T03:00")
    assert "nobody answered" in lead.text
    lead.send("new-policy", "Save", **steps)
    assert lead.path == "/on-call/policies/Web"
    lead.send(
        "policies/Web", "Save", step_1_target_2="person:agent", step_2_target_1="team:Operations", step_2_wait="15"
    )
    assert "after 15 min" in lead.get("/on-call/policies").text
    agent = sign_in_as(app, desk, "agent")
    agent.get("/on-call/policies?priority=1&service=General&at=2026-11-03T03:00")
    assert "If nobody answered:" in agent.text
    assert "Try it" not in agent.get("/on-call/policies/Web").text
    lead.get("/on-call/policies/Web")
    lead.send("policies/Web", "Save", 422, step_1_target_1="", step_1_target_2="", step_2_target_1="")
    assert "At least one and at most 20 steps." in lead.text


@pytest.mark.feature("T23")
@pytest.mark.feature("N9")
def test_a_person_goes_away_and_hands_over(app: Flask, desk: Desk, people: Crew) -> None:
    number = opened(desk, people["requester"])
    other = opened(desk, people["requester"])
    for n in (number, other):
        incidents.take(desk, people["agent"], n)
    agent = sign_in_as(app, desk, "agent")
    agent.get("/on-call/me")
    agent.send("on-call/me", "I am away", **{"from": "2026-11-05T09:00", "to": "2026-11-06T09:00", "deputy": "owner"})
    assert "deputy: owner" in agent.text
    agent.send("on-call/me", "I am there")
    agent.send(
        "on-call/me", "Save", quiet_hours="22:00-07:00", skills="network, database", channel_1="email", after_1="3"
    )
    agent.send("on-call/me", "Save", 422, quiet_hours="late")
    assert "'late' is no time" in agent.text
    with desk.read() as tx:
        kept = oncall.rules(tx, people["agent"].id or 0)
    assert (kept.skills, kept.channels[0].after, kept.breaks_through) == (("network", "database"), 3, (1, 2))
    agent.get("/on-call/hand-over")
    agent.send("on-call/hand-over", to="owner", known="disk full", ticket=[str(number)])
    assert row_of(desk, number).owner_id == people["owner"].id
    assert lines(desk, number, "handover")[0]["known"] == "disk full"
    agent.send("release/INC-" + str(other))
    assert row_of(desk, other).owner_id is None
    assert "You have nothing open" in agent.text
    requester = sign_in_as(app, desk, "requester")
    requester.get("/on-call/hand-over", 404)


@pytest.mark.feature("T23", "T24")
def test_where_we_are_stands_on_the_ticket(app: Flask, desk: Desk, people: Crew) -> None:
    number = opened(desk, people["requester"])
    incidents.take(desk, people["agent"], number)
    agent = sign_in_as(app, desk, "agent")
    agent.get(f"/incidents/INC-{number}/hand-over")
    agent.send("hand-over", "Save", known="disk full", next="call the vendor")
    assert agent.path == f"/incidents/INC-{number}"
    assert "disk full" in agent.text
    agent.get(f"/incidents/INC-{number}/hand-over")
    agent.send("hand-over", "Save", to="owner", tried="cleaned the logs")
    assert row_of(desk, number).owner_id == people["owner"].id
    assert lines(desk, number, "handover")[-1]["known"] == "disk full"
    owner = sign_in_as(app, desk, "owner")
    owner.get(f"/incidents/INC-{number}/hand-over")
    owner.send("hand-over", "Back to the queue")
    assert row_of(desk, number).owner_id is None

"""Schedules, policies, rules and hand-over through the API, a calendar program and the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import Callers, callers, one  # noqa: F401 - fixtures
from tests.cli.conftest import Cli, cli, folder, sd  # noqa: F401 - fixtures

LAYER = {"name": "first", "people": ["owner", "agent"], "hand_over": "mon 09:00", "start": "2026-11-02"}
ROTA = {"timezone": "Europe/Paris", "team": "Operations", "layers": [LAYER]}
STEPS = [
    {"wait": 0, "targets": [{"kind": "schedule", "name": "Primary"}]},
    {"wait": 15, "targets": [{"kind": "team", "name": "Operations"}]},
]


@pytest.mark.feature("N3")
def test_a_schedule_is_written_asked_overridden_and_swapped(callers: Callers) -> None:  # noqa: F811
    written = callers.lead.call("PUT", "/schedules/Primary", json=ROTA).json
    assert (written["now"]["person"], written["next"]["person"], written["gaps"]) == ("owner", "agent", 0)
    assert written["now"]["ends_at"] == "2026-11-09T08:00:00Z"
    span = {"starts_at": "2026-11-02T10:00:00Z", "ends_at": "2026-11-02T12:00:00Z"}
    made = callers.agent.post("/schedules/Primary/overrides", {"user": "lead", **span}, 201)
    at = callers.agent.get("/schedules/Primary?at=2026-11-02T11:00:00Z")
    assert (at["now"]["person"], at["now"]["why"]) == ("lead", "override")
    assert callers.agent.call("DELETE", f"/schedules/Primary/overrides/{made['id']}").status_code == 204
    days = {"one": "2026-11-03T12:00:00Z", "other": "2026-11-10T12:00:00Z"}
    assert len(callers.agent.post("/schedules/Primary/swaps", days, 201)["ids"]) == 2
    until = "2026-11-23T08:00:00Z"
    shifts = callers.agent.get(f"/schedules/Primary/shifts?since=2026-11-02T08:00:00Z&until={until}")["items"]
    assert [s["person"] for s in shifts] == ["agent", "owner", "owner"]
    assert [a["ends_at"] for a in shifts[:-1]] == [b["starts_at"] for b in shifts[1:]]
    cover = callers.agent.get("/on-call")["items"]
    assert {(c["service"], c["schedules"][0]["name"]) for c in cover} == {("General", "Primary"), ("", "Primary")}


def test_who_may_not_and_what_cannot_be_is_said(one: Callers) -> None:  # noqa: F811
    one.agent.must(one.agent.call("PUT", "/schedules/Primary", json=ROTA), 403)
    one.requester.get("/schedules", 403)
    one.requester.post("/absences", {"starts_at": "2026-11-02T10:00:00Z", "ends_at": "2026-11-03T10:00:00Z"}, 403)
    bad = ROTA | {"layers": [LAYER | {"hand_over": "noon"}, LAYER | {"name": "2", "people": ["nobody"]}]}
    answer = one.lead.must(one.lead.call("PUT", "/schedules/Primary", json=bad), 422)
    assert "layer_2_people" in str(answer)
    one.lead.get("/schedules/Nowhere", 404)
    one.lead.call("PUT", "/schedules/Primary", json=ROTA)
    one.lead.must(one.lead.call("PUT", "/schedules/Primary", json=ROTA | {"version": 9}), 409)
    one.lead.get("/schedules/Primary?at=2026-11-02T11:00:00", 422)
    one.lead.get("/schedules/Primary/shifts?until=2199-01-01T00:00:00Z", 422)


@pytest.mark.feature("N3")
def test_a_calendar_program_reads_the_feed_and_its_entries_come_in(callers: Callers) -> None:  # noqa: F811
    callers.lead.call("PUT", "/schedules/Primary", json=ROTA)
    url = callers.lead.post("/schedules/Primary/feed", status=201)["url"]
    path = "/calendar/" + url.split("/calendar/")[1]
    feed = callers.nobody.client.get(path)
    assert feed.content_type == "text/calendar; charset=utf-8"
    text = feed.get_data(as_text=True)
    assert "DTSTART;TZID=Europe/Paris:20261102T090000" in text
    assert "SUMMARY:Primary: owner" in text
    again = callers.lead.post("/schedules/Primary/feed", status=201)["url"]
    assert callers.nobody.client.get(path).status_code == 404, "the address before is void"
    assert again != url
    assert callers.nobody.client.get("/calendar/x.ics").status_code == 404

    def bring(body: str, status: int = 200) -> Any:
        options = {"data": body.encode(), "content_type": "text/calendar"}
        return callers.agent.must(callers.agent.call("POST", "/schedules/Primary/calendar", **options), status)

    entry = "BEGIN:VEVENT\r\nUID:7\r\nDTSTART:20261103T090000Z\r\nDTEND:20261103T170000Z\r\nSUMMARY:On call: Lead\r\n"
    calendar = "BEGIN:VCALENDAR\r\n{}END:VEVENT\r\nEND:VCALENDAR\r\n"
    assert bring(calendar.format(entry)) == {"added": 1, "changed": 0, "cancelled": 0, "same": 0}
    assert bring(calendar.format(entry))["same"] == 1
    assert callers.agent.get("/schedules/Primary?at=2026-11-03T10:00:00Z")["now"]["person"] == "lead"
    assert bring(calendar.format(entry.replace("T17", "T16")))["changed"] == 1
    assert bring(calendar.format(entry + "STATUS:CANCELLED\r\n"))["cancelled"] == 1
    assert callers.agent.get("/schedules/Primary/overrides")["items"] == []
    assert "nobody here is called" in str(bring(calendar.format(entry.replace("Lead", "Zorro")), 422))
    bring("<html>", 422)


@pytest.mark.feature("N4")
def test_a_policy_is_written_shown_and_tried(callers: Callers) -> None:  # noqa: F811
    callers.lead.call("PUT", "/schedules/Primary", json=ROTA)
    body = {"policy": {"steps": STEPS, "repeat": 0}, "teams": ["Operations"], "services": []}
    written = callers.lead.call("PUT", "/escalation-policies/Web", json=body).json
    assert (written["version"], written["teams"]) == (1, ["Operations"])
    asked = {"priority": 1, "service": "General", "at": "2026-11-10T23:00:00+01:00"}
    found = callers.agent.post("/escalation-simulations", asked)
    assert found["policy"] == "Web"
    assert (found["steps"][0]["step"], found["steps"][0]["at"]) == (1, "2026-11-10T22:00:00Z")
    assert found["steps"][0]["tells"][0] | {"at": ""} == {
        "target": "schedule: Primary", "person": "agent", "channel": "", "at": "", "state": "skipped",
        "reason": "No channel to people is configured.",
    }  # fmt: skip
    tried = callers.agent.post("/escalation-simulations", asked | {"policy": {"steps": STEPS[1:]}})
    assert tried["steps"]
    body["policy"] = {"steps": [STEPS[0], {"wait": 5, "targets": [{"kind": "team", "name": "Nowhere"}]}]}
    refused = callers.lead.must(callers.lead.call("PUT", "/escalation-policies/Web", json=body), 422)
    assert "step_2" in str(refused)
    assert callers.lead.call("DELETE", "/schedules/Primary").status_code == 409
    assert callers.lead.call("DELETE", "/escalation-policies/Web").status_code == 204
    assert callers.agent.post("/escalation-simulations", asked) == {"policy": "", "steps": []}


@pytest.mark.feature("N5", "N9")
def test_rules_absences_and_a_shift_are_one_s_own(callers: Callers) -> None:  # noqa: F811
    rules = {"quiet_hours": "22:00-07:00", "channels": [{"channel": "email", "after": 2}], "skills": ["network"]}
    put = callers.agent.call("PUT", "/users/me/notification-rules", json=rules).json
    assert put == callers.agent.get("/users/agent/notification-rules")
    assert (put["breaks_through"], put["channels"][0]["after"]) == ([1, 2], 2)
    callers.agent.must(callers.agent.call("PUT", "/users/owner/notification-rules", json=rules), 403)
    callers.agent.must(callers.agent.call("PUT", "/users/me/notification-rules", json={"quiet_hours": "x"}), 422)
    away = {"starts_at": "2026-11-05T08:00:00Z", "ends_at": "2026-11-06T08:00:00Z", "deputy": "owner"}
    made = callers.agent.post("/absences", away, 201)["id"]
    assert [a["deputy"] for a in callers.lead.get("/absences")["items"]] == ["owner"]
    assert callers.agent.call("DELETE", f"/absences/{made}").status_code == 204
    assert callers.lead.get("/absences")["items"] == []
    ticket = {"title": "Disk full", "category": "storage", "impact": 1, "urgency": 1}
    numbers = [callers.agent.post("/incidents", ticket, 201)["number"] for _ in range(2)]
    for number in numbers:
        callers.agent.post(f"/incidents/{number}/acknowledgement")
    items = callers.agent.post("/hand-overs", {"to": "owner", "known": "disk full"})["items"]
    assert items == [{"number": number, "problem": ""} for number in numbers]
    assert callers.agent.get(f"/incidents/{numbers[0]}")["owner"] == "owner"
    assert callers.owner.post(f"/incidents/{numbers[0]}/release", {"reason": "end of shift"})["owner"] is None
    assert callers.owner.post(f"/incidents/{numbers[1]}/hand-over", {"to": "agent"})["owner"] == "agent"
    team = callers.lead.call("PUT", "/teams/Operations/assignment-rules", json={"enabled": True}).json
    assert team["enabled"] is True


@pytest.mark.feature("N3", "O4")
def test_the_command_line(sd: Cli, tmp_path: Path) -> None:  # noqa: F811
    from servicedesk.config import load
    from servicedesk.desk import open_desk
    from servicedesk.domain.incident import ADMIN, Actor
    from servicedesk.services import schedules
    from servicedesk.services.schedules import LayerIn

    for name in ("ann", "bob"):
        assert sd("user", "add", name, "--role", "agent").code == 0
    desk = open_desk(load())
    operator = Actor(None, "operator", frozenset({ADMIN}))
    schedules.save(desk, operator, "Primary", [LayerIn("first", ("ann",))], "Europe/Paris", "Operations")
    desk.close()
    assert sd("oncall", "show", "--json").json[0]["now"]["person"] == "ann"
    assert "ann" in sd("oncall", "show").out
    made = sd("oncall", "override", "Primary", "bob", "2099-01-01T08:00", "2099-01-01T18:00", "--json").json
    found = sd("oncall", "show", "Primary", "--at", "2099-01-01T07:30", "--json").json
    assert (found[0]["now"]["person"], found[0]["now"]["starts_at"]) == ("bob", "2099-01-01T07:30:00Z")
    assert "bob (override)" in sd("oncall", "shifts", "Primary", "--from", "2099-01-01T00:00", "--days", "2").out
    assert sd("oncall", "cancel-override", "Primary", str(made["id"])).code == 0
    assert sd("oncall", "absent", "ann", "2098-01-01T08:00", "2099-02-01T08:00", "--deputy", "bob").code == 0
    assert "bob (for ann)" in sd("oncall", "show", "--at", "2099-01-01T07:30").out
    assert "Primary" in sd("oncall", "show", "--by", "service").out
    assert sd("oncall", "show", "--by", "team", "Operations", "--json").json[0]["team"] == "Operations"
    assert "no escalation policy" in sd("oncall", "simulate", "1").out
    assert sd("oncall", "feed", "Primary").out.strip().endswith(".ics")
    file = tmp_path / "a.ics"
    file.write_text(
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20990301T080000Z\nDTEND:20990301T090000Z\nSUMMARY:bob\n"
        "END:VEVENT\nEND:VCALENDAR\n"
    )
    assert sd("oncall", "import", "Primary", str(file), "--json").json["added"] == 1
    assert sd("oncall", "show", "Nowhere").code == 1
    assert sd("oncall", "override", "Nowhere", "bob", "2099-01-01T08:00", "2099-01-01T18:00").code == 1
    assert sd("oncall", "override", "Primary", "bob", "noon", "2099-01-01T18:00").code == 2

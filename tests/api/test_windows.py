"""Maintenance windows and suppressions by API and command line."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from servicedesk.cli import main as cli
from servicedesk.desk import Desk
from servicedesk.services import apply, maintenance
from tests.api.conftest import Callers
from tests.intake.wire import alert
from tests.support.clock import START, Clock

pytestmark = pytest.mark.feature("I11", "O3")
NIGHT = {
    "title": "Database upgrade",
    "starts_at": "2026-11-02T10:30:00",
    "minutes": 60,
    "matchers": 'alertname=~"Disk.*"',
    "recurrence": "FREQ=WEEKLY;BYDAY=MO",
    "timezone": "Europe/Paris",
}


def test_planned_previewed_listed_and_ended(one: Callers, clock: Clock) -> None:
    desk, lead = one.desk, one.lead
    one.sender.post("/receivers/alertmanager", {"alerts": [alert(START)]})
    apply.run_all(desk)
    seen = lead.post("/maintenance-windows/preview", NIGHT)
    assert [m["name"] for m in seen["alerts"]] == ["DiskFull"]
    assert seen["times"][0] == ["2026-11-02T09:30:00Z", "2026-11-02T10:30:00Z"]
    assert len(seen["times"]) == 10

    made = lead.post("/maintenance-windows", NIGHT, status=201)
    assert (made["state"], made["next_start"], made["made_by"]) == ("planned", "2026-11-02T09:30:00Z", "lead")
    clock.advance(minutes=40)
    one.sender.post("/receivers/alertmanager", {"alerts": [alert(clock.now(), instance="b")]})
    apply.run_all(desk)
    (listed,) = lead.get("/maintenance-windows")["items"]
    assert (listed["state"], listed["held"]) == ("running", 1)
    newest = lead.get("/alerts")["items"][0]
    assert (newest["waits"], newest["waits_until"]) == ("window", "2026-11-02T10:30:00Z")

    ended = lead.post(f"/maintenance-windows/{made['id']}/cancellation")
    assert ended["state"] == "cancelled"
    maintenance.run_due(desk)
    assert lead.get("/alerts")["items"][0]["incident_id"] is not None
    assert lead.get("/maintenance-windows")["items"] == []
    assert len(lead.get("/maintenance-windows?past=true")["items"]) == 1
    lead.post(f"/maintenance-windows/{made['id']}/cancellation", status=409)


def test_suppressions_are_a_list_of_their_own(one: Callers) -> None:
    made = one.lead.post("/suppressions", NIGHT | {"recurrence": ""}, status=201)
    assert one.lead.get("/maintenance-windows")["items"] == []
    assert [w["id"] for w in one.agent.get("/suppressions")["items"]] == [made["id"]]
    assert one.agent.get(f"/suppressions/{made['id']}")["kind"] == "suppression"
    one.agent.get(f"/maintenance-windows/{made['id']}", 404)
    one.lead.post(f"/suppressions/{made['id']}/cancellation")


def test_who_may_and_what_is_wrong(one: Callers) -> None:
    one.agent.post("/maintenance-windows", NIGHT, status=403)
    one.requester.get("/maintenance-windows", status=403)
    told = one.lead.post("/maintenance-windows", NIGHT | {"recurrence": "FREQ=SECONDLY", "matchers": ""}, status=422)
    assert [e["field"] for e in told["errors"]] == ["matchers"]
    told = one.lead.post("/maintenance-windows", NIGHT | {"recurrence": "FREQ=SECONDLY"}, status=422)
    assert [e["field"] for e in told["errors"]] == ["recurrence"]
    one.lead.post("/maintenance-windows", NIGHT | {"timezone": "Mars/Base"}, status=422)


@pytest.mark.feature("O4")
def test_the_command(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("SERVICEDESK_DATA_DIR", desk.config.data_dir)
    monkeypatch.setenv("SERVICEDESK_DATABASE_URL", desk.config.database_url)

    def run(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        code = cli.run(["maintenance", *words])
        return code, capsys.readouterr().out

    given = (
        "--start",
        "2099-01-04T02:00",
        "--minutes",
        "30",
        "--matchers",
        'alertname="X"',
        "--timezone",
        "Asia/Tokyo",
    )
    code, out = run("add", "Reboot", *given, "--dry-run")
    assert (code, "nothing was stored" in out) == (2, False)  # too far away
    soon = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%dT02:00")
    given = ("--start", soon, *given[2:])
    code, out = run("add", "Reboot", *given, "--recurrence", "FREQ=MONTHLY", "--dry-run")
    assert (code, "nothing was stored" in out, "17:00 to" in out) == (0, True, True)
    code, out = run("add", "Reboot", *given, "--json")
    number = json.loads(out)["id"]
    code, out = run("list")
    assert (code, "Reboot" in out, "planned" in out) == (0, True, True)
    assert run("cancel", str(number))[0] == 0
    assert json.loads(run("list", "--json")[1]) == []
    assert json.loads(run("list", "--past", "--json")[1])[0]["state"] == "cancelled"
    assert run("add", "Reboot", "--start", "soon", "--minutes", "5")[0] == 2

"""Lists: filters, keyset cursors, limits; alerts, deliveries and figures after real deliveries."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from servicedesk.services import apply
from tests.api.conftest import Callers
from tests.support.clock import Clock

NOTHING = "0001-01-01T00:00:00Z"


def alert(name: str, clock: Clock, ends: bool = False, **labels: str) -> dict[str, Any]:
    started = clock.now() - timedelta(minutes=3)
    return {
        "status": "resolved" if ends else "firing",
        "labels": {"alertname": name, "severity": "critical", "service": "shop"} | labels,
        "annotations": {"summary": f"{name} is bad"},
        "startsAt": started.isoformat(),
        "endsAt": clock.now().isoformat() if ends else NOTHING,
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": f"{abs(hash((name, *sorted(labels.items())))) % 16**16:016x}",
    }


def deliver(callers: Callers, *alerts: dict[str, Any]) -> int:
    body = {"version": "4", "groupKey": "{}", "status": "firing", "receiver": "x", "alerts": alerts}
    answer = callers.sender.call("POST", "/receivers/alertmanager", data=json.dumps(body))
    assert answer.status_code == 200
    apply.run_all(callers.desk)
    delivery: int = answer.json["delivery"]
    return delivery


@pytest.mark.feature("I1", "I6", "T20", "T21")
def test_an_alert_by_all_its_addresses(callers: Callers, clock: Clock) -> None:
    fired = alert("DiskFull", clock, instance="db1")
    delivery = deliver(callers, fired)
    (shown,) = callers.lead.get("/incidents?label=instance=db1&source=prod-am&status=new")["items"]
    ticket = callers.lead.get(f"/incidents/{shown['number']}")
    assert [a["labels"]["instance"] for a in ticket["alerts"]] == ["db1"]
    assert ticket["alerts"][0]["generator_url"] == fired["generatorURL"]
    assert (ticket["source"], ticket["occurrences"], ticket["service"]) == ("prod-am", 1, "shop")
    (one,) = callers.lead.get("/alerts?name=DiskFull&status=firing")["items"]
    detail = callers.lead.get(f"/alerts/{one['id']}")
    assert detail["incident"] == ticket["number"]
    assert len(detail["episodes"]) == 1
    assert [e["status"] for e in callers.lead.get(f"/alerts/{one['id']}/events")["items"]] == ["firing"]
    led = callers.lead.call("GET", f"/a/{fired['fingerprint']}")
    assert (led.status_code, led.headers["Location"]) == (302, f"/incidents/{ticket['number']}")
    raw = callers.lead.get(f"/deliveries/{delivery}")
    assert json.loads(raw["body"])["alerts"][0]["labels"]["instance"] == "db1"
    assert (raw["delivery"]["state"], raw["delivery"]["source"]) == ("done", "prod-am")
    for path in ("/a/0000000000000000", "/alerts/999", "/alerts/999/events", "/deliveries/999"):
        assert callers.lead.call("GET", path).status_code == 404


@pytest.mark.feature("I5")
def test_a_dead_letter_is_listed_shown_and_replayed(callers: Callers, clock: Clock) -> None:
    answer = callers.sender.call("POST", "/receivers/alertmanager", data=b"\x00 not json")
    apply.run_all(callers.desk)
    (dead,) = callers.lead.get("/deliveries?state=dead")["items"]
    assert dead["id"] == answer.json["delivery"]
    assert dead["error"]
    assert callers.lead.get(f"/deliveries/{dead['id']}")["body"] == "\x00 not json"
    callers.agent.post(f"/deliveries/{dead['id']}/replay", status=403)
    replayed = callers.lead.post(f"/deliveries/{dead['id']}/replay")
    assert replayed["applied"] == 0
    assert replayed["dead"]
    assert callers.lead.get("/deliveries?state=done")["items"] == []


def test_keyset_cursors_visit_everything_once(callers: Callers, clock: Clock) -> None:
    deliver(callers, *(alert(f"A{i}", clock, instance=f"h{i}") for i in range(7)))
    for path, key in (("/incidents", "number"), ("/incidents?sort=newest", "number"), ("/alerts", "id")):
        seen: list[Any] = []
        cursor: str | None = ""
        while cursor is not None:
            joint = "&" if "?" in path else "?"
            page = callers.lead.get(f"{path}{joint}limit=3" + (f"&cursor={cursor}" if cursor else ""))
            assert len(page["items"]) <= 3
            seen += [item[key] for item in page["items"]]
            cursor = page["next"]
        assert len(seen) == len(set(seen)) == 7


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=many", "limit"),
        ("cursor=%00", "cursor"),
        ("cursor=WzFd", "cursor"),
        ("sort=worst", "sort"),
        ("status=closd", "status"),
        ("priority=9", "priority"),
        ("label=nonsense", "label"),
        ("opened_after=yesterday", "opened_after"),
        ("colour=red", "colour"),
    ],
)
def test_wrong_queries_are_named(one: Callers, query: str, field: str) -> None:
    assert field in {e["field"] for e in one.lead.get(f"/incidents?{query}", 422)["errors"]}


@pytest.mark.feature("T5")
def test_filters(one: Callers, clock: Clock) -> None:
    for title, more in (("Printer", {"impact": 1, "urgency": 1}), ("Mail is slow", {"type": "request"})):
        one.lead.post("/incidents", {"title": title, "category": "mail"} | more, 201)
    one.owner.post("/incidents/1/acknowledgement")
    one.lead.patch("/incidents/1", {"tags": ["vip"], "major": True})

    def found(query: str) -> list[str]:
        return [i["number"] for i in one.owner.get(f"/incidents?{query}")["items"]]

    assert found("owner=owner") == found("owner=me") == found("priority=1") == found("tag=vip") == ["INC-1"]
    assert found("owner=none") == found("type=request") == found("status=new") == found("q=slow") == ["INC-2"]
    assert found("major=true") == ["INC-1"]
    assert found("major=false") == ["INC-2"]
    assert found("category=mail&status=new&status=in_progress") == ["INC-2", "INC-1"]
    assert found("team=Operations&q=INC-1") == ["INC-1"]
    assert found("owner=ghost") == found("team=ghost") == found("service=ghost") == found("requester=ghost") == []
    later = (clock.now() + timedelta(hours=1)).isoformat().replace("+", "%2B")
    assert found(f"opened_after={later}") == []
    assert len(found(f"opened_before={later}")) == 2


@pytest.mark.feature("O5")
def test_figures(callers: Callers, clock: Clock) -> None:
    deliver(callers, alert("DiskFull", clock, instance="db1"))
    told = callers.app.test_client().get("/metrics").text
    (line,) = [line for line in told.splitlines() if line.startswith("servicedesk_incidents{")]
    assert 'status="new"' in line
    assert line.endswith(" 1.0")
    for name in (
        "servicedesk_deliveries_total",
        "servicedesk_delivery_store_seconds",
        "servicedesk_ingest_lag_seconds",
        "servicedesk_events_total",
        "servicedesk_transitions_total",
        "servicedesk_refusals_total",
        "servicedesk_reviews_overdue",
        "servicedesk_outbox_pending",
        "servicedesk_notifications_total",
        "servicedesk_playbook_steps_total",
        "servicedesk_http_requests_total",
        "servicedesk_http_request_seconds",
    ):
        assert f"# TYPE {name} " in told, name
    assert 'route="/api/v1/receivers/alertmanager"' in told
    callers.lead.get("/incidents/987654", 404)
    callers.lead.get("/nothing/like/this", 404)
    again = callers.app.test_client().get("/metrics").text
    assert "987654" not in again
    assert "like/this" not in again


@pytest.mark.feature("O5")
def test_health_and_readiness(one: Callers) -> None:
    client = one.app.test_client()
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/readyz").json == {"status": "ok", "database": "ok"}
    one.desk.db.write(lambda tx: tx.run(text("UPDATE alembic_version SET version_num = '9999'")))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "newer" in answer.json["database"]
    one.app.extensions["servicedesk.checks"]["workers"] = lambda: "not running: job-deliveries"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["workers"] == "not running: job-deliveries"


@pytest.mark.feature("A1", "A9", "I21")
def test_the_organisation_by_api(one: Callers) -> None:
    admin = one.admin
    assert admin.post("/teams", {"name": "Web", "email": "web@example.org"}, 201)["name"] == "Web"
    admin.post("/teams", {"name": "Web"}, 409)
    shop = admin.post("/services", {"name": "shop", "team": "Web", "criticality": 1}, 201)
    assert (shop["team"], shop["criticality"]) == ("Web", 1)
    assert admin.patch("/services/shop", {"criticality": 3})["criticality"] == 3
    admin.patch("/services/shop", {}, 422)
    admin.patch("/services/nope", {"criticality": 3}, 404)
    new = admin.post("/users", {"name": "zoe", "roles": ["agent"], "teams": ["Web"]}, 201)
    assert new["teams"] == ["Web"]
    assert admin.get("/users/zoe")["roles"] == ["agent"]
    assert admin.get("/users/me")["name"] == "admin"
    assert "/sign-in/link/" in admin.post("/users/zoe/sign-in-link", status=201)["link"]
    assert {m["name"] for m in admin.put("/teams/Web/members/agent", {"lead": True})["members"]} == {"zoe", "agent"}
    assert {m["name"] for m in admin.delete("/teams/Web/members/zoe")["members"]} == {"agent"}
    assert admin.patch("/users/zoe", {"active": False})["active"] is False
    admin.patch("/users/zoe", {"password_hash": "x"}, 422)
    made = admin.post("/tokens", {"service": "am2", "scopes": ["ingest"], "source": "prod", "expires": "90d"}, 201)
    assert made["token"].startswith(f"sd_{made['id']}_")
    (kept,) = [t for t in admin.get("/tokens")["items"] if t["id"] == made["id"]]
    assert (kept["source"], kept["state"]) == ("prod", "active")
    assert made["token"].split("_", 2)[2] not in json.dumps(admin.get("/tokens"))
    admin.delete(f"/tokens/{made['id']}", 204)
    assert [t["state"] for t in admin.get("/tokens")["items"] if t["id"] == made["id"]] == ["revoked"]
    admin.post("/tokens", {"service": "x", "scopes": ["everything"]}, 422)
    assert admin.get("/policies")["solo_mode"] is False


@pytest.mark.feature("P1", "P2")
def test_playbooks_by_api(one: Callers) -> None:
    first = one.lead.get("/playbooks")["items"][0]
    assert len(first["hash"]) == 64
    assert "schema: 2" in one.lead.get(f"/playbooks/{first['id']}")["source"]
    one.lead.get("/playbooks/nope", 404)
    one.lead.post("/incidents", {"title": "By hand"}, 201)
    run = one.lead.post("/incidents/1/playbook-runs", {"playbook": first["id"]}, 201)
    one.lead.post("/incidents/1/playbook-runs", {"playbook": first["id"]}, 409)
    where = f"/incidents/1/playbook-runs/{run['id']}/steps"
    step = run["steps"][0]["step"]
    one.lead.post(f"{where}/{step}", {"outcome": "skipped"}, 422)
    done = one.lead.post(f"{where}/{step}", {"outcome": "done", "note": "looked"})
    assert (done["steps"][0]["outcome"], done["steps"][0]["actor"]) == ("done", "lead")
    one.lead.post(f"{where}/nope", {"outcome": "done"}, 404)
    figures = one.app.test_client().get("/metrics").text
    assert 'servicedesk_playbook_steps_total{check="manual",verdict="done"}' in figures
    assert [r["id"] for r in one.lead.get("/incidents/1/playbook-runs")["items"]] == [run["id"]]


@pytest.mark.feature("I8")
def test_records_are_checked_marked_and_made_tickets_of(callers: Callers, clock: Clock) -> None:
    deliver(callers, alert("Watchdog", clock), alert("Over", clock, ends=True, severity=""))
    (over,) = callers.lead.get("/alerts?to_check=true")["items"]
    assert (over["name"], over["rule"], over["check_mark"]) == ("Over", "default", "")
    (gap,) = [g for g in callers.lead.get("/alerts/gaps")["items"] if g["name"] == "Over"]
    assert gap == {"name": "Over", "alerts": 1, "severity": 1, "service": 0, "runbook_url": 1}
    callers.lead.put(f"/alerts/{over['id']}/mark", {"mark": "noise"}, 204)
    assert callers.lead.get("/alerts?to_check=true")["items"] == []
    callers.lead.put(f"/alerts/{over['id']}/mark", {"mark": "other"}, 422)
    made = callers.lead.post(f"/alerts/{over['id']}/ticket", status=201)
    assert callers.lead.post(f"/alerts/{over['id']}/ticket") == made | {"new": False}
    assert callers.lead.get(f"/alerts/{over['id']}")["incident"] == made["incident"]
    callers.lead.post("/alerts/999/ticket", status=404)

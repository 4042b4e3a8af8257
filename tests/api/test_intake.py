"""Senders by API."""

import re
from datetime import timedelta

import pytest
import yaml

from servicedesk.services import apply, traffic
from tests.api.conftest import Callers
from tests.intake.wire import alert, body
from tests.support.clock import Clock
from tests.support.source import ROOT


@pytest.mark.feature("I20", "I21")
def test_senders_and_a_test_of_one(callers: Callers, clock: Clock) -> None:
    desk = callers.desk
    told = body(alert(clock.now()))
    assert callers.sender.call("POST", "/receivers/alertmanager", data=told).status_code == 200
    apply.run_all(desk)
    clock.advance(timedelta(minutes=30))
    traffic.run_due(desk)
    found = callers.lead.get("/intake?span=24h")
    (one,) = found["senders"]
    assert (one["source"], one["receiver"], one["events"], one["token"]) == ("prod-am", "alertmanager", 1, True)
    assert sum(step["events"] for step in found["steps"]) == 1
    tried = callers.lead.post("/intake/tests", {"source": "prod-am"})
    assert callers.lead.get(f"/incidents/{tried['incident']}")["tags"] == ["test"]
    callers.lead.post("/intake/tests", {"source": "nobody"}, status=404)
    callers.requester.get("/intake", status=403)
    callers.sender.get("/intake", status=403)
    callers.lead.get("/intake?span=1y", status=422)


@pytest.mark.feature("O5")
def test_metrics_that_the_shipped_rules_ask_for_are_shown(one: Callers) -> None:
    shown = one.admin.call("GET", "/metrics").get_data(as_text=True)
    families = {line.split(" ")[2] for line in shown.splitlines() if line.startswith("# TYPE ")}
    rules = yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text(encoding="utf-8"))
    expressions = " ".join(rule["expr"] for group in rules["groups"] for rule in group["rules"])
    asked = {name.removesuffix("_bucket") for name in re.findall(r"servicedesk_\w+", expressions)}
    assert asked - families == set()

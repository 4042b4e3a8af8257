"""Senders by API."""

from datetime import timedelta

import pytest

from servicedesk.services import apply, traffic
from tests.api.conftest import Callers
from tests.intake.wire import alert, body
from tests.support.clock import Clock


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

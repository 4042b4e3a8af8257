"""The pages of windows and heartbeats, as somebody without JavaScript uses them."""

from datetime import timedelta

import pytest
from flask import Flask

from servicedesk.desk import Desk
from servicedesk.services import heartbeats
from tests.support.clock import Clock
from tests.support.pages import Visitor, person


@pytest.mark.feature("I11")
def test_a_window_is_previewed_planned_and_ended(desk: Desk, app: Flask, clock: Clock, post) -> None:  # type: ignore[no-untyped-def]
    person(desk, "lea", "lead")
    person(desk, "ada", "agent")
    lea, ada = Visitor(app, "lea"), Visitor(app, "ada")
    post("firing", began=10)
    assert "Nothing is planned" in lea.get("/maintenance").text
    lea.get("/maintenance/new")
    typed = {"title": "Upgrade <b>", "kind": "maintenance", "starts_at": "2026-11-02T09:00", "minutes": "90"}
    lea.send("/maintenance/new", "Plan it", status=422, **typed)
    assert "say for which alerts it is" in lea.text
    typed |= {"matchers": 'alertname="ShopLatency"', "repeats": "FREQ=WEEKLY", "timezone": "UTC"}
    lea.send("/maintenance/new", "What would it fit?", **typed)
    assert "1 alert that fires now fits" in lea.text
    assert "Upgrade <b>" in lea.html or "Upgrade &lt;b&gt;" in lea.html
    lea.send("/maintenance/new", "Plan it", **typed)
    assert "Planned." in lea.text
    assert "holds now" in lea.text
    clock.advance(timedelta(minutes=5))
    post("firing", began=1, instance="b")
    assert "suppressed until" in ada.get("/alerts").text
    assert "End it now" not in ada.get("/maintenance").text
    lea.get("/maintenance")
    lea.send("/cancellation")
    assert "what it held back is judged now" in lea.text
    assert "ended early" in lea.get("/maintenance?past=1").text


@pytest.mark.feature("I14")
def test_a_heartbeat_is_made_and_forgotten(desk: Desk, app: Flask, clock: Clock) -> None:
    person(desk, "lea", "lead")
    lea = Visitor(app, "lea")
    lea.get("/heartbeats")
    lea.send("/heartbeats", "Make it", status=422, name="", every="60")
    lea.send("/heartbeats", "Make it", name="nightly export", every="60", grace="5")
    key = lea.text.partition("/api/v1/heartbeats/")[2].partition("/ping")[0]
    heartbeats.ping(desk, key)
    clock.advance(minutes=2)
    heartbeats.run_due(desk)
    assert "silent" in lea.get("/heartbeats").text
    assert key not in lea.html
    lea.send("/heartbeats/1", "Pause")
    assert "paused" in lea.text
    lea.send("/heartbeats/1", "Remove")
    assert "Nobody is waited for" in lea.text

"""Fixtures of the pages: an application on a fresh desk, and tickets born from alerts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from flask import Flask

from servicedesk.desk import Desk
from servicedesk.services import apply, intake, setup
from tests.support.clock import Clock
from tests.support.pages import open_pages

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}{% raw %}javascript:alert(3)'


@pytest.fixture
def app(desk: Desk) -> Flask:
    setup.first_run(desk)
    application = open_pages(desk)
    application.config["TESTING"] = False
    return application


Post = Callable[..., None]


@pytest.fixture
def post(desk: Desk, clock: Clock) -> Post:
    """`post("firing", name=…, severity=…, **labels)`: one alert, stored and applied."""

    def deliver(status: str, name: str = "HighLatency", began: int = 5, **labels: str) -> None:
        starts = START if status == "resolved" else clock.now() - timedelta(minutes=began)
        one = {
            "status": status,
            "labels": {"alertname": name, "severity": "warning", "cluster": "eu-1"} | labels,
            "annotations": {"summary": f"{name} {HOSTILE}", "runbook_url": "javascript:alert(1)"},
            "startsAt": starts.isoformat(),
            "endsAt": clock.now().isoformat() if status == "resolved" else "0001-01-01T00:00:00Z",
            "generatorURL": "https://prometheus.example/graph",
            "fingerprint": "",
        }
        body: dict[str, Any] = {
            "version": "4",
            "groupKey": "{}",
            "truncatedAlerts": 0,
            "status": status,
            "receiver": "desk",
            "groupLabels": {},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "",
            "alerts": [one],
        }
        raw = msgspec.json.encode(body)
        intake.store(desk, raw, "alertmanager", "prod-am", "application/json", clock.now())
        apply.run_all(desk)

    return deliver


START = datetime(2026, 11, 2, 8, 50, tzinfo=UTC)

"""Fixtures of the pages: an application on a fresh desk, and tickets born from alerts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from flask import Flask

from servicedesk.desk import Desk
from servicedesk.domain.escalation_policy import Policy, Step, Target
from servicedesk.domain.incident import Actor
from servicedesk.services import (
    absences,
    apply,
    escalation_policies,
    followups,
    incidents,
    intake,
    judgement,
    resolution,
    schedules,
    second_person,
    setup,
)
from servicedesk.services.incidents import NewTicket
from servicedesk.services.schedules import LayerIn
from tests.support.clock import Clock
from tests.support.lines import send
from tests.support.pages import open_pages, person

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

    def deliver(status: str, name: str = "ShopLatency", began: int = 5, **labels: str) -> None:
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


@pytest.fixture
def full_desk(desk: Desk, app: Flask, clock: Clock, post: Post) -> Flask:
    """A desk with something in every list, all of it with hostile text."""
    ada = person(desk, "ada", "admin", display=f"Ada {HOSTILE}"[:90])
    ben = person(desk, "ben", "agent")
    rosa = person(desk, "rosa", "requester", display="Rosa")
    post("firing", name="KubePodCrashLooping", evil=HOSTILE, severity="critical")
    post("firing", began=10)
    post("firing", name="Watchdog", severity="none")
    incidents.take(desk, ada, 1)
    incidents.comment(desk, ada, 1, HOSTILE, public=False)
    second_person.ask(desk, ada, 1, "cancellation", HOSTILE, "false_positive")
    followups.add_task(desk, ada, 1, HOSTILE, "ben", clock.now(), mandatory=True)
    incidents.take(desk, ada, 2)
    post("resolved")
    resolution.resolve(desk, ada, 2, "fixed", "change", HOSTILE)
    followups.add_action(desk, ada, 2, HOSTILE, "prevent", "ben", clock.now(), blocking=True)
    clock.advance(timedelta(minutes=61))
    judgement.run_due(desk)
    number = incidents.open_ticket(desk, rosa, NewTicket(HOSTILE, description=HOSTILE, category="other"))
    incidents.assign(desk, ada, number, "ben")
    resolution.resolve(desk, ben, number, "fixed", "change", HOSTILE, HOSTILE)
    intake.store(desk, HOSTILE.encode(), "alertmanager", "prod-am", "application/json", clock.now())
    apply.run_all(desk)
    evil = HOSTILE.encode() + b"\x1b[31m\x00\xff\xe2\x80\xae"
    send(
        desk,
        b"<27>Nov  2 10:00:00 h%b app[1]: broke " % evil,
        b"<30>1 - h app - - - fine " + evil,
        evil,
        listening=True,
    )
    on_duty(desk, ada, ben)
    return app


def on_duty(desk: Desk, ada: Actor, ben: Actor) -> None:
    """A schedule with an override and an absence, and a policy: hostile text in each."""
    layer = LayerIn(HOSTILE[:50], ("ada", "ben"), "custom", "mon 09:00, fri 17:00", start="2026-11-02")
    schedules.save(desk, ada, "Primary", [layer], "Europe/Paris")
    now = desk.now()
    schedules.add_override(desk, ben, "Primary", "ben", now, now + timedelta(hours=9), HOSTILE)
    absences.add(desk, ben, "ben", now + timedelta(days=9), now + timedelta(days=12), "ada", HOSTILE)
    steps = (Step((Target("schedule", "Primary"), Target("person", "ben"))), Step((Target("team", "Operations"),), 10))
    escalation_policies.save(desk, ada, f"Web {HOSTILE[:40].replace('/', '')}", Policy(steps), ("Operations",))

"""A storm of a thousand alerts about one host: a thousand alerts, hundreds of tickets, each diagnosis once."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from servicedesk.config import Checks, Config
from servicedesk.desk import Desk, open_desk
from servicedesk.services import apply, checks, intake
from servicedesk.store.tables import alert, check_ask, check_run, incident
from tests.checks.conftest import Web, plain
from tests.checks.worked import ask
from tests.support.alertmanager import body, member
from tests.support.clock import Clock

BOOK = """schema: 2
id: host
title: Host
match: ['alertname=~"Host.*"']
parameters: {host: {type: address, label: instance}}
steps:
  - {id: health, title: Healthy?, auto: true, check: {type: http, url: "http://${host}/health", attempts: 1}}
  - {id: load, title: Load?, auto: true, check: {type: http, url: "http://${host}/load", attempts: 1}}
"""
NAMES, SERVICES = 100, 10


@pytest.fixture
def stormy(engine_url: str, tmp_path: Path, clock: Clock, web: Web) -> Iterator[Desk]:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "host.yaml").write_text(BOOK)
    web.answers |= {"/health": plain(200, "ok"), "/load": plain(500, "no")}
    settings = Checks(allow=("127.0.0.0/8",))
    config = Config(str(tmp_path / "data"), engine_url, playbooks=str(tmp_path / "own"), checks=settings)
    opened = open_desk(config, clock.now)
    yield opened
    opened.close()


@pytest.mark.feature("P4", "P5")
def test_a_thousand_alerts_of_one_host_are_one_diagnosis(stormy: Desk, web: Web) -> None:
    began, host = stormy.now() - timedelta(minutes=1), f"127.0.0.1:{web.port}"
    alerts = [
        member({"alertname": f"Host{n}", "service": f"s{s}", "instance": host, "severity": "warning"}, began)
        for n in range(NAMES)
        for s in range(SERVICES)
    ]
    intake.store(stormy, body(alerts), "alertmanager", "prod-am", "application/json", stormy.now())
    apply.run_all(stormy)
    assert ask(stormy, select(func.count()).select_from(alert))[0][0] == 1000
    tickets = ask(stormy, select(func.count()).select_from(incident))[0][0]
    assert tickets >= 100, "correlation does not hide what is tested here"
    assert checks.finish(stormy, 120)
    assert sorted(path for _, path, _ in web.asked) == ["/health", "/load"]
    assert ask(stormy, select(func.count()).select_from(check_run))[0][0] == 2
    verdicts = select(check_ask.c.step, check_run.c.verdict, func.count()).join(check_run)
    rows = ask(stormy, verdicts.where(check_ask.c.state == "done").group_by(check_ask.c.step, check_run.c.verdict))
    assert sorted(map(tuple, rows)) == [("health", "pass", tickets), ("load", "fail", tickets)]

"""From a real Prometheus through a real Alertmanager to the real program: when the ticket is there, it asks them back.

A switch is turned on; the checks of its playbook say so, with a plot; it is turned off, the ticket is resolved, and the
verify section and the source itself prove it.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.alertmanager import Alertmanager
from tests.support.prometheus import Prometheus, Switchboard
from tests.support.server import Client, Server
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

BOOK = """schema: 2
id: switch
title: A switch is on
match: ['alertname="SwitchOn"']
parameters:
  name: {type: name, label: name}
  am: {type: address, default: "ALERTMANAGER"}
steps:
  - id: now
    title: Is it on?
    auto: true
    check: {type: promql, query: 'switch{name="${name}"}', expect: "== 1", range: 5m}
  - {id: beside, title: What else fires?, auto: true, check: {type: alertmanager, matchers: ['name="${name}"']}}
  - {id: port, title: Does the Alertmanager listen?, auto: true, check: {type: tcp, host: "${am}", port: "${am}"}}
verify:
  soak: 1m
  checks:
    - {id: off, title: It is off, check: {type: promql, query: 'switch{name="${name}"}', expect: "== 0"}}
"""


@pytest.fixture
def world(tmp_path: Path, sqlite_database: str) -> Iterator[tuple[Server, Switchboard]]:
    """The server, and the switchboard that Prometheus watches."""
    with ExitStack() as closing:
        server = Server(tmp_path / "server", sqlite_database).start()
        closing.callback(server.finish)
        url = f"{server.base_url}/api/v1/receivers/alertmanager"
        am = Alertmanager(tmp_path / "am", url, server.first_token())
        closing.callback(am.stop)
        am.start()
        board = Switchboard()
        closing.callback(board.close)
        prometheus = Prometheus(tmp_path / "prometheus", board, [am.base_url.removeprefix("http://")])
        closing.callback(prometheus.stop)
        prometheus.start()
        books = tmp_path / "books"
        books.mkdir()
        text = BOOK.replace("ALERTMANAGER", am.base_url.removeprefix("http://"))
        (books / "switch.yaml").write_text(text, encoding="utf-8")
        server.stop()
        server.start(
            SERVICEDESK_PLAYBOOKS=str(books),
            SERVICEDESK_PROMETHEUS_URL=prometheus.base_url,
            SERVICEDESK_ALERTMANAGER_URL=am.base_url,
            SERVICEDESK_CHECKS_ALLOW="127.0.0.0/8",
        )
        yield server, board


def found(admin: Client, purpose: str) -> dict[str, Any]:
    """step → what was found, of the checks of this purpose that have ended."""
    rows = admin.items("/incidents/INC-1/checks") if admin.items("/incidents") else []
    return {c["step"]: c for c in rows if c["purpose"] == purpose and c["state"] == "done"}


@pytest.mark.feature("P3", "P4", "P6")
def test_results_wait_on_the_ticket_and_the_fix_is_watched(world: tuple[Server, Switchboard]) -> None:
    server, board = world
    admin = server.admin()
    board.turn("a", True)
    wait_until(lambda: len(found(admin, "diagnosis")) == 3, 60, "diagnostics")
    first = found(admin, "diagnosis")
    assert {step: c["verdict"] for step, c in first.items()} == {"now": "pass", "beside": "pass", "port": "pass"}
    assert first["now"]["found"]["series"][0]["points"], "something to plot"
    assert first["beside"]["summary"] == "1 active, 0 silenced, 0 inhibited"
    assert wait_until(lambda: found(admin, "baseline"), what="the baseline")["verify:off"]["verdict"] == "fail"
    board.turn("a", False)
    wait_until(lambda: admin.items("/alerts")[0]["status"] == "recovered", 60, "the alert to recover")
    ticket = admin.post("/incidents/INC-1/acknowledgement")
    for step in ticket["playbooks"][0]["steps"]:
        if step["mandatory"] and not step["outcome"]:
            admin.post(f"/incidents/1/playbook-runs/1/steps/{step['step']}", {"outcome": "done"})
    admin.post("/incidents/1/resolution", {"code": "fixed", "cause_class": "software", "notes": "Turned it off."})
    wait_until(lambda: len(found(admin, "verify")) == 2, 60, "the first look")
    look = found(admin, "verify")
    assert {step: c["verdict"] for step, c in look.items()} == {"verify:off": "pass", "verify:source": "pass"}
    (watched,) = admin.get("/observations")["items"]
    assert (watched["number"], watched["state"], watched["look"]) == ("INC-1", "watching", 1)

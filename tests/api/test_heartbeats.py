"""Who must be heard from: pings and Watchdogs; silence beyond grace is a ticket, being heard again its end."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from servicedesk.cli import main as cli
from servicedesk.desk import Desk
from servicedesk.domain.heartbeat import expected, learn
from servicedesk.domain.incident import Actor
from servicedesk.errors import BadInput
from servicedesk.services import apply, heartbeats, tokens
from tests.api.conftest import Callers
from tests.intake import seen
from tests.intake.wire import alert
from tests.support.clock import START, Clock

pytestmark = pytest.mark.feature("I14")


def own(desk: Desk) -> dict[str, str]:
    return {row.labels["heartbeat"]: row.status for row in seen.alerts(desk, "heartbeats")}


def later(desk: Desk, clock: Clock, **parts: float) -> None:
    clock.advance(**parts)
    heartbeats.run_due(desk)


def test_a_job_that_pings_falls_silent_and_comes_back(callers: Callers, desk: Desk, clock: Clock) -> None:
    wanted = {"name": "nightly export", "every": 60, "grace": 30, "service": "export", "severity": "critical"}
    made = callers.lead.post("/heartbeats", wanted, status=201)
    later(desk, clock, hours=5)
    assert own(desk) == {}, "it waits for the first ping"
    ping = made["ping"].partition("8080")[2]
    callers.nobody.post(ping, status=204)
    later(desk, clock, seconds=89)
    callers.nobody.post(ping, status=204)
    later(desk, clock, seconds=89)
    assert own(desk) == {}
    later(desk, clock, seconds=1)
    later(desk, clock, seconds=60)
    ticket = seen.only_ticket(desk, "heartbeats")
    assert (ticket.service_label, ticket.priority) == ("export", 2)
    assert "nightly export is silent" in ticket.title
    assert callers.agent.get("/heartbeats")["items"][0]["state"] == "silent"
    callers.nobody.post(ping, status=204)
    assert own(desk) == {"nightly export": "recovered"}
    assert seen.only_ticket(desk, "heartbeats").auto_recovered
    later(desk, clock, seconds=91)
    assert own(desk) == {"nightly export": "firing"}


def test_who_may_and_what_is_no_key(one: Callers) -> None:
    wanted = {"name": "x", "every": 60}
    one.agent.post("/heartbeats", wanted, status=403)
    told = one.lead.post("/heartbeats", wanted | {"every": 0, "grace": -1}, status=422)
    assert {e["field"] for e in told["errors"]} == {"every", "grace"}
    for key in ("0" * 32, "watchdog:1", "%00"):
        one.nobody.post(f"/heartbeats/{key}/ping", status=404)
    admin = Actor(None, "op", frozenset({"admin"}))
    with pytest.raises(BadInput):
        tokens.create(one.desk, admin, service="x", scopes=("ingest",), source="heartbeats")


def test_paused_and_removed_ends_the_alarm(one: Callers, clock: Clock) -> None:
    desk = one.desk
    made = one.lead.post("/heartbeats", {"name": "a", "every": 60}, status=201)
    heartbeats.ping(desk, made["key"])
    later(desk, clock, minutes=3)
    assert own(desk) == {"a": "firing"}
    one.lead.patch(f"/heartbeats/{made['id']}", {"paused": True}, 204)
    assert own(desk) == {"a": "recovered"}
    heartbeats.ping(desk, made["key"])
    later(desk, clock, hours=3)
    assert own(desk) == {"a": "recovered"}
    one.lead.delete(f"/heartbeats/{made['id']}", 204)
    assert one.lead.get("/heartbeats")["items"] == []
    one.lead.delete(f"/heartbeats/{made['id']}", 404)


def watchdog(callers: Callers, desk: Desk, over: Any = None) -> None:
    labels = {"alertname": "Watchdog", "severity": "none", "cluster": "prod"}
    callers.sender.post("/receivers/alertmanager", {"alerts": [alert(START, over) | {"labels": labels}]})
    apply.run_all(desk)
    heartbeats.run_due(desk)


def test_a_watchdog_is_learnt_and_missed(callers: Callers, desk: Desk, clock: Clock) -> None:
    """A pair sends through one of its peers: who sends it does not matter, as long as somebody does."""
    for _ in range(4):
        watchdog(callers, desk)
        clock.advance(minutes=5)
    (listed,) = callers.agent.get("/heartbeats")["items"]
    assert (listed["kind"], listed["state"], listed["every"], listed["count"]) == ("watchdog", "well", 300, 4)
    later(desk, clock, minutes=4)
    assert own(desk) == {}
    later(desk, clock, minutes=1)
    assert own(desk) == {"Watchdog of prod-am prod": "firing"}
    (ticket,) = seen.incidents(desk, "heartbeats")
    assert ticket.labels["sender"] == "prod-am"
    watchdog(callers, desk)
    assert own(desk) == {"Watchdog of prod-am prod": "recovered"}
    assert seen.incidents(desk, "prod-am") == []
    clock.advance(minutes=5)
    watchdog(callers, desk, clock.now())  # it says that it is over: that is no beat
    later(desk, clock, minutes=6)
    assert own(desk) == {"Watchdog of prod-am prod": "firing"}


def test_several_processes_tell_it_once(callers: Callers, desk: Desk, clock: Clock) -> None:
    made = callers.lead.post("/heartbeats", {"name": "a", "every": 60}, status=201)
    heartbeats.ping(desk, made["key"])
    clock.advance(minutes=3)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: heartbeats.run_due(desk), range(4)))
        apply.run_all(desk)
        list(pool.map(lambda _: heartbeats.ping(desk, made["key"]), range(4)))
    apply.run_all(desk)
    assert len(seen.events(desk, "heartbeats")) == 2
    assert own(desk) == {"a": "recovered"}


def test_how_often_a_watchdog_comes() -> None:
    assert expected([300, 300]) == (14400, 14400)
    assert expected([30, 40, 30]) == (40, 300)
    assert learn([5.0], 0.2) == [5.0]
    assert learn([1.0] * 10, timedelta(minutes=1).total_seconds()) == [1.0] * 9 + [60.0]


@pytest.mark.feature("O4")
def test_the_command(desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path) -> None:
    monkeypatch.setenv("SERVICEDESK_DATA_DIR", desk.config.data_dir)
    monkeypatch.setenv("SERVICEDESK_DATABASE_URL", desk.config.database_url)

    def run(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        code = cli.run(["heartbeat", *words])
        return code, capsys.readouterr().out

    made = json.loads(run("add", "export", "--every", "60", "--json")[1])
    heartbeats.ping(desk, made["key"])
    code, out = run("list")
    assert (code, "export" in out, "well" in out) == (0, True, True)
    assert run("pause", str(made["id"]))[0] == 0
    assert json.loads(run("list", "--json")[1])[0]["state"] == "paused"
    assert [run("pause", str(made["id"]), "--off")[0], run("remove", str(made["id"]))[0]] == [0, 0]
    assert run("remove", str(made["id"]))[0] == 1

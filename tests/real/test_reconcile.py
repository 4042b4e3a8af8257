"""The real Prometheus and the real Alertmanager are asked what was missed; the desk listens on a real port."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from werkzeug.serving import make_server

from servicedesk.app import create_app
from servicedesk.config import Config, Source
from servicedesk.desk import Desk, open_desk, utc_now
from servicedesk.domain.incident import SYSTEM
from servicedesk.services import apply, reconcile
from servicedesk.services.shared import identity
from tests.intake import seen
from tests.support.alertmanager import Alertmanager, stamp
from tests.support.prometheus import Prometheus, Switchboard
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.real, pytest.mark.timeout(120), pytest.mark.feature("I10")]

SOURCE = "prod-am"
EVERYTHING = 'alertname=~".+"'
ROUTES = """
route:
  receiver: desk
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  routes: [{{receiver: elsewhere, matchers: ['team="other"']}}]
inhibit_rules:
  - {{source_matchers: ['alertname="Roof"'], target_matchers: ['alertname="Cellar"']}}
receivers:
  - name: elsewhere
  - name: desk
    webhook_configs: [{{url: {url}, send_resolved: true, http_config: {{authorization: {{credentials: {token}}}}}}}]
"""


class World:
    """One desk with an ear that can be closed, one Alertmanager, one Prometheus with external labels and a replica."""

    def __init__(self, desk: Desk, folder: Path, closing: ExitStack) -> None:
        self.desk, self.folder, self.closing = desk, folder, closing
        token = desk.write(lambda tx: _token(tx, desk))
        server = make_server("127.0.0.1", 0, create_app(desk), threaded=True)
        closing.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.port}/api/v1/receivers/alertmanager"
        self.alertmanager = Alertmanager(folder / "am", self.url, token)
        self.listen(True, token)
        closing.callback(self.alertmanager.stop)
        self.alertmanager.start()
        self.token = token
        self.source = Source(
            alertmanagers=(self.alertmanager.base_url,),
            receiver="desk",
            matchers=(EVERYTHING,),
            patience=0.0,
            gone_after=0.0,
        )

    def listen(self, on: bool, token: str = "") -> None:
        """Points the Alertmanager at the desk, or at nobody."""
        url = self.url if on else "http://127.0.0.1:1/"
        text = ROUTES.format(url=url, token=token or self.token)
        (self.alertmanager.folder / "alertmanager.yml").write_text(text)
        if self.alertmanager.process is not None:
            requests.post(f"{self.alertmanager.base_url}/-/reload", timeout=10).raise_for_status()

    def prometheus(self) -> tuple[Prometheus, Switchboard]:
        board = Switchboard()
        self.closing.callback(board.close)
        target = self.alertmanager.base_url.removeprefix("http://")
        relabel = "[{action: labeldrop, regex: replica}]"
        one = Prometheus(self.folder / "prometheus", board, [target], "cluster: eu-1, replica: a", relabel)
        self.closing.callback(one.stop)
        self.source = replace(self.source, prometheus=(one.start().base_url,))
        return one, board

    def alert(self, name: str) -> Any:
        apply.run_all(self.desk)
        return next((row for row in seen.alerts(self.desk, SOURCE) if row.name == name), None)

    def look(self, down_from: datetime | None = None) -> reconcile.Outcome:
        wait_until(lambda: apply.run_all(self.desk) == 0, what="all to be applied")
        outcome = reconcile.look(self.desk, SOURCE, self.source, down_from)
        apply.run_all(self.desk)
        return outcome

    def listed(self, name: str) -> Any:
        rows = requests.get(f"{self.alertmanager.base_url}/api/v2/alerts", timeout=5).json()
        return next((row for row in rows if row["labels"]["alertname"] == name), None)

    def silence(self, name: str) -> str:
        now = datetime.now(UTC)
        body = {
            "matchers": [{"name": "alertname", "value": name, "isRegex": False, "isEqual": True}],
            "startsAt": stamp(now - timedelta(seconds=1)),
            "endsAt": stamp(now + timedelta(hours=1)),
            "createdBy": "anna",
            "comment": "work on the roof",
        }
        told = requests.post(f"{self.alertmanager.base_url}/api/v2/silences", json=body, timeout=5)
        told.raise_for_status()
        wait_until(lambda: (self.listed(name) or {}).get("status", {}).get("state") in (None, "suppressed"))
        return str(told.json()["silenceID"])


def _token(tx: Any, desk: Desk) -> str:
    identity.ensure_defaults(tx, desk, SYSTEM)
    return identity.new_token(
        tx, desk, SYSTEM, name="am", user_id=None, scopes=("ingest",), source=SOURCE, expires_at=None
    )


@pytest.fixture
def world(engine_url: str, tmp_path: Path) -> Iterator[World]:
    desk = open_desk(Config(data_dir=str(tmp_path / "data"), database_url=engine_url), utc_now)
    with ExitStack() as closing:
        closing.callback(desk.close)
        yield World(desk, tmp_path, closing)


def known(world: World, name: str, status: str = "firing") -> Callable[[], bool]:
    return lambda: (row := world.alert(name)) is not None and row.status == status


def picture(world: World) -> Any:
    return seen.picture(world.desk, SOURCE)


def test_what_the_alertmanager_could_not_tell_is_found(world: World) -> None:
    world.listen(False)
    world.alertmanager.fire({"alertname": "Roof", "severity": "critical"}, summary="The roof is open")
    world.alertmanager.fire({"alertname": "Cellar", "severity": "critical"})
    world.alertmanager.fire({"alertname": "Garden", "team": "other"})
    world.alertmanager.fire({"alertname": "Quiet", "severity": "critical"})
    world.silence("Quiet")
    wait_until(lambda: (world.listed("Cellar") or {}).get("status", {}).get("state") == "suppressed", what="inhibition")

    outcome = world.look()
    assert (outcome.found, outcome.error) == (1, "")
    ticket = seen.only_ticket(world.desk, SOURCE)
    assert ticket.title == "Roof: The roof is open"
    row = world.alert("Roof")
    assert (row.status, row.starts_at) == ("firing", datetime.fromisoformat(world.listed("Roof")["startsAt"]))
    assert row.annotations["recovered_from"].startswith("Recovered from the Alertmanager")
    assert [one.name for one in seen.alerts(world.desk, SOURCE)] == ["Roof"]

    before = picture(world)
    assert world.look().found == 0, "what is known is not found again"
    assert picture(world) == before


def test_an_alert_that_cleared_while_it_was_silenced_is_unconfirmed(world: World) -> None:
    sent = world.alertmanager.fire({"alertname": "Roof", "severity": "warning"})
    wait_until(known(world, "Roof"), what="the firing")
    assert world.look().unconfirmed == 0
    silence = world.silence("Roof")
    world.alertmanager.resolve(sent)
    wait_until(lambda: world.listed("Roof") is None, what="the Alertmanager to forget it")

    world.look()
    assert world.alert("Roof").status == "firing", "one look is not enough"
    assert world.look().unconfirmed == 1
    row = world.alert("Roof")
    assert (row.status, row.ends_at) == ("unconfirmed", None)
    ticket = seen.only_ticket(world.desk, SOURCE)
    assert ticket.status == "new"
    assert any("gone from source" in line.get("reason", "") for line in seen.lines(world.desk, ticket.id))
    assert world.look().unconfirmed == 0, "it is said once"

    world.alertmanager.fire({"alertname": "Roof", "severity": "warning"})
    world.look()
    assert world.alert("Roof").status == "unconfirmed", "what is silenced opens nothing"
    requests.delete(f"{world.alertmanager.base_url}/api/v2/silence/{silence}", timeout=5).raise_for_status()
    wait_until(lambda: world.listed("Roof")["status"]["state"] == "active", what="the silence to be over")
    assert world.look().found == 1, "the Alertmanager believes that it has told it"
    assert world.alert("Roof").status == "firing"
    assert seen.only_ticket(world.desk, SOURCE).id == ticket.id


def test_an_alert_that_lived_while_we_were_down_is_found_in_prometheus(world: World) -> None:
    prometheus, board = world.prometheus()
    down_from = utc_now()
    world.listen(False)
    board.turn("attic", True)
    wait_until(lambda: prometheus.firing("attic"), what="the alert in Prometheus")
    began = datetime.fromisoformat(wait_until(lambda: world.listed("SwitchOn"), what="it")["startsAt"])
    board.turn("attic", False)
    wait_until(lambda: not prometheus.firing("attic"), what="its end in Prometheus")
    ended = utc_now()
    wait_until(lambda: world.listed("SwitchOn") is None, what="its end in the Alertmanager")

    assert world.look().missed == 0, "the past is asked for only after the desk was down"
    assert world.look(down_from).missed == 1
    row = world.alert("SwitchOn")
    assert row.labels == {
        "alertname": "SwitchOn",
        "severity": "critical",
        "name": "attic",
        "instance": f"127.0.0.1:{board.port}",
        "job": "switchboard",
        "cluster": "eu-1",
    }, "with the external labels, without the replica"
    assert row.status == "recovered"
    assert abs(row.starts_at - began) < timedelta(milliseconds=2), "as the Alertmanager was told"
    assert began < row.ends_at <= ended + timedelta(seconds=1)
    ticket = seen.only_ticket(world.desk, SOURCE)
    assert (ticket.status, ticket.auto_recovered) == ("new", True)
    assert "Recovered from Prometheus" in ticket.creation["reason"]
    assert world.look(down_from).missed == 0


def test_no_whole_answer_changes_nothing(world: World, tmp_path: Path) -> None:
    world.alertmanager.fire({"alertname": "Roof", "severity": "warning"})
    wait_until(known(world, "Roof"), what="the firing")
    world.listen(False)
    world.alertmanager.fire({"alertname": "Wall", "severity": "warning"})
    before, whole = picture(world), world.source
    world.source = replace(whole, alertmanagers=(*whole.alertmanagers, "http://127.0.0.1:1"))
    assert "cannot be reached" in world.look().error
    world.source = replace(whole, alertmanagers=(), prometheus=("http://127.0.0.1:1",))
    assert world.look(utc_now() - timedelta(minutes=5)).error
    assert picture(world) == before
    world.source = whole
    assert world.look().found == 1


def test_a_doubt_is_settled_at_once(world: World) -> None:
    labels = {"alertname": "Roof", "severity": "warning"}
    sent = world.alertmanager.fire(labels)
    wait_until(known(world, "Roof"), what="the firing")
    start = world.alert("Roof").starts_at
    _tell(world, labels, start, datetime.now(UTC))
    _tell(world, labels, start, None)
    wait_until(known(world, "Roof", "suspect"), what="the doubt")
    assert world.look().confirmed == 1
    assert world.alert("Roof").status == "firing"
    world.alertmanager.resolve(sent)
    wait_until(known(world, "Roof", "recovered"), what="the end")


def _tell(world: World, labels: dict[str, str], start: datetime, end: datetime | None) -> None:
    """A message as a peer of the Alertmanager would send it."""
    from tests.support.alertmanager import body, member

    head = {"Authorization": f"Bearer {world.token}"}
    requests.post(world.url, data=body([member(labels, start, end)]), headers=head, timeout=5).raise_for_status()


def test_time_without_a_worker_is_looked_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[datetime | None] = []
    look = reconcile.look

    def note(desk: Desk, name: str, source: Source, down_from: datetime | None) -> reconcile.Outcome:
        asked.append(down_from)
        return look(desk, name, source, down_from)

    monkeypatch.setattr(reconcile, "look", note)
    first = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    now = first
    world.desk.db.clock = lambda: now
    desk = world.desk
    desk.config = replace(desk.config, sources={SOURCE: world.source})
    assert reconcile.run_due(desk) == 1
    assert reconcile.run_due(desk) == 0, "the next look is due later"
    now = first + timedelta(hours=1)
    down = replace(world.source, alertmanagers=("http://127.0.0.1:1",))
    desk.config = replace(desk.config, sources={SOURCE: down})
    assert reconcile.run_due(desk) == 1
    now += timedelta(seconds=61)
    desk.config = replace(desk.config, sources={SOURCE: world.source})
    assert reconcile.run_due(desk) == 1
    now += timedelta(seconds=61)
    assert reconcile.run_due(desk) == 1
    assert asked == [None, first, first, None], "it stays open until an answer was whole"

"""Silences from the ticket, in the real Alertmanager: set, shown, extended, ended, ended with it, and found again."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from servicedesk.clients import alertmanager as client
from servicedesk.config import Api, Config
from servicedesk.desk import Desk, open_desk
from servicedesk.errors import BadInput, NotFound, Refused
from servicedesk.services import apply, incidents, intake, silences
from servicedesk.store import silences as store
from tests.api.conftest import Callers
from tests.support.alertmanager import Alertmanager, body, member, stamp
from tests.support.clock import Clock
from tests.support.pages import open_pages, sign_in_as

pytestmark = [pytest.mark.real, pytest.mark.feature("T22")]
LABELS = {"alertname": "DiskFull", "service": "shop", "severity": "warning"}


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    program = Alertmanager(tmp_path_factory.mktemp("alertmanager"), "http://127.0.0.1:9/", "unused").start()
    yield program
    program.stop()


@pytest.fixture
def clock() -> Clock:
    """The Alertmanager has a clock of its own: this one begins where that one is."""
    return Clock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def desk(engine_url: str, tmp_path: Path, clock: Clock, alertmanager: Alertmanager) -> Iterator[Desk]:
    config = Config(data_dir=str(tmp_path / "data"), database_url=engine_url)
    opened = open_desk(replace(config, alertmanager=Api(url=alertmanager.base_url)), clock.now)
    yield opened
    opened.close()


@pytest.fixture
def callers(desk: Desk) -> Callers:
    made = Callers(desk)
    raise_alerts(desk, "a", "b")
    incidents.take(desk, made.people["owner"], 1)
    return made


def raise_alerts(desk: Desk, *instances: str) -> None:
    alerts = [member(LABELS | {"instance": one}, desk.now() - timedelta(minutes=5)) for one in instances]
    intake.store(desk, body(alerts), "alertmanager", "prod-am", "application/json", desk.now())
    apply.run_all(desk)


def seen(desk: Desk, silence_id: str) -> Any:
    return client.silence(desk.config.alertmanager, silence_id, 5)


def until(desk: Desk, hours: float) -> str:
    return stamp(desk.now() + timedelta(hours=hours))


def test_set_extended_and_ended_by_api(desk: Desk, callers: Callers, clock: Clock) -> None:
    made = callers.owner.post("/incidents/1/silences", {"until": until(desk, 2), "reason": "Disk is on order"}, 201)
    there = seen(desk, made["silence_id"])
    assert (there.state, there.created_by) == ("active", "owner")
    assert "INC-1" in there.comment
    assert "Disk is on order" in there.comment
    assert dict(there.matchers) == LABELS, "what its alerts have in common"
    longer = callers.owner.patch(f"/incidents/1/silences/{made['id']}", {"until": until(desk, 5)})
    again = seen(desk, longer["silence_id"])
    assert again.ends_at == desk.now() + timedelta(hours=5)
    assert callers.owner.delete(f"/incidents/1/silences/{made['id']}")["state"] == "expired"
    assert seen(desk, longer["silence_id"]).state == "expired"
    callers.owner.delete(f"/incidents/1/silences/{made['id']}", 404)
    events = [
        e["content"]["event"] for e in callers.owner.get("/incidents/1/timeline")["items"] if e["kind"] == "silence"
    ]
    assert events == ["set", "extended", "expired"]


def test_on_the_page_without_javascript(desk: Desk, callers: Callers) -> None:
    owner = sign_in_as(open_pages(desk), desk, "owner")
    owner.get("/incidents/1")
    owner.get("/incidents/INC-1/silences/new")
    owner.send("/silences", status=422, reason="")
    owner.send("/silences", reason="Disk is on order", hours="4")
    assert "Silenced" in owner.text
    (row,) = callers.owner.get("/incidents/1/silences")["items"]
    assert seen(desk, row["silence_id"]).ends_at == desk.now() + timedelta(hours=4)
    owner.send(f"/silences/{row['id']}", button="From now", hours="8")
    (row,) = callers.owner.get("/incidents/1/silences")["items"]
    assert seen(desk, row["silence_id"]).ends_at == desk.now() + timedelta(hours=8)
    owner.send(f"/silences/{row['id']}", button="End it")
    assert seen(desk, row["silence_id"]).state == "expired"
    assert "Silence ended" in owner.text


def test_it_ends_with_the_ticket(desk: Desk, callers: Callers) -> None:
    made = callers.owner.post("/incidents/1/silences", {"until": until(desk, 2), "reason": "Wait", "alert": 1}, 201)
    assert dict(seen(desk, made["silence_id"]).matchers) == LABELS | {"instance": "a"}
    assert silences.end_due(desk) == 0
    raw = body([member(LABELS | {"instance": i}, desk.now() - timedelta(minutes=5), desk.now()) for i in "ab"])
    intake.store(desk, raw, "alertmanager", "prod-am", "application/json", desk.now())
    apply.run_all(desk)
    incidents.cancel(desk, callers.people["lead"], 1, "false_positive", "A test.")
    assert silences.end_due(desk) == 1
    assert seen(desk, made["silence_id"]).state == "expired"
    assert callers.owner.get("/incidents/1/silences")["items"][0]["state"] == "expired"
    assert silences.end_due(desk) == 0


def test_a_silence_whose_answer_was_lost_is_found_again(desk: Desk, callers: Callers, clock: Clock) -> None:
    """The Alertmanager took it, and the desk died before it wrote that down."""
    values = {"incident_id": 1, "labels": LABELS, "reason": "Wait", "actor_id": callers.people["owner"].id}
    values |= {"state": "asked", "created_at": desk.now(), "ends_at": desk.now() + timedelta(hours=2)}
    row = desk.write(lambda tx: store.add(tx, values))
    comment = f"INC-1: Wait {silences.mark(desk, row)}"
    api, now = desk.config.alertmanager, desk.now()
    there = client.set_silence(api, LABELS, now, now + timedelta(hours=2), "owner", comment, 5)
    clock.advance(minutes=3)
    assert silences.end_due(desk) == 1
    (found,) = callers.owner.get("/incidents/1/silences")["items"]
    assert (found["state"], found["silence_id"]) == ("active", there)


def test_what_cannot_be_silenced(desk: Desk, callers: Callers) -> None:
    owner, later = callers.people["owner"], desk.now() + timedelta(hours=1)
    with pytest.raises(BadInput, match="future"):
        silences.silence(desk, owner, 1, desk.now() - timedelta(hours=1), "x")
    with pytest.raises(BadInput, match="why"):
        silences.silence(desk, owner, 1, later, " ")
    with pytest.raises(Refused):
        silences.silence(desk, callers.people["requester"], 1, later, "x")
    with pytest.raises(NotFound):
        silences.silence(desk, owner, 1, later, "x", 999)
    callers.requester.post("/incidents/1/silences", {"until": until(desk, 1), "reason": "x"}, 404)
    desk.config = replace(desk.config, alertmanager=Api(url="http://127.0.0.1:9"))
    refused = callers.owner.post("/incidents/1/silences", {"until": until(desk, 1), "reason": "x"}, 422)
    assert "did not take the silence" in str(refused)
    assert callers.owner.get("/incidents/1/silences")["items"][0]["state"] == "failed"

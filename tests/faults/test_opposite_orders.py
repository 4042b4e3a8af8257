"""The same alerts from several sides in opposite orders: one ticket each, and no sender hears of a deadlock."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from tests.support.alertmanager import body, member
from tests.support.roles import Role
from tests.support.server import Client, Server
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]
RECEIVER = "/api/v1/receivers/alertmanager"
ALERTS, ROUNDS, SENDERS = 30, 12, 4


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def ears(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Server]]:
    """Who listens: one program on SQLite; two web processes beside two workers on PostgreSQL."""
    if request.param == "sqlite":
        fleet: list[Server] = [Server(tmp_path / "up")]
        fleet[0].start()
    else:
        url = request.getfixturevalue("postgres_database")
        roles = [Role(role, tmp_path, number, url) for role in ("web", "worker") for number in (1, 2)]
        roles[0].run("db", "upgrade")
        fleet = [role.begin() for role in roles]
    yield [one for one in fleet if getattr(one, "role", "web") == "web"]
    for one in fleet:
        if one.is_running():
            one.kill()
        assert "Traceback" not in one.log, one.log[-3000:]


def post(ear: Server, token: str, started: datetime, number: int, codes: list[int]) -> None:
    """The same alerts again and again, each second sender from the last to the first."""
    alerts = [member({"alertname": f"Race{i}", "instance": str(i), "cluster": "eu"}, started) for i in range(ALERTS)]
    raw = body(alerts[:: -1 if number % 2 else 1])
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    for _ in range(ROUNDS):
        codes.append(session.post(ear.base_url + RECEIVER, data=raw, timeout=30).status_code)


@pytest.mark.feature("I6", "O6")
def test_one_ticket_each(ears: list[Server]) -> None:
    web, codes = ears[0], list[int]()
    token, reader = web.ingest_token(), Client(web, web.person("anna").token)
    started = datetime.now(UTC)
    senders = [
        threading.Thread(target=post, args=(ears[n % len(ears)], token, started, n // len(ears), codes))
        for n in range(SENDERS)
    ]
    for one in senders:
        one.start()
    for one in senders:
        one.join(60)
    assert codes == [200] * (SENDERS * ROUNDS)
    wait_until(
        lambda: reader.get("/deliveries", state="stored", limit=1)["items"] == [], 60, "everything to be applied"
    )
    assert reader.get("/deliveries", state="dead")["items"] == []
    alerts = reader.items("/alerts")
    assert sorted(a["labels"]["alertname"] for a in alerts) == sorted(f"Race{i}" for i in range(ALERTS))
    assert {a["count"] for a in alerts} == {SENDERS * ROUNDS}
    tickets = reader.items("/incidents")
    assert len(tickets) == ALERTS
    assert len({a["incident_id"] for a in alerts}) == ALERTS

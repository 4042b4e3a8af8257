"""PostgreSQL falls twice in a storm: 503 meanwhile, then everything drains, and no connection stays broken."""

import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.alertmanager import body, member
from tests.support.own_postgres import OwnPostgres, own_postgres
from tests.support.server import Client, Server
from tests.support.storm import Storm, found, without_ticket
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.real, pytest.mark.crash, pytest.mark.postgres, pytest.mark.timeout(180)]
RECEIVER = "/api/v1/receivers/alertmanager"
CONNECTIONS = 40  # more than the pool holds


@pytest.fixture
def postgres() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        yield server


@pytest.fixture
def desk_on_it(postgres: OwnPostgres, tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "server", postgres.url)
    yield server.start()
    if server.is_running():
        server.kill()


def told(sender: Client) -> int:
    """What a sender is answered now."""
    raw = body([member({"alertname": "Meanwhile", "instance": "i"}, datetime.now(UTC))])
    return sender.call("POST", "/receivers/alertmanager", data=raw).status_code


@pytest.mark.feature("I4", "O6")
def test_the_database_falls_twice_in_a_storm(desk_on_it: Server, postgres: OwnPostgres) -> None:
    server = desk_on_it
    token, reader, sender = server.first_token(), server.admin(), server.sender("other")
    assert told(sender) == 200  # its token is known from now on
    with Storm(lambda: server.base_url + RECEIVER, token, senders=2) as storm:
        for how in (signal.SIGINT, signal.SIGQUIT):
            before = storm.acknowledged
            wait_until(lambda: storm.acknowledged >= before + 30, what="the storm")  # noqa: B023 - called at once
            postgres.stop(how)
            codes = {told(sender) for _ in range(5)}
            assert codes == {503}
            assert reader.call("GET", "/incidents").status_code == 503
            postgres.start()
            wait_until(lambda: told(sender) == 200, 20, "it to go on by itself")
    wait_until(lambda: reader.get("/deliveries", state="stored", limit=1)["items"] == [], 60, "everything to drain")
    assert {reader.call("GET", "/incidents").status_code for _ in range(CONNECTIONS)} == {200}
    assert {told(sender) for _ in range(CONNECTIONS)} == {200}
    assert reader.get("/deliveries", state="dead")["items"] == []
    alerts = reader.items("/alerts")
    assert without_ticket(alerts) == []
    assert storm.ledger.lost_or_doubled(*found(alerts)) == []
    assert server.stop() == 0
    assert "Traceback" not in server.log, server.log[-5000:]
    server.run("audit", "verify")

"""Two web processes and two workers on PostgreSQL fall one by one in a storm: nothing is lost or doubled."""

import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.support.roles import Role
from tests.support.server import Client, Server
from tests.support.storm import Storm, found, without_ticket
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.real, pytest.mark.crash, pytest.mark.postgres, pytest.mark.timeout(180)]

RECEIVER = "/api/v1/receivers/alertmanager"


@pytest.fixture
def fleet(postgres_database: str, tmp_path: Path) -> Iterator[list[Role]]:
    roles = [Role(role, tmp_path, number, postgres_database) for role in ("web", "worker") for number in (1, 2)]
    roles[0].run("db", "upgrade")
    yield [role.begin() for role in roles]
    for role in roles:
        if role.is_running():
            role.kill()


def settled(reader: Client) -> bool:
    return reader.get("/deliveries", state="stored", limit=1)["items"] == []


@pytest.mark.feature("I4", "O6")
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_every_role_falls_once_in_a_storm(fleet: list[Role], blow: signal.Signals) -> None:
    web = fleet[0]
    token, reader = web.ingest_token(), web.person("anna")
    turn = count()
    ears = [f"{role.base_url}{RECEIVER}" for role in fleet if role.role == "web"]
    with Storm(lambda: ears[next(turn) % len(ears)], token, senders=2) as storm:
        for role in fleet:
            before = storm.acknowledged
            wait_until(lambda: storm.acknowledged >= before + 30, what="the storm")  # noqa: B023 - called at once
            assert role.process is not None
            role.process.send_signal(blow)
            code = role.process.wait(15)
            assert code == (-signal.SIGKILL if blow == signal.SIGKILL else 0), role.log[-3000:]
            role.begin()
    wait_until(lambda: settled(reader), 60, "all deliveries to be applied")
    assert reader.get("/deliveries", state="dead")["items"] == []
    alerts = reader.items("/alerts")
    assert without_ticket(alerts) == []
    assert storm.ledger.lost_or_doubled(*found(alerts)) == []
    for role in fleet:
        assert "Traceback" not in role.log, role.log[-3000:]
    web.run("audit", "verify")


@pytest.mark.feature("I4")
def test_the_whole_program_is_stopped_twice_in_a_storm(server: Server) -> None:
    """`servicedesk up` on both databases: TERM ends it well, what it had acknowledged is there."""
    token, reader = server.first_token(), server.admin()
    with Storm(lambda: server.base_url + RECEIVER, token, senders=2) as storm:
        for _ in range(2):
            before = storm.acknowledged
            wait_until(lambda: storm.acknowledged >= before + 30, what="the storm")  # noqa: B023 - called at once
            assert server.stop() == 0
            server.start()
    wait_until(lambda: settled(reader), 60, "all deliveries to be applied")
    alerts = reader.items("/alerts")
    assert without_ticket(alerts) == []
    assert storm.ledger.lost_or_doubled(*found(alerts)) == []
    assert "Traceback" not in server.log, server.log[-3000:]

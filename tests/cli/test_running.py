"""Every command of the operator works on the database of a desk that is running."""

from __future__ import annotations

import pytest

from tests.support.server import Client, Server
from tests.support.waiting import wait_until


@pytest.mark.real
@pytest.mark.feature("O4", "A3", "I21")
def test_beside_a_running_desk(server: Server) -> None:
    assert server.ask("user", "add", "nora", "--role", "agent")["name"] == "nora"
    nora = server.ask("token", "create", "--user", "nora", "--scopes", "read")["token"]
    assert Client(server, nora).call("GET", "/incidents").status_code == 200
    assert Client(server, nora[:-1] + "x").call("GET", "/incidents").status_code == 401
    assert {team["name"] for team in server.ask("team", "list")} == {"Operations"}
    assert server.ask("db", "check")["ok"]
    told = server.ask("audit", "verify")
    assert (told["whole"], told["faults"]) == (True, [])
    assert server.run("db", "upgrade").returncode == 0

    def anchored() -> bool:
        return bool(server.ask("audit", "verify")["anchors"])

    wait_until(anchored, 30, "the worker to write its first anchor", every=0.5)
    assert server.ask("policy", "solo-mode", "on") == {"solo_mode": True}
    used = {t["name"]: t["last_used_at"] for t in server.ask("token", "list")}
    assert used["nora"]
    assert server.ask("token", "revoke", nora)["state"] == "revoked"
    assert server.ask("audit", "verify")["whole"]

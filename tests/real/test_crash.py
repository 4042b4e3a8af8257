"""Killed with -9 at named points and at random moments of a storm: what was answered 200 is there exactly once.

The same checker is turned on a double that answers first and stores later; it must be caught at every named point.
"""

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.support.server import Client, Server, free_port
from tests.support.source import ROOT
from tests.support.storm import Storm, found, without_ticket
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.real, pytest.mark.crash, pytest.mark.timeout(420)]

POINTS = ("intake.before_commit", "intake.after_commit", "apply.mid_slice", "apply.before_done")
RECEIVER = "/api/v1/receivers/alertmanager"
SEED = 20261121


def open_deliveries(reader: Client) -> int:
    return len(reader.get("/deliveries", state="stored", limit=1)["items"])


def wrongs(server: Server, reader: Client, storm: Storm) -> list[str]:
    """Waits until every stored delivery is applied, then compares the desk with the senders' ledger."""
    wait_until(lambda: open_deliveries(reader) == 0, 60, "all deliveries to be applied")
    dead = reader.get("/deliveries", state="dead")["items"]
    assert dead == [], server.log[-4000:]
    alerts = reader.items("/alerts")
    assert without_ticket(alerts) == []
    counts, listed = found(alerts)
    return storm.ledger.lost_or_doubled(counts, listed)


@pytest.mark.feature("I4", "O6")
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_named_point_nothing_is_lost_or_doubled(server: Server, point: str) -> None:
    token, reader = server.first_token(), server.admin()
    with Storm(lambda: server.base_url + RECEIVER, token) as storm:
        wait_until(lambda: storm.acknowledged >= 50, what="the storm to begin")
        server.stop()
        process = server.spawn(SERVICEDESK_FAULT=point)
        assert process.wait(60) == -signal.SIGKILL, f"{point} was never reached:\n{server.log}"
        before = storm.acknowledged
        server.start()
        wait_until(lambda: storm.acknowledged >= before + 50, what="the storm to go on")
    assert wrongs(server, reader, storm) == []
    server.run("audit", "verify")


@pytest.mark.feature("I4", "O6")
def test_killed_at_twenty_random_moments_nothing_is_lost_or_doubled(server: Server) -> None:
    token, reader, moments = server.first_token(), server.admin(), random.Random(SEED)
    with Storm(lambda: server.base_url + RECEIVER, token) as storm:
        for _ in range(20):
            threading.Event().wait(moments.uniform(0.0, 0.5))  # the moment is the test's subject, nothing is waited for
            server.kill()
            before = storm.acknowledged
            server.start()
            wait_until(lambda: storm.acknowledged > before, what="the storm to go on")  # noqa: B023 - called at once
    assert len(storm.ledger.acknowledged) > 100
    assert wrongs(server, reader, storm) == []
    server.run("audit", "verify")


class Double:
    """The dishonest desk as a process."""

    def __init__(self, folder: Path) -> None:
        self.port, self.file = free_port(), folder / "double.sqlite"
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, fault: str = "") -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.support.double", str(self.port), str(self.file)]
        self.process = subprocess.Popen(command, cwd=ROOT, env={"SERVICEDESK_FAULT": fault, "PATH": "/usr/bin:/bin"})
        return self.process

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=2).ok
        except requests.ConnectionError:
            return False

    def page(self) -> dict[str, object]:
        answer: dict[str, object] = requests.get(f"{self.url}/api/v1/alerts", timeout=10).json()
        return answer


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Double]:
    dishonest = Double(tmp_path)
    yield dishonest
    if dishonest.process is not None:
        dishonest.process.kill()
        dishonest.process.wait()


def caught(double: Double, storm: Storm) -> list[str]:
    wait_until(lambda: double.page()["waiting"] == 0, 30, "the double to store what it still has")
    counts, listed = found(double.page()["items"])  # type: ignore[arg-type]
    return storm.ledger.lost_or_doubled(counts, listed)


def storm_over(double: Double, disaster: Callable[[], None]) -> Storm:
    with Storm(lambda: double.url + RECEIVER, "none") as storm:
        disaster()
        before = storm.acknowledged
        double.start()
        wait_until(lambda: storm.acknowledged >= before + 50, what="the storm to go on")
    return storm


@pytest.mark.parametrize("point", POINTS)
def test_the_checker_catches_a_double_that_answers_before_it_stores(double: Double, point: str) -> None:
    process = double.start(point)

    def dies() -> None:
        assert process.wait(30) == -signal.SIGKILL

    storm = storm_over(double, dies)
    lost = caught(double, storm)
    assert any("listed 0 times" in line for line in lost), lost


def test_the_checker_has_nothing_against_the_double_while_nobody_kills_it(double: Double) -> None:
    double.start()
    wait_until(double.answers, what="the double to answer")
    with Storm(lambda: double.url + RECEIVER, "none") as storm:
        wait_until(lambda: storm.acknowledged >= 50, what="the storm")
    wait_until(lambda: caught(double, storm) == [], 10, "the double to have stored everything")

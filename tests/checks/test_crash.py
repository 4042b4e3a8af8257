"""A worker that dies, or hangs, in the middle of a check: the check runs again elsewhere, its answer is told once."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from sqlalchemy import select

from servicedesk.desk import Desk, open_desk
from servicedesk.domain.incident import Actor
from servicedesk.services import checks
from servicedesk.store.tables import check_run, timeline
from tests.checks.conftest import Web, plain
from tests.checks.worked import ask, opened, outcomes
from tests.support.clock import Clock
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.crash, pytest.mark.feature("P4", "P5")]
WORKER = """
from servicedesk.config import load
from servicedesk.desk import open_desk
from servicedesk.services import checks
checks.finish(open_desk(load(None), create=False), 30)
"""


@pytest.fixture
def clock() -> Clock:
    """The other process has the clock of the machine: this one begins where that one is."""
    return Clock(datetime.now(UTC))


def told(desk: Desk, number: int) -> int:
    """How many lines of the timeline tell what a check found."""
    return len(ask(desk, select(timeline.c.seq).where(timeline.c.incident_id == number, timeline.c.kind == "check")))


def test_killed_in_the_middle_of_a_check(
    own: Desk, people: dict[str, Actor], web: Web, clock: Clock, tmp_path: Path
) -> None:
    web.answers["/"] = plain(200, "ok")
    number = opened(own, people)
    config = own.config
    env = os.environ | {"SERVICEDESK_FAULT": "checks.before_finish", "SERVICEDESK_DATA_DIR": config.data_dir}
    env |= {"SERVICEDESK_DATABASE_URL": config.database_url, "SERVICEDESK_PLAYBOOKS": config.playbooks}
    env |= {"SERVICEDESK_CHECKS_ALLOW": ",".join(config.checks.allow)}
    done = subprocess.run([sys.executable, "-c", WORKER], env=env, cwd=tmp_path, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert len(web.asked) == 1
    assert checks.finish(own, 10)
    assert (len(web.asked), outcomes(own, number)["up"]) == (1, ""), "the dead worker's lease holds"
    clock.advance(minutes=1)
    assert checks.finish(own, 10)
    assert (len(web.asked), outcomes(own, number)["up"]) == (2, "done")
    (run,) = ask(own, select(check_run))
    assert (run.state, run.verdict, run.tries) == ("done", "pass", 2)
    assert told(own, number) == 1


def test_a_worker_that_wakes_up_too_late_tells_nothing(
    own: Desk, people: dict[str, Actor], web: Web, clock: Clock
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        first = not asked.is_set()
        asked.set()
        if first:
            go_on.wait(20)
        plain(500 if first else 200, "late" if first else "in time")(handler)

    web.answers["/"] = slow
    number = opened(own, people)
    checks.run_due(own)
    assert asked.wait(10)
    clock.advance(minutes=1)  # past the lease
    other = open_desk(own.config, clock.now)
    try:
        wait_until(lambda: checks.finish(other, 10) and outcomes(other, number)["up"] == "done", 20, "the other one")
    finally:
        go_on.set()
        other.close()
    assert checks.finish(own, 20)
    (run,) = ask(own, select(check_run))
    assert (run.verdict, run.tries) == ("pass", 2)
    assert told(own, number) == 1

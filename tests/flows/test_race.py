"""Resolving against firing again: whichever comes first, never `resolved` with a member that fires."""

from __future__ import annotations

import os
import random
import threading
import time
from datetime import timedelta

import pytest

from servicedesk.desk import Desk
from servicedesk.errors import Refused
from servicedesk.services import apply, incidents, resolution
from servicedesk.services.shared.playbooks import skip_open
from tests.support import senders
from tests.support.clock import Clock
from tests.support.crew import crew

ROUNDS = int(os.environ.get("RACE_ROUNDS", "1000"))  # on SQLite; PostgreSQL runs two fifths of them
LABELS = {"alertname": "Flaps", "instance": "web-1", "severity": "warning", "job": "shop"}


@pytest.mark.feature("I9")
@pytest.mark.feature("T2")
@pytest.mark.timeout(600)
def test_resolve_against_refire(desk: Desk, clock: Clock) -> None:
    people = crew(desk)
    senders.deliver(desk, senders.alert(LABELS, clock.now()))
    number = 1
    incidents.take(desk, people["owner"], number)
    desk.write(lambda tx: skip_open(tx, desk, number, "not what this test is about"))
    outcomes = {"resolved first": 0, "fired first": 0}
    chance = random.Random(20261122)
    started = clock.now()
    rounds = ROUNDS * 2 // 5 if desk.db.postgresql else ROUNDS
    for _ in range(rounds):
        senders.deliver(desk, senders.alert(LABELS, started, clock.advance(seconds=30)))
        assert incidents.facts(desk, number).status == "in_progress"
        started = clock.advance(timedelta(seconds=30))
        senders.post(desk, senders.alert(LABELS, started))
        outcomes[_race(desk, people["owner"], number, chance.uniform(0, 0.01))] += 1
        facts = incidents.facts(desk, number)
        assert (facts.status, [a.status for a in facts.alerts]) == ("in_progress", ["firing"])
    assert sum(outcomes.values()) == rounds
    assert min(outcomes.values()) > 0, outcomes


def _race(desk: Desk, owner: object, number: int, head_start: float) -> str:
    """Both at nearly the same time, the alert ahead by some milliseconds; answers who was first."""
    gate, faults = threading.Barrier(2), []

    def fire() -> None:
        try:
            gate.wait()
            apply.run_all(desk)
        except Exception as error:  # noqa: BLE001 - told to the test
            faults.append(error)

    thread = threading.Thread(target=fire)
    thread.start()
    gate.wait()
    time.sleep(head_start)  # not to wait for anything: to meet every point of the other's work
    try:
        resolution.resolve(desk, owner, number, "fixed", "software", "restarted")  # type: ignore[arg-type]
        outcome = "resolved first"
    except Refused as refused:
        outcome = "fired first" if {r.guard for r in refused.refusals} == {"G5"} else str(refused)
    thread.join()
    assert not faults, faults
    return outcome

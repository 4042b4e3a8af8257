"""The clock steps back: nothing is lost or doubled, no job falls, and what came is judged by its own times."""

from datetime import timedelta

import pytest

from servicedesk.desk import Desk
from servicedesk.services import apply, audit, traffic
from servicedesk.workers.jobs import JOBS
from tests.intake import seen
from tests.intake.wire import alert, tell
from tests.support.clock import Clock


def run_every_job(desk: Desk) -> None:
    for job in JOBS:
        job.run(desk)


@pytest.mark.feature("I4", "I9")
@pytest.mark.parametrize("step", [timedelta(seconds=3), timedelta(hours=2), timedelta(days=40)], ids=str)
def test_the_clock_steps_back(desk: Desk, clock: Clock, step: timedelta) -> None:
    started = clock.now()
    tell(desk, alert(started, pod="a"), alert(started, pod="b"))
    run_every_job(desk)
    clock.advance(-step)
    tell(desk, alert(started, pod="a"), alert(started, pod="c"))
    tell(desk, alert(started, started + timedelta(minutes=1), pod="b"))
    run_every_job(desk)
    apply.run_all(desk)
    found = {row.labels["pod"]: row for row in seen.alerts(desk, "am")}
    assert {pod: (row.status, row.count) for pod, row in found.items()} == {
        "a": ("firing", 2),
        "b": ("recovered", 2),
        "c": ("firing", 1),
    }
    assert all(row.first_seen <= row.last_seen for row in found.values())
    assert len({row.incident_id for row in found.values()}) == 1
    clock.advance(step + timedelta(minutes=10))
    tell(desk, alert(started, started + timedelta(minutes=9), pod="a"))
    run_every_job(desk)
    while traffic.run_due(desk):
        pass
    assert {row.labels["pod"]: row.status for row in seen.alerts(desk, "am")}["a"] == "recovered"
    assert audit.verify(desk).whole

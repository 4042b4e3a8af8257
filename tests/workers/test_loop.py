"""Background jobs: woken at once, never ended by a crash, soon stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from prometheus_client import generate_latest

from servicedesk import metrics
from servicedesk.desk import Desk
from servicedesk.errors import Busy
from servicedesk.workers.jobs import JOBS, Job
from servicedesk.workers.loop import Loop
from tests.support.waiting import wait_until

Start = Callable[..., Loop]


class Counted:
    """A job that counts its rounds and answers or raises what it is told."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers, self.rounds = list(answers), 0

    def __call__(self, _desk: Desk) -> int:
        self.rounds += 1
        answer = self.answers.pop(0) if self.answers else 0
        if isinstance(answer, Exception):
            raise answer
        return answer


def failures(job: str) -> float:
    lines = generate_latest(metrics.REGISTRY).decode().splitlines()
    wanted = f'servicedesk_job_failures_total{{job="{job}"}} '
    return sum(float(line.split(" ")[1]) for line in lines if line.startswith(wanted))


def test_a_job_runs_at_once_and_again_when_woken(run: Start, quiet_desk: Desk) -> None:
    work = Counted()
    run(Job("woken", 3600, work, topic="deliveries"))
    wait_until(lambda: work.rounds == 1, 5, "the first round")
    for rounds in (2, 3):
        quiet_desk.wake.notify("deliveries")
        wait_until(lambda rounds=rounds: work.rounds == rounds, 2, "the round after a wake-up")


def test_news_that_come_during_a_round_are_not_missed(run: Start, quiet_desk: Desk) -> None:
    inside, go_on, rounds = threading.Event(), threading.Event(), []

    def work(_desk: Desk) -> int:
        rounds.append(1)
        inside.set()
        assert go_on.wait(10)
        return 0

    run(Job("slow", 3600, work, topic="outbox"))
    assert inside.wait(5)
    quiet_desk.wake.notify("outbox")
    go_on.set()
    wait_until(lambda: len(rounds) == 2, 2, "the round for the news")


def test_a_job_that_found_work_looks_again_at_once(run: Start) -> None:
    work = Counted(5, 5, 5, 0)
    run(Job("busy", 3600, work, topic="deliveries", repeats=True))
    wait_until(lambda: work.rounds == 4, 2, "all rounds")


def test_the_clock_alone_wakes_a_job_without_topic(run: Start) -> None:
    work = Counted()
    run(Job("clock", 0.05, work))
    wait_until(lambda: work.rounds >= 5, 5, "five rounds")


@pytest.mark.parametrize("error", [RuntimeError("boom"), Busy("the database is away")])
def test_a_crash_is_counted_and_the_job_goes_on(run: Start, error: Exception) -> None:
    name = f"crashing-{type(error).__name__}"
    before, work = failures(name), Counted(error, 0)
    other = Counted()
    loop = run(Job(name, 0.01, work), Job("other", 0.05, other))
    wait_until(lambda: work.rounds >= 3, 10, "rounds after the crash")
    wait_until(lambda: other.rounds >= 3, 5, "the other job")
    assert failures(name) == before + 1
    assert loop.problem() is None


def test_a_job_that_keeps_crashing_is_tried_more_and_more_seldom(run: Start, quiet_desk: Desk) -> None:
    times: list[float] = []

    def work(_desk: Desk) -> int:
        times.append(time.monotonic())
        raise RuntimeError("boom")

    run(Job("hopeless", 0.01, work, topic="deliveries"))
    wait_until(lambda: len(times) == 2, 10, "a second try")
    quiet_desk.wake.notify("deliveries")  # news do not hurry it
    wait_until(lambda: len(times) == 3, 15, "a third try")
    assert times[2] - times[1] > (times[1] - times[0]) * 1.5


def test_all_stop_within_two_seconds(quiet_desk: Desk) -> None:
    loop = Loop(quiet_desk, JOBS)
    loop.start()
    began = time.monotonic()
    assert loop.stop() is True
    assert time.monotonic() - began < 2
    assert "not running" in str(loop.problem())


def test_a_job_that_does_not_end_is_left_behind(quiet_desk: Desk) -> None:
    release = threading.Event()
    loop = Loop(quiet_desk, [Job("stuck", 1, lambda _desk: release.wait(30))])
    loop.start()
    assert loop.stop(timeout=0.2) is False
    release.set()
    wait_until(lambda: loop.problem() is not None, 5, "its end")


def test_the_table_of_jobs() -> None:
    names = [job.name for job in JOBS]
    assert len(names) == len(set(names))
    assert {"deliveries", "suspects", "judgement", "outbox", "alarms", "anchors"} <= set(names)
    assert all(job.every > 0 for job in JOBS)


def test_every_job_runs_on_both_databases(desk: Desk) -> None:
    for job in JOBS:
        assert not job.run(desk), f"{job.name} found work on an empty desk"

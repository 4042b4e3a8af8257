"""Runs jobs: a thread each, woken by a topic or by the clock; a crash is logged, counted and tried again later."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import structlog

from servicedesk import metrics
from servicedesk.desk import Desk
from servicedesk.errors import Busy

from .jobs import Job

log = structlog.get_logger("servicedesk.workers")
LONGEST_PAUSE = 60.0  # seconds between tries of a job that keeps crashing
STOP_TOPIC = "stop"


class Loop:
    """The jobs of one process. `start`, then `stop`, which returns within two seconds or leaves a job behind."""

    def __init__(self, desk: Desk, jobs: Sequence[Job]) -> None:
        self.desk, self.jobs = desk, tuple(jobs)
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(j,), name=f"job-{j.name}", daemon=True) for j in jobs]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 2.0) -> bool:
        """Let every job end its present round; False when one did not in time (its transaction rolls back)."""
        self._stopping.set()
        for topic in {job.topic or STOP_TOPIC for job in self.jobs}:
            self.desk.wake.notify(topic)
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        left = [thread.name for thread in self._threads if thread.is_alive()]
        if left:
            log.warning("jobs did not end in time", jobs=left)
        return not left

    def problem(self) -> str | None:
        """For readiness: which job's thread is dead, or None."""
        dead = [t.name for t in self._threads if not t.is_alive()]
        return f"not running: {', '.join(dead)}" if dead else None

    def _run(self, job: Job) -> None:
        failures = 0
        topic = job.topic or STOP_TOPIC
        while not self._stopping.is_set():
            seen = self.desk.wake.count(topic)
            more = self._once(job, failures)
            failures = failures + 1 if more is None else 0
            if not more:
                pause = job.every if not failures else min(max(job.every, 0.5) * 2**failures, LONGEST_PAUSE)
                self._rest(topic, seen, pause, wakes=failures == 0)

    def _once(self, job: Job, failures: int) -> bool | None:
        """One round: True when there is more to do at once, None when it crashed."""
        try:
            again = bool(job.run(self.desk)) and job.repeats
        except Busy as error:
            if failures == 0:
                log.warning("job waits for the database", job=job.name, detail=str(error))
            metrics.job_failed(job.name)
            return None
        except Exception as error:
            log.error("job crashed", job=job.name, failures=failures + 1, exc_info=error)
            metrics.job_failed(job.name)
            return None
        metrics.job_done(job.name)
        return again

    def _rest(self, topic: str, seen: int, pause: float, *, wakes: bool) -> None:
        if wakes and not self._stopping.is_set():
            self.desk.wake.wait(topic, seen, pause)
        else:  # a job that crashes is not hurried by news
            self._stopping.wait(pause)

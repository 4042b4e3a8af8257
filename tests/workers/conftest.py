"""A desk and a way to run jobs of one's own on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from servicedesk.config import Config
from servicedesk.desk import Desk, open_desk
from servicedesk.workers.jobs import Job
from servicedesk.workers.loop import Loop


@pytest.fixture
def quiet_desk(sqlite_database: str, tmp_path: Path) -> Iterator[Desk]:
    desk = open_desk(Config(data_dir=str(tmp_path / "data"), database_url=sqlite_database))
    yield desk
    desk.close()


@pytest.fixture
def run(quiet_desk: Desk) -> Iterator[Callable[..., Loop]]:
    """Starts jobs; they are stopped at the end of the test."""
    started: list[Loop] = []

    def start(*jobs: Job) -> Loop:
        loop = Loop(quiet_desk, jobs)
        loop.start()
        started.append(loop)
        return loop

    yield start
    for loop in started:
        loop.stop()

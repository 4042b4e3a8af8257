"""The desk as it is measured: real processes, their load, and a look into their database."""

import http.client
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import create_engine, text

from servicedesk.store.types import Json
from tests.benchmarks.load import Load, percentile, post_body
from tests.support import postgres_server
from tests.support.alertmanager import member
from tests.support.roles import Role
from tests.support.server import Client, Server
from tests.support.waiting import wait_until

RECEIVER = "/api/v1/receivers/alertmanager"
DURABLE = ("fsync=on", "full_page_writes=on", "shared_buffers=256MB")
PAGES = {
    "list of 50": "/incidents?limit=50",
    "list, ended ones": "/incidents?limit=50&status=cancelled",
    "list, one source": "/incidents?limit=50&source=bench",
    "list, one service": "/incidents?limit=50&service=svc-3",
    "list, one label": "/incidents?limit=50&label=alertname%3DOld7",
    "list, words": "/incidents?limit=50&q=pod-77",
    "one incident": "/incidents/INC-{middle}",
    "alerts": "/alerts?limit=50",
    "intake": "/intake",
}


@contextmanager
def durable_postgresql() -> Iterator[str]:
    """A server of its own with fsync on; URL of its maintenance database."""
    folder = postgres_server.new_folder()
    try:
        yield postgres_server.ensure_running(folder, os.getpid(), *DURABLE)
    finally:
        postgres_server.stop(folder)


class Desk:
    """The program under test, with what is needed to look into its database beside it.

    fleet: two web processes and a worker instead of the whole program in one (PostgreSQL).
    """

    def __init__(self, name: str, folder: Path, url: str, *, fleet: bool = False) -> None:
        self.name, self.processes = name, _fleet(folder, url) if fleet else [Server(folder, url).start()]
        self.server = self.processes[0]
        ports = [one.port for one in self.processes if getattr(one, "role", "web") == "web"]
        self.url = url.replace("postgresql://", "postgresql+psycopg://") if url else ""
        self.engine = create_engine(self.url or f"sqlite:///{folder / 'data' / 'servicedesk.db'}")
        self.reader: Client = self.server.person("bench")
        self.started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.load = Load(ports[0], RECEIVER, self.server.ingest_token("bench"), self.started, *ports[1:])

    def open_deliveries(self) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM delivery WHERE state = 'stored'")).scalar_one())

    def settle(self) -> None:
        """Waits until everything stored is applied."""
        wait_until(lambda: self.open_deliveries() == 0, 120, "all deliveries to be applied", every=0.005)

    def visible(self, size: int, probe: int) -> float:
        """Seconds from the post of a delivery of `size` new alerts to its ticket in the answer of the API."""
        name = f"Probe{size}x{probe}"
        alerts = [
            json.dumps(member({"alertname": name, "instance": str(i)}, datetime.now(UTC))).encode() for i in range(size)
        ]
        session = self.reader.session
        where = f"{self.server.base_url}/api/v1/incidents"
        begun = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        connection.request("POST", RECEIVER, post_body(alerts), self.load.headers)
        assert connection.getresponse().status == 200

        def seen() -> bool:
            page = session.get(where, params={"label": f"alertname={name}", "limit": 1}, timeout=30).json()
            return bool(page["items"])

        wait_until(seen, 30, f"the ticket of {name}", every=0.001)
        return time.perf_counter() - begun

    def missing(self) -> list[str]:
        """Acknowledged alerts that are not there, or not as often as they were acknowledged."""
        statement = text("SELECT labels, count FROM alert WHERE name LIKE 'Bench%'").columns(labels=Json())
        with self.engine.connect() as connection:
            rows = connection.execute(statement).all()
        counts = {int(row.labels["pod"].removeprefix("pod-")): row.count for row in rows}
        expected = self.load.total
        return [
            f"{self.name}: alert {number}: acknowledged {times} times, there {counts.get(number, 0)} times"
            for number, times in expected.items()
            if counts.get(number, 0) != times
        ]

    def close(self) -> None:
        self.engine.dispose()
        for one in self.processes:
            one.finish()


def _fleet(folder: Path, url: str) -> list[Server]:
    roles = [Role(role, folder, number, url) for role, number in (("web", 1), ("web", 2), ("worker", 1))]
    roles[0].run("db", "upgrade")
    return [role.begin() for role in roles]


def pages(desk: Desk, incidents: int, times: int = 20) -> dict[str, tuple[float, float]]:
    """What is looked at → (p50, p95) in ms, by the API."""
    found = {}
    for name, path in PAGES.items():
        seconds = []
        for _ in range(times):
            begun = time.perf_counter()
            answer = desk.reader.call("GET", path.format(middle=max(incidents // 2, 1)))
            seconds.append(time.perf_counter() - begun)
            assert answer.status_code == 200, f"{path}: {answer.status_code}"
        found[name] = (percentile(seconds, 0.5) * 1000, percentile(seconds, 0.95) * 1000)
    return found

"""`make bench`: events applied a second and delivery → visible ticket, on both databases, beside two yardsticks.

    python -m tests.benchmarks [--seconds 5] [--probes 15] [--only sqlite|postgresql] [--out FOLDER]

Every figure of ours stands beside the raw batched upsert on the same database and a bare Flask, measured in the same
run: read the ratios, not the absolute numbers. Nothing is reported when an acknowledged alert is missing.
"""

import argparse
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import requests
from sqlalchemy import create_engine, text

from servicedesk.store.types import Json
from tests.benchmarks import diagnosis, machine, report, yardsticks
from tests.benchmarks.load import Load, percentile, post_body
from tests.support import postgres_server
from tests.support.alertmanager import member
from tests.support.server import Client, Server, free_port
from tests.support.source import ROOT
from tests.support.waiting import wait_until

SIZES = (1, 10, 64)
RECEIVER = "/api/v1/receivers/alertmanager"
DURABLE = ("fsync=on", "full_page_writes=on", "shared_buffers=256MB")


@dataclass
class Row:
    """One line of the table. Rates in alerts/s; times in ms."""

    database: str
    size: int
    applied: float
    answered_p50: float
    answered_p99: float
    visible_p50: float
    visible_p95: float
    upsert: float
    flask: float
    errors: int


@dataclass
class Outcome:
    rows: list[Row] = field(default_factory=list)
    single: dict[str, tuple[float, float]] = field(default_factory=dict)  # one connection, one alert: p50, p99
    diagnosed: dict[str, tuple[float, float]] = field(default_factory=dict)  # post → first check's result: p50, p95
    memory: dict[str, float] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


@contextmanager
def durable_postgresql() -> Iterator[str]:
    """A server of its own with fsync on; URL of its maintenance database."""
    folder = postgres_server.new_folder()
    try:
        yield postgres_server.ensure_running(folder, os.getpid(), *DURABLE)
    finally:
        postgres_server.stop(folder)


@contextmanager
def bare_flask() -> Iterator[int]:
    """The bare Flask as a process; its port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.yardsticks", str(port)], cwd=ROOT)

    def answers() -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=1).ok
        except requests.ConnectionError:
            return False

    try:
        wait_until(answers, 20, "the bare Flask")
        yield port
    finally:
        process.terminate()
        process.wait(10)


class Desk:
    """One server under test, with what is needed to look into its database beside it."""

    def __init__(self, name: str, folder: Path, url: str) -> None:
        self.name, self.server = name, Server(folder, url)
        self.server.start()
        self.url = url.replace("postgresql://", "postgresql+psycopg://") if url else ""
        self.engine = create_engine(self.url or f"sqlite:///{folder / 'data' / 'servicedesk.db'}")
        self.reader: Client = self.server.person("bench")
        self.started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.load = Load(self.server.port, RECEIVER, self.server.ingest_token("bench"), self.started)

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
        self.server.finish()


def measure(desk: Desk, size: int, options: argparse.Namespace, flask_port: int, folder: Path) -> Row:
    """One row, its yardsticks right before and after."""
    upsert = raw_upserts(desk, size, folder)
    desk.settle()
    begun = time.perf_counter()
    result = desk.load.round(size, options.seconds)
    desk.settle()
    applied = result.alerts / (time.perf_counter() - begun)
    seen = [desk.visible(size, probe) for probe in range(options.probes)]
    bare = Load(flask_port, "/", "none", desk.started).round(size, options.seconds / 3)
    return Row(
        database=desk.name,
        size=size,
        applied=applied,
        answered_p50=percentile(result.latencies, 0.5) * 1000,
        answered_p99=percentile(result.latencies, 0.99) * 1000,
        visible_p50=percentile(seen, 0.5) * 1000,
        visible_p95=percentile(seen, 0.95) * 1000,
        upsert=upsert,
        flask=bare.alerts / bare.seconds,
        errors=sum(result.errors.values()),
    )


def raw_upserts(desk: Desk, size: int, folder: Path) -> float:
    if desk.name == "sqlite":
        return yardsticks.sqlite_upserts(folder / "raw.sqlite", size, 1.0)
    return yardsticks.postgresql_upserts(desk.url.replace("+psycopg", ""), size, 1.0)


def measure_database(name: str, url: str, folder: Path, options: argparse.Namespace, port: int, out: Outcome) -> None:
    """All rows of one database, the memory of the idle program, and the check that nothing is missing."""
    desk = Desk(name, folder / name, url)
    try:
        out.memory[name] = machine.pss(desk.server.pid)
        desk.load.fill()
        desk.settle()
        single = desk.load.round(1, options.seconds / 2, connections=1)
        out.single[name] = (percentile(single.latencies, 0.5) * 1000, percentile(single.latencies, 0.99) * 1000)
        for size in SIZES:
            row = measure(desk, size, options, port, folder)
            out.rows.append(row)
            print(report.line(row), flush=True)
        desk.settle()
        out.missing += desk.missing()
        out.diagnosed[name] = diagnosis.measure(desk.server, desk.reader, desk.load.headers, options.probes)
    finally:
        desk.close()


def run(options: argparse.Namespace, folder: Path) -> Outcome:
    out = Outcome(settings=machine.describe(folder))
    print(report.header(out.settings), flush=True)
    with bare_flask() as port:
        if options.only in (None, "sqlite"):
            measure_database("sqlite", "", folder, options, port, out)
        if options.only in (None, "postgresql"):
            with durable_postgresql() as admin:
                out.settings["PostgreSQL"] = machine.postgresql(admin)
                measure_database("postgresql", admin, folder, options, port, out)
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one round of load")
    parser.add_argument("--probes", type=int, default=15, help="how often delivery → visible ticket is timed per size")
    parser.add_argument("--only", choices=["sqlite", "postgresql"], help="one database")
    parser.add_argument(
        "--out", type=Path, default=ROOT / ".bench", help="folder for report.md, report.json, report.svg"
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="data-", dir=options.out))
    try:
        out = run(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if out.missing:
        print(f"REFUSED: {len(out.missing)} acknowledged alerts are missing or doubled; no figures.", file=sys.stderr)
        print("\n".join(out.missing[:20]), file=sys.stderr)
        return 1
    report.write(options.out, out)
    print(report.tail(out))
    print(f"Written: {options.out / 'report.md'}, report.json, report.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())

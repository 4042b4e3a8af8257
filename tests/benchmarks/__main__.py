"""`make bench`: events applied a second and delivery → visible ticket, on both databases, beside two yardsticks.

    python -m tests.benchmarks [--seconds 5] [--probes 15] [--only sqlite|postgresql] [--out FOLDER]
                               [--known 1000 100000 1000000] [--incidents]

Every figure of ours stands beside the raw batched upsert on the same database and a bare Flask, measured in the same
run: read the ratios, not the absolute numbers. Nothing is reported when an acknowledged alert is missing.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.benchmarks import diagnosis, machine, report, stock, yardsticks
from tests.benchmarks.desk import Desk, durable_postgresql, pages
from tests.benchmarks.load import MIXES, Load, percentile
from tests.support.server import free_port
from tests.support.source import ROOT
from tests.support.waiting import wait_until

SIZES = (1, 10, 64)
MIDDLE = 10  # alerts a post, for what is measured at one size


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
    mixes: list[tuple[str, int, str, float]] = field(default_factory=list)  # database, known, mix, applied alerts/s
    pages: list[tuple[str, int, str, float, float]] = field(default_factory=list)  # database, incidents, what, p50, p95


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
        known = 0
        for wanted in options.known:
            stock.fill(desk.engine, wanted - known, max(wanted - known, 0) if options.incidents else 0)
            known = wanted
            among(desk, known, options, out)
        desk.settle()
        out.missing += desk.missing()
        out.diagnosed[name] = diagnosis.measure(desk.server, desk.reader, desk.load.headers, options.probes)
    finally:
        desk.close()


def among(desk: Desk, known: int, options: argparse.Namespace, out: Outcome) -> None:
    """The three mixes and the pages with so many alerts and incidents known."""
    for mix in MIXES:
        desk.settle()
        begun = time.perf_counter()
        result = desk.load.round(MIDDLE, options.seconds / 2, mix=mix)
        desk.settle()
        out.mixes.append((desk.name, known, mix, result.alerts / (time.perf_counter() - begun)))
    if options.incidents:
        out.pages += [(desk.name, known, what, *found) for what, found in pages(desk, known).items()]


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
    parser.add_argument("--known", type=int, nargs="*", default=[1000], help="numbers of alerts known, growing")
    parser.add_argument("--incidents", action="store_true", help="as many incidents too, and the pages among them")
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

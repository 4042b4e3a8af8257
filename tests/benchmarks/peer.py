"""`make bench-peer`: Alerta and the desk in one paired run, by the same generator, on the same PostgreSQL.

    python -m tests.benchmarks.peer [--seconds 4] [--sizes 1 10 64] [--rounds 2]

Alerta is installed into a folder of its own (.bench/peer), never into the lock. Its best case: a database with C
collation, two workers of four threads, no authentication. The desk: two web processes and a worker on PostgreSQL with
tokens, rights, rules and timeline; and `servicedesk up` on SQLite. What counts is the ratio in each row, not the
absolute figure: of the peer an alert is done when it is answered, of the desk when it stands in its alert and ticket.
"""

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import psycopg
import requests

from tests.benchmarks import machine
from tests.benchmarks.desk import Desk, durable_postgresql
from tests.benchmarks.load import Load, percentile
from tests.support.server import free_port
from tests.support.source import ROOT
from tests.support.waiting import wait_until

PEER = "alerta-server[postgres]==9.1.0"
MUST = {1: (6, 8), 10: (15, 15), 64: (30, 30)}  # alerts a post → ratios that must be reached: PostgreSQL, SQLite


def install(folder: Path) -> Path:
    """The peer's environment; made when it is not there. Its folder of programs."""
    programs = folder / "venv" / "bin"
    if not (programs / "gunicorn").exists():
        print(f"Installing {PEER} into {folder} …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder / "venv"], check=True)
        subprocess.run([programs / "python", "-m", "pip", "install", "-q", PEER, "gunicorn"], check=True)
    return programs


@contextmanager
def alerta(programs: Path, folder: Path, admin: str) -> Iterator[Load]:
    """The peer on a database of its own in the same server; the load for it."""
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE DATABASE alerta TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
    settings = {"DATABASE_URL": admin.replace("/postgres?", "/alerta?"), "SECRET_KEY": secrets.token_hex(16)}
    lines = [f"{name} = {value!r}" for name, value in settings.items()]
    (folder / "alertad.conf").write_text("\n".join([*lines, "AUTH_REQUIRED = False", ""]))
    env = os.environ | {"ALERTA_SVR_CONF_FILE": str(folder / "alertad.conf"), "PYTHONPATH": ""}
    subprocess.run([programs / "python", "-c", "from alerta import create_app; create_app()"], check=True, env=env)
    port = free_port()
    command = [programs / "gunicorn", "-w", "2", "--threads", "4", "-b", f"127.0.0.1:{port}", "alerta:create_app()"]
    with open(folder / "alerta.log", "wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)

    def answers() -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{port}/alerts", timeout=5).ok
        except requests.RequestException:
            return False

    try:
        wait_until(answers, 60, "Alerta")
        load = Load(port, "/webhooks/prometheus", "none", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        load.answers, load.headers = {200, 201}, {"Content-Type": "application/json"}
        yield load
    finally:
        process.terminate()
        process.wait(20)


def of_peer(load: Load, size: int, seconds: float) -> tuple[float, float]:
    """Alerts a second, p95 of the answers in ms."""
    result = load.round(size, seconds)
    assert not result.errors, f"the peer answered {result.errors}"
    return result.alerts / result.seconds, percentile(result.latencies, 0.95) * 1000


def of_desk(desk: Desk, size: int, seconds: float) -> tuple[float, float]:
    """Alerts a second, until the last one stands in its ticket; p95 of the answers in ms."""
    desk.settle()
    begun = time.perf_counter()
    result = desk.load.round(size, seconds)
    desk.settle()
    assert not result.errors, f"{desk.name} answered {result.errors}"
    return result.alerts / (time.perf_counter() - begun), percentile(result.latencies, 0.95) * 1000


def row(load: Load, desks: list[Desk], size: int, options: argparse.Namespace) -> dict[str, object]:
    """One size: the rounds of all three after each other, so that a noisy machine is noisy for all; medians."""
    peer, ours = list[float](), {desk.name: list[float]() for desk in desks}
    ratios: dict[str, list[float]] = {desk.name: [] for desk in desks}
    for _ in range(options.rounds):
        theirs = of_peer(load, size, options.seconds)[0]
        peer.append(theirs)
        for desk in desks:
            rate = of_desk(desk, size, options.seconds)[0]
            ours[desk.name].append(rate)
            ratios[desk.name].append(rate / theirs)
    must = dict(zip(("postgresql", "sqlite"), MUST.get(size, (0, 0)), strict=True))
    found: dict[str, object] = {"alerts a post": size, "alerta alerts/s": round(median(peer), 1)}
    for desk in desks:
        found[f"{desk.name} alerts/s"] = round(median(ours[desk.name]), 1)
        found[f"{desk.name} ratio"] = round(median(ratios[desk.name]), 1)
        found[f"{desk.name} must"] = must[desk.name]
    return found


def run(options: argparse.Namespace, folder: Path) -> list[dict[str, object]]:
    programs = install(options.peer)
    rows = []
    with ExitStack() as stack:
        admin = stack.enter_context(durable_postgresql())
        print(json.dumps(machine.describe(folder) | {"PostgreSQL": machine.postgresql(admin)}), flush=True)
        load = stack.enter_context(alerta(programs, folder, admin))
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("CREATE DATABASE desk")
        ours = admin.replace("/postgres?", "/desk?")
        desks = [Desk("postgresql", folder / "fleet", ours, fleet=True), Desk("sqlite", folder / "up", "")]
        for desk in desks:
            stack.callback(desk.close)
            desk.load.fill()
        load.fill()
        for size in options.sizes:
            rows.append(row(load, desks, size, options))
            print(json.dumps(rows[-1]), flush=True)
        for desk in desks:
            desk.settle()
            lost = desk.missing()
            assert not lost, f"{len(lost)} acknowledged alerts are missing or doubled: {lost[:5]}"
    return rows


def _below(found: dict[str, object], name: str) -> bool:
    return float(str(found[f"{name} ratio"])) < float(str(found[f"{name} must"]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one round of load")
    parser.add_argument("--rounds", type=int, default=2, help="rounds of each size; medians are told")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 10, 64], help="alerts a post")
    parser.add_argument("--peer", type=Path, default=ROOT / ".bench" / "peer", help="where Alerta is installed")
    options = parser.parse_args()
    options.peer.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="data-", dir=options.peer))
    try:
        rows = run(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    (options.peer / "peer.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    below = sum(_below(found, name) for found in rows for name in ("postgresql", "sqlite"))
    print("Every ratio is what it must be." if not below else f"{below} ratios are lower than they must be.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

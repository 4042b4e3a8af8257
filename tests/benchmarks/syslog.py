"""`make bench`, syslog: lines a second received, parsed, judged by 500 rules and stored, in one process, per transport.

    python -m tests.benchmarks.syslog [--seconds 5] [--out FOLDER]

Two desks on SQLite: one whose rules store every line, one whose rules make tickets of errors and count the rest. What
arrives at 20,000/s, 50,000/s and unbounded by UDP: the share that is taken. Beside it, in the same run, rsyslogd that
writes the same lines into a file. Refuses to report when lines of TCP, TLS or RELP are missing.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import machine
from tests.support.certificates import Authority
from tests.support.server import Server, free_port
from tests.support.source import ROOT
from tests.support.syslog_programs import Ports, Sender, unapplied
from tests.support.waiting import wait_until

RULES = 500
PACES = (20_000, 50_000, 0)
ASIDE = ("udp", "tcp")  # what rsyslogd is measured with
COLUMNS = "| desk | by | asked/s | sent/s | taken | taken/s | all applied after s | memory MiB | rsyslogd/s | of it |"


@dataclass
class Row:
    """taken: of the lines that were sent; late: seconds from the last line until all was applied."""

    desk: str
    transport: str
    asked: int
    sent_rate: float
    taken: float
    rate: float
    late: float
    memory: float
    other: float = 0.0

    def text(self) -> str:
        other = f"{self.other:,.0f} | {self.rate / self.other:.0%}" if self.other else "– | –"
        asked = f"{self.asked:,}" if self.asked else "unbounded"
        head = (
            f"| {self.desk} | {self.transport} | {asked} | {self.sent_rate:,.0f} | {self.taken:.1%} | {self.rate:,.0f}"
        )
        return f"{head} | {self.late:.1f} | {self.memory:.0f} | {other} |"


def rules(folder: Path, store_all: bool) -> None:
    """RULES of one's own that judge every line, and the shipped ones behind them."""
    folder.mkdir(parents=True)
    own = [
        f"  - {{id: own-{n}, title: Own {n}, match: {{app: ['daemon-{n}'], message: 'failure {n} of (?P<what>\\S+)'}}}}"
        for n in range(RULES)
    ]
    last = "  - {id: keep-all, title: Everything, match: {severity: debug}, action: keep}" if store_all else ""
    (folder / "own.yaml").write_text("\n".join(["schema: 1", "syslog:", *own, last, ""]))


def send(transport: str, port: int, count: int, rate: int) -> float:
    """Seconds that sending took."""
    command = [sys.executable, "-m", "tests.benchmarks.syslog_load", transport, str(port), str(count), str(rate)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=300)
    return float(done.stdout)


class Desk:
    def __init__(self, name: str, folder: Path, ports: Ports) -> None:
        self.name, self.ports = name, ports
        self.server = Server(folder, "", ports.env)
        rules(folder / "rules", store_all=name == "stores all")
        self.server.env["SERVICEDESK_RULES"] = str(folder / "rules")
        self.server.start()

    def taken(self, transport: str) -> int:
        """Lines that are stored, or counted because a rule ignores them."""
        found = self.server.metrics()
        name = "servicedesk_syslog_messages_total"
        return int(sum(v for k, v in found.items() if k.startswith(name) and f'transport="{transport}"' in k))

    def drops(self) -> int:
        return int(self.server.metrics()["servicedesk_syslog_kernel_drops_total"])

    def settled(self) -> bool:
        return unapplied(f"sqlite:///{self.server.folder}/data/servicedesk.db") == 0

    def measure(self, transport: str, count: int, rate: int) -> Row:
        before, dropped = self.taken(transport), self.drops()
        began = time.perf_counter()
        seconds = send(transport, self.ports[transport], count, rate)
        ended = time.perf_counter()

        def arrived() -> bool:
            return self.taken(transport) - before + self.drops() - dropped >= count

        wait_until(arrived, 120, f"{count} lines by {transport}", every=0.05)
        taken, at = self.taken(transport) - before, time.perf_counter()
        memory = machine.pss(self.server.pid)
        wait_until(self.settled, 300, "all to be applied", every=0.1)
        late = time.perf_counter() - ended
        return Row(self.name, transport, rate, count / seconds, taken / count, taken / (at - began), late, memory)


def rsyslogd(folder: Path, transport: str, count: int) -> float:
    """Lines a second that rsyslogd writes into a file, unbounded."""
    path = shutil.which("rsyslogd") or shutil.which("rsyslogd", path="/usr/sbin:/sbin")
    if path is None:
        return 0.0
    port, written = free_port(), folder / f"rsyslog-{transport}" / "out"
    relay = Sender(written.parent)
    module = "imudp" if transport == "udp" else "imtcp"
    text = [
        'global(maxMessageSize="64k")',
        f'module(load="{module}")',
        'module(load="imuxsock" SysSock.Use="off")',
        f'input(type="imuxsock" Socket="{relay.socket}" CreatePath="on")',
        f'input(type="{module}" address="127.0.0.1" port="{port}")',
        f'action(type="omfile" file="{written}")',
    ]
    (written.parent / "conf").write_text("\n".join(text) + "\n")
    with relay.spawn([path, "-n", "-f", str(written.parent / "conf"), "-i", str(written.parent / "pid")]):
        began = time.perf_counter()
        send(transport, port, count, 0)
        last = [-1, 0.0]

        def quiet() -> bool:
            """The file does not grow any more."""
            size = written.stat().st_size if written.exists() else 0
            if size != last[0]:
                last[:] = [size, time.perf_counter()]
            return time.perf_counter() - last[1] > 0.5

        wait_until(quiet, 60, "rsyslogd to have written", every=0.01)
        return written.read_bytes().count(b"\n") / (last[1] - began)


def measure(folder: Path, seconds: float) -> list[Row]:
    rows, certificate = [], Authority(folder / "pki").issue("desk")
    count = int(seconds * PACES[0])
    beside = {transport: rsyslogd(folder, transport, count) for transport in ASIDE}
    for name in ("stores all", "makes tickets"):
        desk = Desk(name, folder / name.replace(" ", "-"), Ports(certificate))
        try:
            for transport in ("udp", "tcp", "tls", "relp"):
                for pace in PACES if transport == "udp" else (0,):
                    row = desk.measure(transport, int(seconds * pace) or count, pace)
                    row.other = beside.get(transport, 0.0) if not pace else 0.0
                    rows.append(row)
                    print(row.text(), flush=True)
        finally:
            desk.server.finish()
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a round at 20,000 lines a second")
    parser.add_argument("--out", type=Path, default=ROOT / ".bench", help="folder for syslog.md")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="syslog-", dir=options.out))
    told = "\n".join(f"{name}: {value}" for name, value in machine.describe(folder).items())
    head = f"{told}\n\n{COLUMNS}\n|" + "---|" * 10
    print(head, flush=True)
    try:
        rows = measure(folder, options.seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    missing = [row for row in rows if row.transport != "udp" and row.taken < 1]
    if missing:
        print("REFUSED: lines of a stream are missing; no figures.", file=sys.stderr)
        return 1
    (options.out / "syslog.md").write_text("\n".join([head, *(row.text() for row in rows)]) + "\n", encoding="utf-8")
    print(f"Written: {options.out / 'syslog.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

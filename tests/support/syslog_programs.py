"""rsyslog, syslog-ng and logger as processes that send to the loopback, and what the desk stored of it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from sqlalchemy import func, select

from servicedesk.services.shared.lines import Record, records
from servicedesk.store.db import Database
from servicedesk.store.tables import delivery
from tests.support import missing
from tests.support.server import Server, free_port
from tests.support.waiting import wait_until

# Debian lets only one of rsyslog and syslog-ng be installed: tools/setup_test_machine.sh unpacks the other here.
UNPACKED = Path(os.environ.get("SERVICEDESK_TEST_PROGRAMS", Path.home() / ".cache/servicedesk-tests")) / "syslog-ng"
TRANSPORTS = ("udp", "tcp", "tls", "relp")


class Sender:
    """A relay: programs of its machine write to `socket`, it sends on what its configuration says."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.socket, self.log_file = folder, folder / "in", folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def spawn(self, command: list[str], env: dict[str, str] | None = None) -> Self:
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        wait_until(self._ready, 20, f"{command[0]} to listen")
        return self

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log_file.read_text(errors="replace")
        return self.socket.exists()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        assert self.process is not None
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def write(self, *messages: bytes) -> None:
        """As a program's syslog(3) does; waits where the relay is slow."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as local:
            local.connect(str(self.socket))
            for message in messages:
                local.send(message)


class Rsyslog(Sender):
    """rsyslogd. actions: lines of its configuration, in its own language."""

    def start(self, ca: Path, *actions: str) -> Self:
        program = missing.program("rsyslogd")
        (self.folder / "spool").mkdir()
        text = [
            "$EscapeControlCharactersOnReceive on",
            f'global(workDirectory="{self.folder}/spool" defaultNetstreamDriverCAFile="{ca}" maxMessageSize="8k")',
            'module(load="imuxsock" SysSock.Use="off")',
            'module(load="omrelp")',
            f'input(type="imuxsock" Socket="{self.socket}" CreatePath="on" RateLimit.Interval="0")',
            *actions,
        ]
        conf = self.folder / "rsyslog.conf"
        conf.write_text("\n".join(text) + "\n")
        return self.spawn([program, "-n", "-f", str(conf), "-i", str(self.folder / "pid")])


class SyslogNg(Sender):
    """syslog-ng. destinations: what stands between the brackets of each."""

    def start(self, *destinations: str) -> Self:
        path, root = shutil.which("syslog-ng"), UNPACKED
        env, modules = dict(os.environ), []
        if path is None:
            path = str(root / "usr/sbin/syslog-ng")
            if not Path(path).exists():
                missing.lacking("the program syslog-ng")
            libraries = sorted({str(p.parent) for p in root.rglob("*.so*") if "/3." not in str(p.parent)})
            env["LD_LIBRARY_PATH"] = ":".join(libraries)
            modules = ["--module-path", str(next(p for p in (root / "usr/lib/syslog-ng").glob("*.*") if p.is_dir()))]
        lines = [
            "@version: 3.38",
            "options { keep-hostname(yes); stats-freq(0); flush-lines(0); };",
            f'source s {{ unix-dgram("{self.socket}"); }};',
        ]
        for i, destination in enumerate(destinations):
            lines += [f"destination d{i} {{ {destination} }};", f"log {{ source(s); destination(d{i}); }};"]
        conf = self.folder / "syslog-ng.conf"
        conf.write_text("\n".join(lines) + "\n")
        own = ["-R", f"{self.folder}/persist", "-c", f"{self.folder}/control", "-p", f"{self.folder}/pid", "--no-caps"]
        return self.spawn([path, "-F", "-f", str(conf), *modules, *own], env)


def logger(*arguments: str) -> None:
    """util-linux's logger, once."""
    subprocess.run([missing.program("logger"), *arguments], check=True, timeout=20, capture_output=True)


class Ports:
    """One port a transport, free when asked; `env` makes the desk listen on them."""

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        self.of = {transport: free_port() for transport in TRANSPORTS}
        self.env = {
            f"SERVICEDESK_SYSLOG_{transport.upper()}_BIND": f"127.0.0.1:{port}"
            for transport, port in self.of.items()
            if transport != "tls" or certificate
        }
        if certificate:
            self.env["SERVICEDESK_SYSLOG_TLS_CERTIFICATE"] = str(certificate[0])
            self.env["SERVICEDESK_SYSLOG_TLS_KEY"] = str(certificate[1])

    def __getitem__(self, transport: str) -> int:
        return self.of[transport]


def stored(url: str) -> list[Record]:
    """Every line that the desk on this database keeps."""
    return list(_stored(url))


def _stored(url: str) -> Iterator[Record]:
    database = Database(url, lambda: datetime.now(UTC))
    try:
        with database.read() as tx:
            bodies = tx.run(select(delivery.c.body).where(delivery.c.receiver == "syslog").order_by(delivery.c.id))
            for body in bodies.scalars():
                for record in records(zlib.decompress(body)):
                    assert isinstance(record, Record), record
                    yield record
    finally:
        database.close()


def keep_everything(server: Server) -> None:
    """A rule of the operator that stores every line and makes nothing of it; to be called before the start."""
    folder = server.folder / "rules"
    folder.mkdir(parents=True)
    rule = "schema: 1\nsyslog:\n  - {id: keep-all, title: Everything, match: {severity: debug}, action: keep}\n"
    (folder / "all.yaml").write_text(rule)
    server.env["SERVICEDESK_RULES"] = str(folder)


def unapplied(url: str) -> int:
    """Deliveries that wait to be applied."""
    database = Database(url, lambda: datetime.now(UTC))
    try:
        with database.read() as tx:
            query = select(func.count()).select_from(delivery).where(delivery.c.state == "stored")
            return int(tx.run(query).scalar_one())
    finally:
        database.close()

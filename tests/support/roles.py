"""The program as several processes: web and worker, each a server of its own on one database."""

import subprocess
import sys
from pathlib import Path

from tests.support.server import Server


class Role(Server):
    """One role of the program; those of one desk share the database and the data folder."""

    def __init__(self, role: str, folder: Path, number: int, url: str) -> None:
        super().__init__(folder / f"{role}-{number}", url, {"SERVICEDESK_DATA_DIR": str(folder / "data")})
        self.role = role

    def spawn(self, **env: str) -> "subprocess.Popen[bytes]":
        with open(self.log_file, "ab") as log:
            command = [sys.executable, "-m", "servicedesk", self.role]
            options = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
            self.process = subprocess.Popen(command, cwd=self.folder, env=self.env | env, **options)  # type: ignore[call-overload]
        return self.process

    def begin(self) -> "Role":
        """Starts it; a worker is not waited for: it answers nobody."""
        if self.role == "web":
            self.start()
        else:
            self.spawn()
        return self

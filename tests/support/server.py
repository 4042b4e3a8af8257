"""The real program as a process of its own: started, asked through its real entrances, stopped or killed by its pid."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from tests.support.source import ROOT
from tests.support.waiting import wait_until

QUIET = {f"SERVICEDESK_SYSLOG_{kind}_BIND": "" for kind in ("UDP", "TCP", "TLS", "RELP")}


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """`servicedesk up` in `folder` (its data and log), on `database_url` (empty: SQLite in the folder)."""

    def __init__(self, folder: Path, database_url: str = "", env: Mapping[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.log_file, self.port = folder, folder / "server.log", free_port()
        own = {
            "SERVICEDESK_DATA_DIR": str(folder / "data"),
            "SERVICEDESK_HTTP_BIND": f"127.0.0.1:{self.port}",
            "PYTHONPATH": str(ROOT),
            "PYTHONFAULTHANDLER": "1",
        }
        if database_url:
            own["SERVICEDESK_DATABASE_URL"] = database_url
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SERVICEDESK_")}
        self.env = kept | QUIET | own | dict(env or {})
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None, "the server was not started"
        return self.process.pid

    @property
    def log(self) -> str:
        """What the program wrote so far, over all of its starts."""
        return self.log_file.read_text(encoding="utf-8", errors="replace") if self.log_file.exists() else ""

    def start(self, deadline: float = 60.0, **env: str) -> "Server":
        """Starts the program and waits until /readyz says yes; `env` holds for this start only."""
        self.spawn(**env)
        wait_until(self._is_ready, deadline, "the server to be ready", every=0.05)
        return self

    def spawn(self, **env: str) -> "subprocess.Popen[bytes]":
        """Starts the program without waiting."""
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "servicedesk", "up"],
                cwd=self.folder,
                env=self.env | env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self.process

    def _is_ready(self) -> bool:
        assert self.process is not None
        code = self.process.poll()
        assert code is None, f"the server ended with {code} before it was ready:\n{self.log}"
        try:
            return requests.get(f"{self.base_url}/readyz", timeout=2).status_code == 200
        except requests.ConnectionError:
            return False

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self, deadline: float = 15.0) -> int:
        """Asks the program to end (TERM) and waits; its exit code. Past the deadline: killed, and a failure."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server did not end {deadline:g} s after TERM:\n{self.log[-4000:]}") from None

    def kill(self) -> None:
        """SIGKILL, and waits until the process is gone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def finish(self, failed: bool = False) -> None:
        """The end of a test: stops what still runs; prints the log where something failed."""
        try:
            if self.is_running():
                self.stop()
        finally:
            if failed:
                print(f"--- log of the server ---\n{self.log[-20000:]}")

    def run(self, *arguments: str, check: bool = True, text: str | None = None) -> "subprocess.CompletedProcess[str]":
        """One command of the command line on the same configuration (`server.run("incident", "list")`)."""
        done = subprocess.run(
            [sys.executable, "-m", "servicedesk", *arguments],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            input=text or "",
        )
        assert not check or done.returncode == 0, f"servicedesk {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done

    def ask(self, *arguments: str) -> Any:
        """One command with --json: its answer."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def ingest_token(self, source: str = "prod-am", name: str = "alertmanager") -> str:
        """A fresh token of a sender."""
        answer = self.ask("token", "create", "--service", name, "--scopes", "ingest", "--source", source)
        token: str = answer["token"]
        return token

    def first_token(self) -> str:
        """The sender's token that the first start shows (and only it): saves a run of the command line."""
        shown = re.search(r"\bsd_[A-Za-z0-9]+_[A-Za-z0-9_-]+", self.log)
        assert shown is not None, self.log
        return shown[0]

    def admin(self, scopes: str = "read,work,review,admin") -> "Client":
        """A client with a token of the first admin, who is there from the start."""
        return Client(self, self.ask("token", "create", "--user", "admin", "--scopes", scopes)["token"])

    def person(self, name: str, role: str = "admin", scopes: str = "read,work,review,admin") -> "Client":
        """Adds a person with this role and answers a client with a token of theirs."""
        self.run("user", "add", name, "--role", role, "--json")
        answer = self.ask("token", "create", "--user", name, "--scopes", scopes)
        return Client(self, answer["token"])

    def sender(self, source: str = "prod-am") -> "Client":
        """A client that may only deliver alerts."""
        return Client(self, self.ingest_token(source))

    def metrics(self) -> dict[str, float]:
        """The current samples of /metrics: `name{labels}` → value."""
        text = requests.get(f"{self.base_url}/metrics", timeout=10).text
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}


class Client:
    """Calls the API with one token, over one kept connection."""

    def __init__(self, server: Server, token: str) -> None:
        self.server, self.token, self.session = server, token, requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request below /api/v1; the raw answer."""
        options.setdefault("timeout", 30)
        return self.session.request(method, f"{self.server.base_url}/api/v1{path}", **options)

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of a GET that must succeed."""
        return _json(self.call("GET", path, params=params))

    def post(self, path: str, body: Any = None) -> Any:
        """The JSON of a POST that must succeed (None for an empty answer)."""
        return _json(self.call("POST", path, json={} if body is None else body))

    def items(self, path: str, **params: Any) -> list[Any]:
        """All items of a list, page by page."""
        found: list[Any] = []
        cursor: str | None = None
        while True:
            page = self.get(path, limit=500, **({"cursor": cursor} if cursor else {}), **params)
            found += page["items"]
            cursor = page["next"]
            if not cursor:
                return found


def _json(answer: requests.Response) -> Any:
    assert answer.ok, f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:2000]}"
    return answer.json() if answer.content else None

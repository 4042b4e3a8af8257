"""Real programs as processes on free ports of the loopback, for what asks them: Prometheus, exporters, servers."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from tests.support import missing
from tests.support.server import free_port
from tests.support.waiting import wait_until


class Program:
    """A process that is waited for; its log is shown when it ends too early."""

    def __init__(self, folder: Path, name: str, optional: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port = folder, free_port()
        self.path = missing.optional(name) if optional else missing.program(name)
        self.log_file = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return f"http://{self.address}"

    def spawn(self, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [self.path, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=env
            )

    def until(self, ready: Callable[[], Any], what: str, deadline: float = 20) -> None:
        def asked() -> Any:
            assert self.process is not None
            assert self.process.poll() is None, f"{self.path} ended:\n{self.log_file.read_text(errors='replace')}"
            return ready()

        wait_until(asked, deadline, what, every=0.05)

    def until_http(self, path: str = "/") -> None:
        def ready() -> bool:
            try:
                return requests.get(self.base_url + path, timeout=2).status_code < 500
            except requests.RequestException:
                return False

        self.until(ready, f"{self.path} to answer on {path}")

    def until_tcp(self) -> None:
        def ready() -> bool:
            with socket.socket() as probe:
                probe.settimeout(1)
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        self.until(ready, f"{self.path} to listen")

    def stop(self) -> None:
        """Ends it by its pid."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Prometheus(Program):
    """A real Prometheus. jobs: job name → addresses that it scrapes every second; rules: groups as in a rule file."""

    def __init__(
        self, folder: Path, jobs: Mapping[str, Sequence[str]] | None = None, rules: Sequence[Any] = (), extra: Any = ()
    ) -> None:
        super().__init__(folder, "prometheus")
        own = {"prometheus": [self.address]} | {name: list(targets) for name, targets in (jobs or {}).items()}
        scrape = [{"job_name": name, "static_configs": [{"targets": targets}]} for name, targets in own.items()]
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "scrape_configs": [*scrape, *extra],
            "rule_files": [str(folder / "rules.json")] if rules else [],
        }
        (folder / "rules.json").write_text(json.dumps({"groups": list(rules)}))
        (folder / "prometheus.json").write_text(json.dumps(config))  # JSON is YAML

    def start(self) -> Prometheus:
        self.spawn(
            f"--config.file={self.folder / 'prometheus.json'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={self.address}",
            "--log.level=warn",
        )
        self.until_http("/-/ready")
        return self

    def until_series(self, query: str, count: int = 1, deadline: float = 20) -> None:
        """Waits until a query answers at least so many series."""
        self.until(lambda: len(self.query(query)) >= count, f"{count} series of {query}", deadline)

    def query(self, query: str) -> list[Any]:
        answer = requests.post(f"{self.base_url}/api/v1/query", data={"query": query}, timeout=5)
        answer.raise_for_status()
        found: list[Any] = answer.json()["data"]["result"]
        return found

    def add_samples(self, text: str) -> None:
        """Writes past samples (OpenMetrics with times) before `start`."""
        source = self.folder / "samples.om"
        source.write_text(text.rstrip("\n") + "\n# EOF\n")
        promtool = missing.program("promtool")
        command = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(source), str(self.folder / "data")]
        subprocess.run(command, check=True, capture_output=True, timeout=60)


def hours_of(name: str, labels: str, values: Callable[[float], float], hours: float = 3, step: float = 60) -> str:
    """OpenMetrics samples of the last hours: values(age in seconds)."""
    now = time.time()
    lines = [f"# TYPE {name} gauge"]
    steps = int(hours * 3600 / step)
    lines += [f"{name}{labels} {values(i * step)} {now - i * step:.3f}" for i in range(steps, -1, -1)]
    return "\n".join(lines) + "\n"

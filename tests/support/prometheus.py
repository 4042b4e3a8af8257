"""The real Prometheus as a process, that watches one switchboard of ours and sends to given Alertmanagers."""

import subprocess
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from tests.support import missing
from tests.support.server import free_port
from tests.support.waiting import wait_until

CONFIGURATION = """
global: {{scrape_interval: 1s, evaluation_interval: 1s, external_labels: {{{external}}}}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: switchboard
    static_configs: [{{targets: ['127.0.0.1:{port}']}}]
alerting:
  alert_relabel_configs: {relabel}
  alertmanagers:
    - static_configs: [{{targets: [{targets}]}}]
"""
RULES = """
groups:
  - name: switches
    interval: 1s
    rules:
      - alert: SwitchOn
        expr: switch == 1
        labels: {severity: critical}
        annotations: {summary: 'Switch {{ $labels.name }} is on'}
"""


class Switchboard:
    """Metrics `switch{name="…"}` that a test turns on and off."""

    def __init__(self) -> None:
        self.on: dict[str, int] = {}
        board = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = "".join(f'switch{{name="{name}"}} {value}\n' for name, value in sorted(board.on.items()))
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def turn(self, name: str, on: bool) -> None:
        self.on[name] = int(on)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Prometheus:
    """One Prometheus; external: its labels as YAML pairs; relabel: alert_relabel_configs as a YAML list."""

    def __init__(
        self, folder: Path, board: Switchboard, targets: Iterable[str], external: str = "", relabel: str = "[]"
    ) -> None:
        folder.mkdir(parents=True)
        self.program, self.folder, self.port = missing.program("prometheus"), folder, free_port()
        self.process: subprocess.Popen[bytes] | None = None
        listed = ", ".join(f"'{target}'" for target in targets)
        values = {"external": external, "relabel": relabel, "targets": listed, "port": board.port}
        (folder / "prometheus.yml").write_text(CONFIGURATION.format(**values))
        (folder / "rules.yml").write_text(RULES)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "Prometheus":
        command = [
            self.program,
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--rules.alert.resend-delay=1s",
        ]
        with open(self.folder / "prometheus.log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        wait_until(self._is_ready, 20, "Prometheus to be ready", every=0.05)
        return self

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "prometheus.log").read_text()
        try:
            return requests.get(f"{self.base_url}/-/ready", timeout=2).ok
        except requests.ConnectionError:
            return False

    def firing(self, name: str) -> bool:
        query = {"query": f'ALERTS{{alertstate="firing",name="{name}"}}'}
        told = requests.get(f"{self.base_url}/api/v1/query", params=query, timeout=5).json()
        return bool(told["data"]["result"])

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

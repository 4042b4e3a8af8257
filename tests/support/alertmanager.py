"""The real Alertmanager as a process, pointed at our receiver."""

import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from tests.support import missing
from tests.support.server import free_port
from tests.support.waiting import wait_until

CONFIGURATION = """
route:
  receiver: desk
  group_by: [{group_by}]
  group_wait: {group_wait}
  group_interval: {group_interval}
  repeat_interval: {repeat_interval}
receivers:
  - name: desk
    webhook_configs:
      - url: {url}
        send_resolved: true
        http_config:
          {authorization}
"""


class Alertmanager:
    """One Alertmanager; `peers` makes it a member of a cluster. Times of its route are short, so that tests are."""

    def __init__(self, folder: Path, url: str, token: str, **route: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.program = missing.program("prometheus-alertmanager")
        self.folder, self.port, self.cluster_port = folder, free_port(), free_port()
        self.log_file = folder / "alertmanager.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.configure(url, token, **route)

    def configure(self, url: str, token: str, basic: bool = False, **route: str) -> None:
        """Writes the configuration; `basic` sends the token as a password instead of a bearer token."""
        values = {"group_by": "alertname", "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"} | route
        bearer = f"authorization: {{credentials: {token}}}"
        password = f"basic_auth: {{username: alertmanager, password: {token}}}"
        text = CONFIGURATION.format(url=url, authorization=password if basic else bearer, **values)
        (self.folder / "alertmanager.yml").write_text(text)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace") if self.log_file.exists() else ""

    def start(self, peer: "Alertmanager | None" = None, clustered: bool = False) -> "Alertmanager":
        """Starts it and waits until it is ready; with a peer it joins that one's cluster."""
        cluster = f"127.0.0.1:{self.cluster_port}" if peer or clustered else ""
        command = [
            self.program,
            f"--config.file={self.folder / 'alertmanager.yml'}",
            f"--storage.path={self.folder / 'storage'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            f"--cluster.listen-address={cluster}",
            "--log.level=debug",
        ]
        if cluster:
            # a pair on one machine: the second waits peer-timeout before it sends, and settles at once
            command += ["--cluster.peer-timeout=1s", "--cluster.settle-timeout=1s", "--cluster.gossip-interval=50ms"]
        if peer:
            command.append(f"--cluster.peer=127.0.0.1:{peer.cluster_port}")
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        wait_until(self._is_ready, 20, "Alertmanager to be ready", every=0.05)
        return self

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"Alertmanager ended:\n{self.log}"
        try:
            return requests.get(f"{self.base_url}/-/ready", timeout=2).ok
        except requests.ConnectionError:
            return False

    def post(self, *alerts: Mapping[str, Any]) -> None:
        """Hands alerts to it, as Prometheus does."""
        requests.post(f"{self.base_url}/api/v2/alerts", json=list(alerts), timeout=10).raise_for_status()

    def fire(self, labels: Mapping[str, str], started: datetime | None = None, **annotations: str) -> dict[str, Any]:
        """Makes one alert fire; returns what was sent, to be handed to `resolve`."""
        begun = started or datetime.now(UTC) - timedelta(seconds=30)
        alert = {"labels": dict(labels), "annotations": annotations, "startsAt": stamp(begun)}
        self.post(alert | {"endsAt": stamp(datetime.now(UTC) + timedelta(hours=1))})
        return alert

    def resolve(self, alert: Mapping[str, Any]) -> None:
        """Ends an alert that `fire` made."""
        self.post({**alert, "endsAt": stamp(datetime.now(UTC) - timedelta(seconds=1))})

    def kill(self) -> None:
        """As if its machine fell."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        """Ends it by its pid."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def stamp(moment: datetime) -> str:
    """RFC 3339."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def body(alerts: list[dict[str, Any]], **rest: Any) -> bytes:
    """A webhook body, version 4, around ready-made members of `alerts`."""
    common: dict[str, Any] = {
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": "firing" if any(alert["status"] == "firing" for alert in alerts) else "resolved",
        "receiver": "desk",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example:9093",
    }
    return json.dumps(common | {"alerts": alerts} | rest).encode()


def member(labels: Mapping[str, str], started: datetime, ended: datetime | None = None, **rest: Any) -> dict[str, Any]:
    """One entry of `alerts` in a webhook body: resolved when it has an end."""
    alert: dict[str, Any] = {
        "status": "resolved" if ended else "firing",
        "labels": dict(labels),
        "annotations": {"summary": "A test alert"},
        "startsAt": stamp(started),
        "endsAt": stamp(ended) if ended else "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example:9090/graph",
    }
    return alert | rest
